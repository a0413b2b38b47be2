package ecremulator_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Programs serve the emulator too, in the demonstration and in clusters, and a
// program that links package testing takes its flags.
func TestProgramsCanImportThePackage(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatalf("list imports: %v", err)
	}
	imports := strings.Fields(string(out))
	for _, unwanted := range []string{"testing", "github.com/aws/aws-sdk-go-v2/aws"} {
		if slices.Contains(imports, unwanted) {
			t.Errorf("the package imports %s", unwanted)
		}
	}
}
