package build_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/proerror77/nova-staging/plugin/build"
)

func TestTheManagedByLabelDoesNotDependOnThisProgram(t *testing.T) {
	t.Parallel()
	got, err := run(t, tree(t, `
-- app/kustomization.yaml --
resources: [r.yaml]
buildMetadata: [managedByLabel]
-- app/r.yaml --
apiVersion: v1
kind: Service
metadata: {name: auth, labels: {z: "1", a: "1"}}
---
apiVersion: v1
kind: Service
metadata: {name: other}
`))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(got, "app.kubernetes.io/managed-by: kustomize-"+build.Release+"\n"); n != 2 {
		t.Errorf("%d objects have the label of %s, want 2:\n%s", n, build.Release, got)
	}
}

// The release's own go.mod says which library it is made of.
func TestTheReleaseIsThatOfTheLibrary(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", "sigs.k8s.io/kustomize/api").Output()
	if err != nil {
		t.Fatal(err)
	}
	// kustomize v5.8.2 requires api v0.21.2: when this fails, look up the release
	// whose go.mod requires the new version.
	if got := strings.TrimSpace(string(out)); got != "v0.21.2" {
		t.Errorf("kustomize/api is %s: name its release in place of %s", got, build.Release)
	}
}
