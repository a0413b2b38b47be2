package command_test

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// TestMain lets more tests run at the same time than there are processors: nearly
// all of their time they wait for pushes to settle.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "32"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}
