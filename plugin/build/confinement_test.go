package build_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/proerror77/nova-staging/plugin/build"
)

const sentinel = "s3ntinel"

// outside is what lies beside the repository: as many forms of file as a
// kustomization may name, each with the sentinel.
const outside = `
-- outside/kustomization.yaml --
resources: [secret.yaml]
-- outside/secret.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {key: s3ntinel}
-- outside/secret.txt --
s3ntinel=s3ntinel
-- outside/component/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
commonAnnotations: {a: s3ntinel}
-- outside/json.yaml --
- {op: add, path: /data/key, value: s3ntinel}
-- outside/replacement.yaml --
source: {kind: ConfigMap, fieldPath: metadata.name}
targets: [{select: {kind: ConfigMap}, fieldPaths: [data.s3ntinel], options: {create: true}}]
-- outside/crd.json --
{"s3ntinel": {}}
-- outside/fields.yaml --
commonAnnotations: [{path: s3ntinel, create: true}]
-- outside/generator.yaml --
apiVersion: builtin
kind: ConfigMapGenerator
metadata: {name: s3ntinel}
literals: [a=s3ntinel]
-- repo/app/settings.yaml --
` + configMap

func TestRunReadsNothingOutsideTheRepository(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"a resource above":                       "resources: [../../outside/secret.yaml]",
		"a base above":                           "resources: [../../outside]",
		"a deprecated base above":                "bases: [../../outside]",
		"a component above":                      "resources: [settings.yaml]\ncomponents: [../../outside/component]",
		"a way up through a folder":              "resources: [./sub/../../../outside/secret.yaml]",
		"a way up by a folder that is not there": "resources: [gone/../../../outside/secret.yaml]",
		"a patch":                                "resources: [settings.yaml]\npatches: [{path: ../../outside/secret.yaml}]",
		"a strategic merge patch":                "resources: [settings.yaml]\npatchesStrategicMerge: [../../outside/secret.yaml]",
		"a JSON patch":                           "resources: [settings.yaml]\npatchesJson6902: [{path: ../../outside/json.yaml, target: {version: v1, kind: ConfigMap, name: settings}}]",
		"a generated file":                       "configMapGenerator: [{name: a, files: [../../outside/secret.txt]}]",
		"a generated file with a key":            "configMapGenerator: [{name: a, files: [key=../../outside/secret.txt]}]",
		"a generated environment":                "configMapGenerator: [{name: a, envs: [../../outside/secret.txt]}]",
		"a generated secret":                     "secretGenerator: [{name: a, files: [../../outside/secret.txt]}]",
		"a deprecated environment":               "secretGenerator: [{name: a, env: ../../outside/secret.txt}]",
		"a configuration":                        "resources: [settings.yaml]\ncommonAnnotations: {a: b}\nconfigurations: [../../outside/fields.yaml]",
		"a CRD":                                  "resources: [settings.yaml]\ncrds: [../../outside/crd.json]",
		"an OpenAPI schema":                      "resources: [settings.yaml]\nopenapi: {path: ../../outside/crd.json}",
		"replacements":                           "resources: [settings.yaml]\nreplacements: [{path: ../../outside/replacement.yaml}]",
		"a generator":                            "generators: [../../outside/generator.yaml]",
		"a transformer":                          "resources: [settings.yaml]\ntransformers: [../../outside/generator.yaml]",
		"a validator":                            "resources: [settings.yaml]\nvalidators: [../../outside/generator.yaml]",
		"an inline PatchTransformer": `resources: [settings.yaml]
transformers:
- |-
  {apiVersion: builtin, kind: PatchTransformer, metadata: {name: p}, path: ../../outside/json.yaml, target: {kind: ConfigMap}}`,
		"an inline ReplacementTransformer": `resources: [settings.yaml]
transformers:
- |-
  {apiVersion: builtin, kind: ReplacementTransformer, metadata: {name: p}, replacements: [{path: ../../outside/replacement.yaml}]}`,
		"an inline ConfigMapGenerator": `generators:
- |-
  {apiVersion: builtin, kind: ConfigMapGenerator, metadata: {name: p}, files: [k=../../outside/secret.txt]}`,
		"an inline SecretGenerator": `generators:
- |-
  {apiVersion: builtin, kind: SecretGenerator, metadata: {name: p}, envs: [../../outside/secret.txt]}`,
		"a symlink to a file":                    "resources: [link.yaml]\n-- repo/app/link.yaml --\n-> ../../outside/secret.yaml",
		"a symlink to a symlink":                 "resources: [link.yaml]\n-- repo/app/link.yaml --\n-> other.yaml\n-- repo/app/other.yaml --\n-> ../../outside/secret.yaml",
		"a symlink to a folder":                  "resources: [link]\n-- repo/app/link --\n-> ../../outside",
		"a file below a symlink to a folder":     "resources: [link/secret.yaml]\n-- repo/app/link --\n-> ../../outside",
		"a symlink that is the kustomization":    "resources: [../base]\n-- repo/base/kustomization.yaml --\n-> ../../outside/kustomization.yaml",
		"a generated file that is a symlink":     "configMapGenerator: [{name: a, files: [link]}]\n-- repo/app/link --\n-> ../../outside/secret.txt",
		"a folder whose name begins as the root": "resources: [../../repository]\n-- repository/kustomization.yaml --\nresources: [s3ntinel.yaml]",
	}
	for name, kustomization := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := tree(t, outside+"-- repo/app/kustomization.yaml --\n"+kustomization+"\n")
			out, err := runWith(t, build.Options{Dir: filepath.Join(root, "repo", "app"), Root: filepath.Join(root, "repo")})
			refused(t, root, out, err)
			if !errors.Is(err, build.ErrOutside) {
				t.Errorf("got %v, want ErrOutside", err)
			}
		})
	}
	absolute := map[string]string{
		"an absolute resource":       "resources: [%/secret.yaml]",
		"an absolute base":           "resources: [%]",
		"an absolute patch":          "resources: [settings.yaml]\npatches: [{path: %/secret.yaml}]",
		"an absolute generated file": "configMapGenerator: [{name: a, files: [k=%/secret.txt]}]",
		"an absolute symlink":        "resources: [link.yaml]\n-- repo/app/link.yaml --\n-> %/secret.yaml",
	}
	for name, kustomization := range absolute {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := tree(t, outside)
			kustomization := strings.ReplaceAll(kustomization, "%", filepath.Join(root, "outside"))
			for _, f := range txtar.Parse([]byte("-- repo/app/kustomization.yaml --\n" + kustomization + "\n")).Files {
				write(t, filepath.Join(root, f.Name), string(f.Data))
			}
			out, err := runWith(t, build.Options{Dir: filepath.Join(root, "repo", "app"), Root: filepath.Join(root, "repo")})
			refused(t, root, out, err)
			if !errors.Is(err, build.ErrOutside) {
				t.Errorf("got %v, want ErrOutside", err)
			}
		})
	}
}

