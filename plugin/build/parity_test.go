package build_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// Each archive in testdata/parity is a repository whose folder app is built here
// and by the kustomize CLI. A first line "differs: …" says that kustomize/api
// v0.21.2 here and v0.21.1 in the CLI render it differently, and why.
func TestRunRendersTheSameBytesAsTheKustomizeCLI(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/parity/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("found %d archives: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			why, differs := strings.CutPrefix(string(txtar.Parse(data).Comment), "differs: ")
			root := tree(t, string(data))
			want, err := kustomize(t, filepath.Join(root, "app"))
			if err != nil {
				t.Fatalf("the CLI: %s", err)
			}
			got, err := run(t, root)
			if err != nil {
				t.Fatal(err)
			}
			diff := cmp.Diff(string(want), got)
			if diff != "" && !differs {
				t.Errorf("the CLI (-) and this package (+):\n%s", diff)
			}
			if diff == "" && differs {
				t.Errorf("both render the same, although %s", why)
			}
		})
	}
}
