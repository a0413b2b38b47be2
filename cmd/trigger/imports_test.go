package main

import (
	"os/exec"
	"strings"
	"testing"
)

// trigger holds rights in the cluster and in AWS: what it is made of is decided
// here and not by accident.
func TestTheBinaryContainsNothingItShouldNot(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	forbidden := map[string]string{
		"github.com/proerror77/nova-staging/internal/ecremulator": "the emulator is for tests",
		"github.com/proerror77/nova-staging/internal/argotest":    "the stand-in for Argo CD is for tests",
		"github.com/proerror77/nova-staging/smoke":                "smoke is another program",
		"github.com/proerror77/nova-staging/plugin/build":         "trigger renders nothing",
		"sigs.k8s.io/kustomize":                                   "trigger renders nothing",
		"github.com/go-git":                                       "trigger reads no git",
		"github.com/argoproj":                                     "Applications are read as unstructured objects",
		"github.com/google/go-containerregistry":                  "ECR is read by its own API",
		"github.com/google/cel-go":                                "policies are evaluated by the API server",
		"net/http/httptest":                                       "no test code",
	}
	packages := strings.Fields(string(out))
	if len(packages) < 100 {
		t.Fatalf("go list named only %d packages: %q", len(packages), out)
	}
	for _, p := range packages {
		for prefix, why := range forbidden {
			if p == prefix || strings.HasPrefix(p, prefix+"/") {
				t.Errorf("trigger imports %s: %s", p, why)
			}
		}
	}
}