// refused checks that a build failed and said nothing of what lies outside, nor
// where the repository happens to be.
func refused(t *testing.T, root, out string, err error) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, output:\n%s", out)
	}
	text := err.Error()
	if strings.Contains(strings.ReplaceAll(text, "s3ntinel.yaml", ""), sentinel) {
		t.Errorf("the error tells what is outside: %s", text)
	}
	if strings.Contains(text, root) {
		t.Errorf("the error tells the temporary folder: %s", text)
	}
	if strings.Contains(text, "\n") {
		t.Errorf("the error has several lines: %s", text)
	}
}

func TestRunReadsEveryPartOfTheRepository(t *testing.T) {
	t.Parallel()
	const archive = `
-- app/kustomization.yaml --
resources: [settings.yaml]
-- app/settings.yaml --
` + configMap
	cases := map[string]func(t *testing.T, root string) build.Options{
		"Root is the folder itself": func(_ *testing.T, root string) build.Options {
			return build.Options{Dir: filepath.Join(root, "app"), Root: filepath.Join(root, "app")}
		},
		"Root is a symlink": func(t *testing.T, root string) build.Options {
			link := filepath.Join(t.TempDir(), "link")
			write(t, link, "-> "+root)
			return build.Options{Dir: filepath.Join(link, "app"), Root: link}
		},
		"Dir goes through a symlink, and Root does not": func(t *testing.T, root string) build.Options {
			link := filepath.Join(t.TempDir(), "link")
			write(t, link, "-> "+root)
			return build.Options{Dir: filepath.Join(link, "app"), Root: root}
		},
		"Root ends in a slash": func(_ *testing.T, root string) build.Options {
			return build.Options{Dir: root + "/app/", Root: root + "/"}
		},
		"Root is the file system's": func(_ *testing.T, root string) build.Options {
			return build.Options{Dir: filepath.Join(root, "app"), Root: "/"}
		},
		"there is no Root": func(_ *testing.T, root string) build.Options {
			return build.Options{Dir: filepath.Join(root, "app")}
		},
	}
	for name, options := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := runWith(t, options(t, tree(t, archive)))
			if err != nil {
				t.Fatal(err)
			}
			if out != "apiVersion: v1\ndata:\n  key: value\nkind: ConfigMap\nmetadata:\n  name: settings\n" {
				t.Errorf("got %s", out)
			}
		})
	}
}

