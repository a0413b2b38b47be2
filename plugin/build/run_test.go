package build_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sigs.k8s.io/kustomize/api/types"

	"github.com/proerror77/nova-staging/plugin/build"
)

const panics = "-- app/kustomization.yaml --\nresources: [r.yaml]\ncrds: [empty.yaml]\n-- app/empty.yaml --\n-- app/r.yaml --\n" + configMap

func TestRunLeavesTheProcessAsItWas(t *testing.T) {
	// Not parallel: it looks at what a build changes meanwhile.
	cases := map[string]string{
		"after a build":         "-- app/kustomization.yaml --\nbases: [../base]\n-- base/kustomization.yaml --\nresources: [r.yaml]\n-- base/r.yaml --\n" + configMap,
		"after an error":        "-- app/kustomization.yaml --\nresources: [gone.yaml]\n",
		"after a panic":         panics,
		"after a remote one":    "-- app/kustomization.yaml --\nresources: ['https://example.com/a/b']\n",
		"without kustomization": "-- app/x --\n",
	}
	for name, archive := range cases {
		t.Run(name, func(t *testing.T) {
			root := tree(t, archive)
			stderr, transport, writer, flags, temp := os.Stderr, http.DefaultTransport, log.Writer(), log.Flags(), os.Getenv("TMPDIR")
			_, err := build.Run(context.Background(), build.Options{Dir: filepath.Join(root, "app"), Root: root, AllowRemote: name == "after a panic"})
			if (err == nil) != (name == "after a build") {
				t.Errorf("got %v", err)
			}
			if os.Stderr != stderr || http.DefaultTransport != transport || log.Writer() != writer || log.Flags() != flags || os.Getenv("TMPDIR") != temp {
				t.Error("the build left something changed")
			}
		})
	}
}

func TestRunGivesWarningsOnceAndTheSameEachTime(t *testing.T) {
	t.Parallel()
	root := tree(t, "-- app/kustomization.yaml --\nbases: [../a, ../b]\nvars: [{name: UNUSED, objref: {apiVersion: v1, kind: ConfigMap, name: only}}]\n"+
		"-- a/kustomization.yaml --\nbases: [../c]\nresources: [only.yaml]\n-- b/kustomization.yaml --\nnamePrefix: x-\nbases: [../c]\n-- c/kustomization.yaml --\nresources: [r.yaml]\n-- c/r.yaml --\n"+configMap+
		"-- a/only.yaml --\n{apiVersion: v1, kind: ConfigMap, metadata: {name: only}}\n")
	root2 := tree(t, "-- app/kustomization.yaml --\nresources: [r.yaml]\n-- app/r.yaml --\n"+configMap)
	first, err := build.Run(context.Background(), build.Options{Dir: filepath.Join(root, "app"), Root: root})
	if err != nil {
		t.Fatal(err)
	}
	second, err := build.Run(context.Background(), build.Options{Dir: filepath.Join(root, "app"), Root: root})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first.Warnings, second.Warnings); diff != "" {
		t.Error(diff)
	}
	if len(first.Warnings) != 3 {
		t.Errorf("got %d warnings, want one for bases, vars and the unused variable:\n%s", len(first.Warnings), strings.Join(first.Warnings, "\n"))
	}
	third, err := build.Run(context.Background(), build.Options{Dir: filepath.Join(root2, "app"), Root: root2})
	if err != nil || len(third.Warnings) > 0 {
		t.Errorf("got %v and %q of a build without any", err, third.Warnings)
	}
}

func TestRunsDoNotDisturbEachOther(t *testing.T) {
	t.Parallel()
	// The second has a schema of its own, which kustomize keeps in global state;
	// the third panics.
	archives := make([]string, 0, 3)
	for _, name := range []string{"the-same-kind-without-its-schema", "a-custom-openapi-schema"} {
		data, err := os.ReadFile(filepath.Join("testdata", "parity", name+".txtar"))
		if err != nil {
			t.Fatal(err)
		}
		archives = append(archives, string(data))
	}
	archives = append(archives, panics)
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[int]map[string]bool{}
	for i := range 12 {
		wg.Go(func() {
			kind := i % len(archives)
			out, err := run(t, tree(t, archives[kind]))
			mu.Lock()
			defer mu.Unlock()
			if got[kind] == nil {
				got[kind] = map[string]bool{}
			}
			got[kind][fmt.Sprint(out, err)] = true
		})
	}
	wg.Wait()
	for kind, outputs := range got {
		if len(outputs) != 1 {
			t.Errorf("kind %d rendered in %d ways", kind, len(outputs))
		}
	}
}

