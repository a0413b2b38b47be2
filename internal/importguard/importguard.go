// Package importguard holds programs to what they may be made of: a dependency is
// decided on and does not come in by accident. For tests.
package importguard

import (
	"os/exec"
	"strings"
	"testing"
)

// Forbid fails the test when the package in the current folder depends, however
// far away, on one of the forbidden ones or what is below it. forbidden is import
// path -> why not.
func Forbid(t *testing.T, forbidden map[string]string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	packages := strings.Fields(string(out))
	if len(packages) < 100 {
		t.Fatalf("go list named only %d packages: %q", len(packages), out)
	}
	for _, p := range packages {
		for path, why := range forbidden {
			if p == path || strings.HasPrefix(p, path+"/") {
				t.Errorf("the program imports %s: %s", p, why)
			}
		}
	}
}