func TestRunRefusesAFolderOutsideTheRepository(t *testing.T) {
	t.Parallel()
	root := tree(t, outside+"-- repo/x --\n")
	out, err := runWith(t, build.Options{Dir: filepath.Join(root, "outside"), Root: filepath.Join(root, "repo")})
	refused(t, root, out, err)
	if !errors.Is(err, build.ErrOutside) {
		t.Errorf("got %v, want ErrOutside", err)
	}
}

func TestRunWithoutRootStillKeepsFilesWithinTheirKustomization(t *testing.T) {
	t.Parallel()
	root := tree(t, outside+"-- repo/app/kustomization.yaml --\nresources: [../../outside/secret.yaml]\n")
	out, err := runWith(t, build.Options{Dir: filepath.Join(root, "repo", "app")})
	if err == nil || strings.Contains(err.Error(), sentinel) {
		t.Errorf("got %v and %s", err, out)
	}
}

func TestRunReadsNoDeviceAndNoPipe(t *testing.T) {
	t.Parallel()
	root := tree(t, "-- app/kustomization.yaml --\nresources: [device.yaml]\n-- app/device.yaml --\n-> /dev/zero\n")
	out, err := run(t, root)
	refused(t, root, out, err)

	root = tree(t, "-- app/kustomization.yaml --\nresources: [pipe.yaml]\n")
	if err := syscall.Mkfifo(filepath.Join(root, "app", "pipe.yaml"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err = run(t, root)
	refused(t, root, out, err)
	if err != nil && !strings.Contains(err.Error(), "app/pipe.yaml is not a regular file") {
		t.Errorf("got %v", err)
	}
}

func TestRunWritesNothing(t *testing.T) {
	t.Parallel()
	root := tree(t, "-- app/kustomization.yaml --\nresources: [settings.yaml]\n-- app/settings.yaml --\n"+configMap)
	before := list(t, root)
	if _, err := run(t, root); err != nil {
		t.Fatal(err)
	}
	if after := list(t, root); after != before {
		t.Errorf("the repository was\n%s\nand is\n%s", before, after)
	}
}

func list(t testing.TB, root string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		b.WriteString(strings.TrimPrefix(path, root) + " " + info.Mode().String() + " " + info.ModTime().String() + "\n")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