// slow is a kustomization that kustomize works on for a second: it compares every
// object with every other.
func slow(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for i := range 1500 {
		fmt.Fprintf(&b, "{apiVersion: v1, kind: ConfigMap, metadata: {name: c%d}}\n---\n", i)
	}
	return tree(t, "-- app/kustomization.yaml --\nresources: [r.yaml]\n-- app/r.yaml --\n"+b.String())
}

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	root := slow(t)
	for name, c := range map[string]struct {
		ctx  func() (context.Context, context.CancelFunc)
		want error
	}{
		"that is cancelled before": {func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			return ctx, cancel
		}, context.Canceled},
		"whose deadline passes": {func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), 50*time.Millisecond)
		}, context.DeadlineExceeded},
		"whose deadline passes soon": {func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), time.Nanosecond)
		}, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := c.ctx()
			defer cancel()
			start := time.Now()
			r, err := build.Run(ctx, build.Options{Dir: filepath.Join(root, "app"), Root: root})
			if took := time.Since(start); took > time.Second*slowdown {
				t.Errorf("it took %s", took)
			}
			if r != nil || !errors.Is(err, c.want) || !errors.Is(err, build.ErrBuild) {
				t.Errorf("got %v, %v", r, err)
			}
		})
	}
}

func TestRunCollectsTheImageFieldsOfEveryConfiguration(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"in the folder":                          "configurations: [c.yaml]\n-- app/c.yaml --\nimages: [{path: spec/image}]",
		"in a folder below":                      "configurations: [x/c.yaml]\n-- app/x/c.yaml --\nimages: [{path: spec/image}]",
		"that is a symlink":                      "configurations: [c.yaml]\n-- app/c.yaml --\n-> x/real.yaml\n-- app/x/real.yaml --\nimages: [{path: spec/image}]",
		"below a folder that is a symlink":       "configurations: [x/c.yaml]\n-- app/x --\n-> y\n-- app/y/c.yaml --\nimages: [{path: spec/image}]",
		"of a base":                              "resources: [../base]\n-- base/kustomization.yaml --\nresources: [r.yaml]\nconfigurations: [c.yaml]\n-- base/c.yaml --\nimages: [{path: spec/image}]\n-- base/r.yaml --\n" + configMap,
		"of a base whose file is a symlink":      "resources: [../base]\n-- base/kustomization.yaml --\n-> x/k.yaml\n-- base/x/k.yaml --\nresources: [r.yaml]\nconfigurations: [c.yaml]\n-- base/c.yaml --\nimages: [{path: spec/image}]\n-- base/r.yaml --\n" + configMap,
		"of a component":                         "components: [../base]\n-- base/kustomization.yaml --\napiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nconfigurations: [c.yaml]\n-- base/c.yaml --\nimages: [{path: spec/image}]",
		"in JSON":                                "configurations: [c.json]\n-- app/c.json --\n{\"images\": [{\"path\": \"spec/image\"}]}",
		"that is an image transformer":           "transformers: [t.yaml]\n-- app/t.yaml --\n{apiVersion: builtin, kind: ImageTagTransformer, metadata: {name: t}, imageTag: {name: x}, fieldSpecs: [{path: spec/image}]}",
		"that is an inline image transformer":    "transformers:\n- |-\n  {apiVersion: builtin, kind: ImageTagTransformer, metadata: {name: t}, imageTag: {name: x}, fieldSpecs: [{path: spec/image}]}",
		"that is the second one in a file":       "transformers: [t.yaml]\n-- app/t.yaml --\n{apiVersion: builtin, kind: PrefixTransformer, metadata: {name: p}, prefix: a-, fieldSpecs: [{path: metadata/name}]}\n---\n{apiVersion: builtin, kind: ImageTagTransformer, metadata: {name: t}, imageTag: {name: x}, fieldSpecs: [{path: spec/image}]}",
		"with other sections that kustomize has": "configurations: [c.yaml]\n-- app/c.yaml --\nnamePrefix: [{path: metadata/name}]\nimages: [{path: spec/image}]",
	}
	for name, kustomization := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := tree(t, "-- app/settings.yaml --\n"+strings.Replace(configMap, "settings", "other", 1)+"-- app/kustomization.yaml --\n"+strings.Replace("resources: [settings.yaml]\n"+kustomization, "resources: [settings.yaml]\nresources: [../base]", "resources: [settings.yaml, ../base]", 1)+"\n")
			r, err := build.Run(context.Background(), build.Options{Dir: filepath.Join(root, "app"), Root: root})
			if err != nil {
				t.Fatal(err)
			}
			if want := (types.FsSlice{{Path: "spec/image"}}); !slices.Equal(r.ImageFields, want) {
				t.Errorf("got %v, want %v", r.ImageFields, want)
			}
		})
	}
}

func TestCheckSaysWhetherAFolderHoldsAKustomization(t *testing.T) {
	t.Parallel()
	root := tree(t, "-- a/kustomization.yaml --\n-- b/kustomization.yml --\n-- c/Kustomization --\n-- d/other.yaml --\n")
	for dir, want := range map[string]string{
		"a": "", "b": "", "c": "",
		"d":            "no kustomization in ROOT/d: want a kustomization.yaml there",
		"e":            "no kustomization: ROOT/e: no such file or directory",
		"d/other.yaml": "no kustomization: ROOT/d/other.yaml is a file, want the folder of a kustomization",
	} {
		err := build.Check(filepath.Join(root, dir))
		if want == "" {
			if err != nil {
				t.Errorf("%s: %s", dir, err)
			}
			continue
		}
		if err == nil || err.Error() != strings.ReplaceAll(want, "ROOT", root) || !errors.Is(err, build.ErrNoKustomization) {
			t.Errorf("%s: got %v, want %s", dir, err, want)
		}
	}
}
