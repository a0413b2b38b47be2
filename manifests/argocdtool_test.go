package manifests_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// argoCDTool is tools/argocd, built once: Argo CD's own libraries, in a module of
// their own. It stays in Go's cache; the file goes with the test's process.
var argoCDTool = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "argocd-tool")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "argocd")
	cmd := exec.Command("go", "build", "-o", file, ".")
	cmd.Dir = filepath.Join("..", "tools", "argocd")
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build tools/argocd: %w\n%s", err, out)
	}
	return file, nil
})

func TestMain(m *testing.M) {
	status := m.Run()
	if file, err := argoCDTool(); err == nil {
		os.RemoveAll(filepath.Dir(file))
	}
	os.Exit(status)
}

// askArgoCD asks tools/argocd what Argo CD would do.
func askArgoCD(t *testing.T, what string, question, answer any) {
	t.Helper()
	file, err := argoCDTool()
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(question)
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), file, what)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(data), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	// The engine logs what it can not evaluate, and goes on.
	if stderr.Len() > 0 {
		t.Errorf("it says:\n%s", &stderr)
	}
	if err := json.Unmarshal(stdout.Bytes(), answer); err != nil {
		t.Fatalf("%v: %s", err, &stdout)
	}
}

// onStock renders components of argocd/ on objects of a stock Argo CD.
func onStock(t *testing.T, stock string, components ...string) *rendered {
	t.Helper()
	fs := filesys.MakeFsInMemory()
	write := func(name, text string) {
		if err := fs.WriteFile(name, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	list := ""
	for _, c := range components {
		files, err := filepath.Glob(filepath.Join("argocd", c, "*.*"))
		if err != nil || len(files) == 0 {
			t.Fatal(c, files, err)
		}
		for _, f := range files {
			write("/"+filepath.Join("component", c, filepath.Base(f)), read(t, f))
		}
		list += "- ../" + filepath.Join("component", c) + "\n"
	}
	write("/install/stock.yaml", stock)
	write("/install/kustomization.yaml", "namespace: argocd\nresources: [stock.yaml]\ncomponents:\n"+list)
	r, err := build(fs, "/install")
	if err != nil {
		t.Fatal(err)
	}
	return r
}
