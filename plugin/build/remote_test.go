package build_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/proerror77/nova-staging/plugin/build"
)

// server answers every request with an object, and counts them.
func server(t *testing.T) (url string, requests *atomic.Int32) {
	t.Helper()
	requests = new(atomic.Int32)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if strings.HasSuffix(r.URL.Path, "/fields.yaml") {
			fmt.Fprintln(w, "images: [{path: spec/image, kind: Task}]")
			return
		}
		fmt.Fprint(w, configMap)
	}))
	t.Cleanup(s.Close)
	return s.URL, requests
}

// fakeGit puts a git first in PATH, and alone, that leaves a mark when it runs.
func fakeGit(t *testing.T) (mark string) {
	t.Helper()
	dir := t.TempDir()
	mark = filepath.Join(dir, "started")
	script := "#!/bin/sh\necho \"$@\" >> " + mark + "\nexit 1\n"
	if err := os.WriteFile(filepath.Join(dir, "git"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	return mark
}

func TestRunFetchesNothing(t *testing.T) {
	mark := fakeGit(t)
	url, requests := server(t)
	repository := t.TempDir()
	const settings = "\nresources: [settings.yaml]"
	cases := map[string]string{
		"a resource over HTTPS":               "resources: ['https://example.com/org/repo']",
		"a resource over HTTP":                "resources: ['URL/r.yaml']",
		"a resource over HTTP in capitals":    "resources: ['CAPS/r.yaml']",
		"a resource with a query":             "resources: ['URL/org/repo?ref=main&timeout=9s']",
		"a resource with a user":              "resources: ['https://me:hunter2@example.com/org/repo']",
		"a base over HTTPS":                   "bases: ['https://example.com/org/repo//base']",
		"a component over HTTPS":              "components: ['https://example.com/org/repo//base']",
		"a repository by SSH":                 "resources: ['ssh://git@example.com/org/repo']",
		"a repository by user and host":       "resources: ['git@example.com:org/repo.git']",
		"a repository of another user":        "resources: ['me@example.com:org/repo.git']",
		"a repository by user and slash":      "resources: ['me@example.com/org/repo']",
		"a repository of one segment":         "resources: ['me@example.com:repo.git']",
		"a repository of GitHub":              "resources: ['github.com/org/repo']",
		"a repository of GitHub in capitals":  "resources: ['GitHub.com/org/repo?ref=v1']",
		"a repository of GitHub by colon":     "resources: ['github.com:org/repo']",
		"a forced git repository":             "resources: ['git::https://example.com/org/repo']",
		"a forced git repository of GitHub":   "resources: ['git::github.com/org/repo']",
		"a forced git repository by user":     "resources: ['git::me@example.com:org/repo']",
		"a forced git repository in capitals": "resources: ['GIT::ssh://example.com/org/repo']",
		"a repository of this machine":        "resources: ['file://" + repository + "']",
		"one of this machine in capitals":     "resources: ['FILE://" + repository + "//sub']",
		"a repository with a line break":      "resources:\n- |\n  file://" + repository + "//sub\n",
		"one with a line break in the user":   "resources:\n- \"me@example.com:org/re\\npo\"",
		"a generator":                         "generators: ['URL/g.yaml']",
		"a generator from git":                "generators: ['git@example.com:org/repo.git']",
		"a transformer":                       "transformers: ['URL/t.yaml']" + settings,
		"a validator":                         "validators: ['URL/t.yaml']" + settings,
		"a configuration":                     "configurations: ['URL/c.yaml']" + settings,
		"a CRD":                               "crds: ['URL/c.json']" + settings,
		"an OpenAPI schema":                   "openapi: {path: 'URL/c.json'}" + settings,
		"a patch":                             "patches: [{path: 'URL/p.yaml'}]" + settings,
		"a strategic merge patch":             "patchesStrategicMerge: ['URL/p.yaml']" + settings,
		"a JSON patch":                        "patchesJson6902: [{path: 'URL/p.yaml', target: {version: v1, kind: ConfigMap, name: settings}}]" + settings,
		"replacements":                        "replacements: [{path: 'URL/r.yaml'}]" + settings,
		"a generated file":                    "configMapGenerator: [{name: a, files: ['URL/f']}]",
		"a generated file with a key":         "configMapGenerator: [{name: a, files: ['k=URL/f']}]",
		"a generated environment":             "secretGenerator: [{name: a, envs: ['URL/f']}]",
		"a deprecated environment":            "secretGenerator: [{name: a, env: 'URL/f'}]",
		"an inline generator":                 "generators:\n- |-\n  {apiVersion: builtin, kind: ConfigMapGenerator, metadata: {name: a}, files: ['k=URL/f']}",
		"an inline transformer":               "transformers:\n- |-\n  {apiVersion: builtin, kind: PatchTransformer, metadata: {name: a}, path: 'URL/f', target: {kind: ConfigMap}}" + settings,
		"an inline replacement":               "transformers:\n- |-\n  {apiVersion: builtin, kind: ReplacementTransformer, metadata: {name: a}, replacements: [{path: 'URL/f'}]}" + settings,
		"a generator in a file":               "generators: [g.yaml]\n-- app/g.yaml --\n{apiVersion: builtin, kind: ConfigMapGenerator, metadata: {name: a}, envs: ['URL/f']}",
		"a base's resource":                   "resources: [../base]\n-- base/kustomization.yaml --\nresources: ['URL/r.yaml']",
		"a base whose file is a symlink":      "resources: [../base]\n-- base/kustomization.yaml --\n-> k.yaml\n-- base/k.yaml --\nresources: ['git@example.com:org/repo.git']",
		"a path that a patch writes": `generators: [../gen]
-- gen/kustomization.yaml --
resources: [g.yaml]
patches:
- target: {kind: ConfigMapGenerator}
  patch: |-
    - {op: add, path: /files, value: ["k=URL/f"]}
-- gen/g.yaml --
{apiVersion: builtin, kind: ConfigMapGenerator, metadata: {name: a}}`,
	}
	for name, kustomization := range cases {
		t.Run(name, func(t *testing.T) {
			kustomization = strings.NewReplacer("URL", url, "CAPS", strings.Replace(url, "http", "HTTP", 1)).Replace(kustomization)
			root := tree(t, "-- app/settings.yaml --\n"+configMap+"-- app/kustomization.yaml --\n"+kustomization+"\n")
			out, err := run(t, root)
			refused(t, root, out, err)
			if !errors.Is(err, build.ErrRemote) {
				t.Errorf("got %v, want ErrRemote", err)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error tells a password: %s", err)
			}
		})
	}
	if n := requests.Load(); n > 0 {
		t.Errorf("%d requests were made", n)
	}
	if ran, err := os.ReadFile(mark); err == nil {
		t.Errorf("git was started: %s", ran)
	}
}

func TestRunTakesALocalFileForAFileWhateverItsName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"app@v2.yaml", "app@v2/settings.yaml", "https.yaml", "http/settings.yaml", "github.com.yaml", "git.yaml", "ssh/x.yaml"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := tree(t, "-- app/"+name+" --\n"+configMap+"-- app/kustomization.yaml --\nresources: ['"+name+"']\n")
			if _, err := run(t, root); err != nil {
				t.Error(err)
			}
		})
	}
}

