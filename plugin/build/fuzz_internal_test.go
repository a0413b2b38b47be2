package build

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

func setMemoryLimit(n int64) int64 { return debug.SetMemoryLimit(n) }

// checkEstimate compares the estimate of a text with its parse: what is not
// parsed must be small and flat.
func checkEstimate(t *testing.T, data []byte) {
	t.Helper()
	for _, d := range documents(utf8Of(data)) {
		values, suspicious := estimate(d)
		var n yaml.Node
		if err := yaml.NewDecoder(bytes.NewReader(d)).Decode(&n); err != nil {
			continue
		}
		count, depth, aliases := measure(&n)
		if count > 3*values+5 {
			t.Errorf("%q holds %d values, estimated %d", d, count, values)
		}
		if !suspicious && depth > maxDepth+1 {
			t.Errorf("%q is %d deep and not suspicious", d, depth)
		}
		if !suspicious && aliases {
			t.Errorf("%q has an alias and is not suspicious", d)
		}
	}
}

func measure(n *yaml.Node) (count, depth int, aliases bool) {
	count, aliases = 1, n.Kind == yaml.AliasNode
	for _, c := range n.Content {
		inner, d, a := measure(c)
		count += inner
		depth = max(depth, d)
		aliases = aliases || a
	}
	return count, depth + 1, aliases
}

func FuzzEstimate(f *testing.F) {
	for _, s := range []string{"a: b\n", "- - a\n", "[a,{b: c}]", "a: &a [*a]\n", "? - a\n", "\"a\\x26\": b", "a:\u2028b: c", "---\n- |\n a\n", "{? a : b, c}"} {
		f.Add([]byte(s))
	}
	f.Add([]byte("x: " + strings.Repeat("[", 150) + strings.Repeat("]", 150)))
	f.Fuzz(func(t *testing.T, data []byte) { checkEstimate(t, data) })
}

// FuzzRun gives kustomize any kustomization and any resource: it may refuse, and
// neither panic, hang, nor write.
func FuzzRun(f *testing.F) {
	resource := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: b}\n"
	for _, k := range []string{
		"resources: [r.yaml]\n", "resources: [r.yaml]\npatches: [{path: r.yaml}]\n", "bases: [..]\n", "resources: [r.yaml]\nnamePrefix: a-\ncommonLabels: {a: b}\n",
		"configMapGenerator: [{name: a, files: [k=r.yaml], envs: [r.yaml]}]\n", "resources: [r.yaml]\nreplacements: [{path: r.yaml}]\n", "crds: [r.yaml]\n",
		"resources: [r.yaml]\ntransformers: [r.yaml]\n", "generators: [r.yaml]\n", "resources: [r.yaml]\nconfigurations: [r.yaml]\nopenapi: {path: r.yaml}\n",
		"resources: [r.yaml]\nimages: [{name: a, newTag: b}]\nreplicas: [{name: x, count: 1}]\n", "resources: ['git@h:a/b']\n", "resources: [r.yaml]\nvars: [{name: A, objref: {kind: ConfigMap, name: x}}]\n",
	} {
		f.Add([]byte(k), []byte(resource))
	}
	root := f.TempDir()
	dir := filepath.Join(root, "app")
	if err := os.Mkdir(dir, 0o700); err != nil {
		f.Fatal(err)
	}
	f.Setenv("PATH", "")
	f.Fuzz(func(t *testing.T, kustomization, resource []byte) {
		if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), kustomization, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "r.yaml"), resource, 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		r, err := Run(ctx, Options{Dir: dir, Root: root})
		if ctx.Err() != nil {
			t.Fatal("it hangs")
		}
		if err == nil {
			if _, err := r.Objects.AsYaml(); err != nil {
				t.Logf("encode: %s", err)
			}
		} else if strings.Contains(err.Error(), root) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "no 'git' program") {
			t.Errorf("got %q", err)
		}
		for _, folder := range []string{root, dir} {
			entries, err := os.ReadDir(folder)
			if err != nil {
				t.Fatal(err)
			}
			if want := map[string]int{root: 1, dir: 2}[folder]; len(entries) != want {
				t.Errorf("%s holds %v", folder, entries)
			}
		}
	})
}
