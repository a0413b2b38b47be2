package main

import (
	"testing"

	"github.com/proerror77/nova-staging/internal/importguard"
)

// trigger holds rights in the cluster and in AWS: what it is made of is decided
// here and not by accident.
func TestTheBinaryContainsNothingItShouldNot(t *testing.T) {
	t.Parallel()
	importguard.Forbid(t, map[string]string{
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
	})
}