// kustomizeClones says whether kustomize itself takes a path for a repository to
// clone: with no git in PATH it fails there and nowhere before.
func kustomizeClones(path string) bool {
	_, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsInMemory(), path)
	return err != nil && strings.Contains(err.Error(), "no 'git' program on path")
}

func FuzzEveryPathThatKustomizeWouldCloneIsRefused(f *testing.F) {
	f.Setenv("PATH", "")
	log.SetOutput(io.Discard) // kustomize warns of git::
	f.Cleanup(func() { log.SetOutput(os.Stderr) })
	for _, s := range []string{
		"../base", "https://example.com/org/repo", "git@example.com:org/repo.git", "github.com/org/repo//x?ref=v1",
		"git::https://a/b/c", "GIT::GITHUB.COM:org/repo", "file:///tmp/x", "ssh://a/b/c", "me@host/a/b", "me@host:a/_git/b",
		"app@v2.yaml", "a@b/c", "me@host:a.git", "me@host:a//b\n", "http:x", " https://a/b/c", "user@github.com/a/b",
		"me@:a/b", "me@/a/b", "me@host?x:/a/b", "me@host:a?b/c", "git::me@h/a/b", "git::git::https://a/b/c", "me@\n:a/b", "file://\n//x",
		"file:a/b/c", "https:/a/b/c", "ftp://a/b/c", "s3::https://a/b/c", "me@a@b:c/d", "1me@host:a/b", "gh:org/repo", "git@github.com:a/b",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if kustomizeClones(path) && !build.RemoteRepository(path) {
			t.Errorf("kustomize clones %q and it is not refused", path)
		}
	})
}

