package build_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/proerror77/nova-staging/plugin/build"
)

// Each archive in testdata/failures is a repository whose folder app does not
// build; its file want is the message. With -update it is written anew.
func TestRunSaysInOneLineWhatIsWrongAndWhere(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/failures/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("found %d archives: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var want string
			files := archive.Files[:0]
			for _, f := range archive.Files {
				if f.Name == "want" {
					want = string(f.Data)
				} else {
					files = append(files, f)
				}
			}
			archive.Files = files
			var got string
			for range 2 { // in two temporary folders: the bytes are the same each time
				root := tree(t, string(txtar.Format(archive)))
				out, err := run(t, root)
				refused(t, root, out, err)
				if strings.Contains(err.Error(), "hunter2") {
					t.Errorf("the error tells a secret: %s", err)
				}
				if got != "" && got != err.Error() {
					t.Errorf("got %q, and %q before", err, got)
				}
				got = err.Error()
			}
			if *update {
				archive.Files = append(archive.Files, txtar.File{Name: "want", Data: []byte(got + "\n")})
				if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got+"\n" != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestRunWithoutRootNamesPathsFromTheKustomization(t *testing.T) {
	t.Parallel()
	root := tree(t, "-- base/kustomization.yaml --\nresources: [gone.yaml]\n-- app/kustomization.yaml --\nresources: [../base]\n")
	dir := filepath.Join(root, "app")
	_, err := runWith(t, build.Options{Dir: dir})
	if err == nil {
		t.Fatal("no error")
	}
	want := "kustomize build of " + dir + ": ../base/gone.yaml does not exist, and ../base/kustomization.yaml names it"
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
}
