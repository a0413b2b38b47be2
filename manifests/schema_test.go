package manifests_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// schemaVersion is the newest Kubernetes whose published schemas kubectl-validate
// embeds. Fields that are newer are checked by the strict decoding in render.
const schemaVersion = "1.30"

func TestEveryOverlayIsValidByKubernetesOwnSchemas(t *testing.T) {
	t.Parallel()
	files := map[string][]byte{}
	for _, o := range overlays {
		files[o.name] = render(t, o.dir()).yaml
	}
	results := validate(t, files)
	for _, o := range overlays {
		if got, want := len(results[o.name]), len(render(t, o.dir()).objects); got != want {
			t.Errorf("%s: %d objects were looked at, want %d", o.name, got, want)
		}
		for _, s := range failures(results[o.name]) {
			t.Errorf("%s: %s", o.name, s)
		}
	}
}

// TestTheSchemasRefuseBrokenManifests breaks the staging render in one way at a
// time, so that a validator that says yes to everything is noticed.
func TestTheSchemasRefuseBrokenManifests(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, old, new string
		want           string
	}{
		{"misspelt field", "containerPort: 8084", "containrPort: 8084", "ports[0].containrPort"},
		{"string where a number belongs", "replicas: 2", `replicas: "2"`, "spec.replicas"},
		{"field at the wrong level", "      enableServiceLinks: false\n", "      enableServiceLinks: false\n      replicas: 2\n", "spec.template.spec.replicas"},
		{"required field left out", "        pathType: Prefix\n", "", "pathType"},
		{"kind that does not exist", "kind: PodDisruptionBudget", "kind: PodDisruptionBudgets", "PodDisruptionBudgets"},
		{"version that is gone", "apiVersion: policy/v1\n", "apiVersion: policy/v1beta1\n", "policy/v1beta1"},
	}
	good := string(render(t, filepath.Join("nova", "overlays", "staging")).yaml)
	files := map[string][]byte{}
	for _, tt := range tests {
		if !strings.Contains(good, tt.old) {
			t.Fatalf("%s: the render has no %q to break", tt.name, tt.old)
		}
		files[tt.name] = []byte(strings.Replace(good, tt.old, tt.new, 1))
	}
	results := validate(t, files)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if found := strings.Join(failures(results[tt.name]), "; "); !strings.Contains(found, tt.want) {
				t.Errorf("found %q, want something about %q", found, tt.want)
			}
		})
	}
}

func failures(statuses []metav1.Status) []string {
	var found []string
	for _, s := range statuses {
		if s.Status != metav1.StatusSuccess {
			found = append(found, s.Message)
		}
	}
	return found
}

// validate runs kubectl-validate, as tools/validate pins it, and gives its
// verdicts by file, one for each object. It needs no cluster. The first run
// builds the tool; later ones find it in Go's build cache. That it can not run
// fails the test: manifests that nobody looked at are not valid.
func validate(t *testing.T, files map[string][]byte) map[string][]metav1.Status {
	t.Helper()
	dir := t.TempDir()
	args := []string{"tool", "kubectl-validate", "--version", schemaVersion, "--output", "json"}
	for name, data := range files {
		file := filepath.Join(dir, name+".yaml")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, file)
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = filepath.Join("..", "tools", "validate")
	// The pinned module and nothing else decides; a test never edits its go.sum.
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	runErr := cmd.Run() // exit status 1 also when it works and finds mistakes
	var verdicts map[string][]metav1.Status
	if err := json.Unmarshal(stdout.Bytes(), &verdicts); err != nil {
		t.Fatalf("kubectl-validate did not run (%v): %v\n%s%s", runErr, err, &stdout, &stderr)
	}
	byName := map[string][]metav1.Status{}
	for file, statuses := range verdicts {
		byName[strings.TrimSuffix(filepath.Base(file), ".yaml")] = statuses
	}
	for name := range files {
		if len(byName[name]) == 0 {
			t.Fatalf("kubectl-validate says nothing about %s\n%s%s", name, &stdout, &stderr)
		}
	}
	return byName
}
