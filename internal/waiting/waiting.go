// Package waiting is for test packages that mostly wait: for time-outs, for pushes to
// settle, for alerts.
package waiting

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"testing"
)

// Main runs a package's tests, n at the same time, which is to be more than there are
// processors. It is all that a TestMain does, and does not return.
func Main(m *testing.M, n int) {
	flag.Parse()
	if err := flag.Set("test.parallel", strconv.Itoa(n)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}