func TestRunFetchesWhereItIsAllowed(t *testing.T) {
	url, requests := server(t)
	root := tree(t, "-- app/kustomization.yaml --\nresources: [task.yaml, '"+url+"/r.yaml']\nconfigurations: ['"+url+"/fields.yaml']\n-- app/task.yaml --\n{apiVersion: a/v1, kind: Task, metadata: {name: t}, spec: {image: x}}\n")
	r, err := build.Run(context.Background(), build.Options{Dir: filepath.Join(root, "app"), Root: root, AllowRemote: true})
	if err != nil {
		t.Fatal(err)
	}
	if r.Objects.Size() != 2 || requests.Load() == 0 {
		t.Errorf("got %d objects by %d requests", r.Objects.Size(), requests.Load())
	}
	if len(r.ImageFields) == 0 || r.ImageFields[0].Path != "spec/image" {
		t.Errorf("the fields of the fetched configuration are %v", r.ImageFields)
	}
}

func TestRunRefusesAFetchedBomb(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/endless.yaml" {
			for line := []byte(strings.Repeat("# endless\n", 1000)); ; {
				if _, err := w.Write(line); err != nil {
					return
				}
			}
		}
		fmt.Fprint(w, billionLaughs)
	}))
	t.Cleanup(s.Close)
	for _, path := range []string{"/endless.yaml", "/laughs.yaml"} {
		root := tree(t, "-- app/kustomization.yaml --\nresources: ['"+s.URL+path+"']\n")
		_, err := runWith(t, build.Options{Dir: filepath.Join(root, "app"), Root: root, AllowRemote: true})
		if !errors.Is(err, build.ErrTooLarge) {
			t.Errorf("%s: got %v, want ErrTooLarge", path, err)
		}
	}
}

// repository makes a git repository of an archive.
func repository(t *testing.T, archive string) string {
	t.Helper()
	root := tree(t, archive)
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "x"}} {
		cmd := exec.Command("git", args...)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %s: %s", args, err, out)
		}
	}
	return root
}

func TestRunClonesWhereItIsAllowed(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git")
	}
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	write(t, filepath.Join(temp, "secret.yaml"), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "+sentinel+"}\n")
	write(t, filepath.Join(temp, "kustomize-1", "kustomization.yaml"), "resources: [s.yaml]\n")
	write(t, filepath.Join(temp, "kustomize-1", "s.yaml"), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "+sentinel+"}\n")
	good := repository(t, "-- base/kustomization.yaml --\nresources: [settings.yaml]\n-- base/settings.yaml --\n"+configMap)
	cases := map[string]struct {
		kustomization string
		want          error
	}{
		"a repository":                       {"resources: ['file://" + good + "//base']", nil},
		"a file of the temporary folder":     {"resources: ['file://" + good + "//base', " + temp + "/secret.yaml]", build.ErrOutside},
		"the clone of another build":         {"resources: [link]\n-- app/link --\n-> " + temp + "/kustomize-1", build.ErrOutside},
		"a link to the temporary folder":     {"resources: [link.yaml]\n-- app/link.yaml --\n-> " + temp + "/secret.yaml", build.ErrOutside},
		"a clone that links outside":         {"resources: ['file://" + repository(t, "-- kustomization.yaml --\nresources: [l.yaml]\n-- l.yaml --\n-> "+temp+"/secret.yaml") + "']", build.ErrOutside},
		"a clone that reaches for this tree": {"resources: ['file://" + repository(t, "-- kustomization.yaml --\nresources: [../../../../../../../../../../../etc/hosts]") + "']", build.ErrOutside},
		"a repository that is not there":     {"resources: ['file:///me:hunter2@gone/x']", build.ErrBuild},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			root := tree(t, "-- app/kustomization.yaml --\n"+c.kustomization+"\n")
			out, err := runWith(t, build.Options{Dir: filepath.Join(root, "app"), Root: root, AllowRemote: true})
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if c.want != nil {
				refused(t, root, out, err)
			}
			if left, err := filepath.Glob(filepath.Join(temp, "generate-*")); len(left) > 0 || err != nil {
				t.Errorf("the temporary folder holds %v", left)
			}
			if now := os.Getenv("TMPDIR"); now != temp {
				t.Errorf("TMPDIR is %s", now)
			}
		})
	}
}
