package build_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/proerror77/nova-staging/plugin/build"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) {
	code := m.Run()
	if peerFolder != "" {
		_ = os.RemoveAll(peerFolder)
	}
	os.Exit(code)
}

var peerFolder string

// peer builds the kustomize CLI that bench/peers pins, once.
var peer = sync.OnceValues(func() (string, error) {
	var err error
	if peerFolder, err = os.MkdirTemp("", "kustomize-cli-"); err != nil {
		return "", err
	}
	binary := filepath.Join(peerFolder, "kustomize")
	cmd := exec.Command("go", "build", "-o", binary, "sigs.k8s.io/kustomize/kustomize/v5")
	cmd.Dir = filepath.Join("..", "..", "bench", "peers")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return binary, nil
})

// kustomize runs the CLI's build.
func kustomize(t *testing.T, dir string) ([]byte, error) {
	t.Helper()
	binary, err := peer()
	if err != nil {
		t.Fatalf("build the kustomize CLI of bench/peers: %s", err)
	}
	cmd := exec.Command(binary, "build", dir)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, errors.New(stderr.String())
	}
	return stdout.Bytes(), nil
}

// tree writes the files of an archive into a new folder. A file whose content is
// "-> target" becomes a symlink.
func tree(t testing.TB, archive string) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range txtar.Parse([]byte(archive)).Files {
		write(t, filepath.Join(root, f.Name), string(f.Data))
	}
	return root
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	var err error
	if target, ok := strings.CutPrefix(strings.TrimSpace(content), "-> "); ok {
		err = os.Symlink(target, path)
	} else {
		err = os.WriteFile(path, []byte(content), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// run builds the folder app of a repository and gives the YAML.
func run(t testing.TB, root string) (string, error) {
	t.Helper()
	return runWith(t, build.Options{Dir: filepath.Join(root, "app"), Root: root})
}

func runWith(t testing.TB, o build.Options) (string, error) {
	t.Helper()
	r, err := build.Run(context.Background(), o)
	if err != nil {
		return "", err
	}
	out, err := r.Objects.AsYaml()
	if err != nil {
		t.Fatalf("encode: %s", err)
	}
	return string(out), nil
}

const configMap = `apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  key: value
`
