package manifests_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"sigs.k8s.io/yaml"
)

// installed are the Services, workloads and network policies of the Argo CD that the
// e2e suite runs, from its own install.yaml.
func installed(t *testing.T) *rendered {
	t.Helper()
	r, err := installYAML()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var installYAML = sync.OnceValues(func() (*rendered, error) {
	dir, err := argoCDModule()
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(dir, "manifests", "install.yaml"))
	if err != nil {
		return nil, err
	}
	var wanted [][]byte
	for doc := range bytes.SplitSeq(data, []byte("\n---\n")) {
		var o struct{ Kind string }
		if err := yaml.Unmarshal(doc, &o); err != nil {
			return nil, fmt.Errorf("install.yaml: %w", err)
		}
		if slices.Contains([]string{"Deployment", "StatefulSet", "Service", "NetworkPolicy"}, o.Kind) {
			wanted = append(wanted, doc)
		}
	}
	data = bytes.Join(wanted, []byte("\n---\n"))
	objects, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("install.yaml: %w", err)
	}
	return &rendered{yaml: data, objects: objects}, nil
})

// argoCDModule is the folder of Argo CD's source in Go's cache, in the version and with
// the sum that the e2e suite pins.
func argoCDModule() (string, error) {
	cmd := exec.Command("go", "mod", "download", "-json", "github.com/argoproj/argo-cd/v3")
	cmd.Dir = filepath.Join("..", "e2e", "airgap", "programs", "argocd")
	// It asks for a newer Go than this module.
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly", "GOTOOLCHAIN=auto")
	out, err := cmd.Output()
	var got struct{ Dir, Error string }
	if err := errors.Join(err, json.Unmarshal(out, &got)); err != nil {
		return "", fmt.Errorf("download Argo CD's module: %w\n%s", err, out)
	}
	if got.Error != "" {
		return "", fmt.Errorf("download Argo CD's module: %s", got.Error)
	}
	return got.Dir, nil
}
