package main

import (
	"testing"

	"github.com/proerror77/nova-staging/internal/importguard"
)

// The sidecar runs with the cluster's ECR credentials: what it is made of is
// decided here and not by accident.
func TestTheBinaryContainsNothingItShouldNot(t *testing.T) {
	t.Parallel()
	importguard.Forbid(t, map[string]string{
		"github.com/proerror77/nova-staging/internal/ecremulator": "the emulator is for tests",
		"github.com/proerror77/nova-staging/internal/novaworld":   "the emulated history is for tests",
		"github.com/proerror77/nova-staging/smoke":                "smoke is another program",
		"k8s.io/client-go":                       "generate does not talk to the cluster",
		"github.com/google/go-containerregistry": "ECR is read by its own API",
		"golang.org/x/crypto/ssh":                "commits are read from files",
		"testing":                                "no test code",
		"net/http/httptest":                      "no test code",
	})
}
