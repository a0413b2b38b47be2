package docs_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/proerror77/nova-staging/internal/ecremulator"
	"github.com/proerror77/nova-staging/internal/novaworld"
	generate "github.com/proerror77/nova-staging/plugin/command"
)

const host = "025434362120.dkr.ecr.ap-northeast-1.amazonaws.com/"

// TestTheWayOverAndBackChangesNoImage renders an overlay whose tags CI has
// committed: generate chooses the same as migration.md says, and what operations.md
// writes back into the overlay is what generate had chosen.
func TestTheWayOverAndBackChangesNoImage(t *testing.T) {
	server := ecremulator.Start(t)
	manifests := t.TempDir()
	write := func(file, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	deployments := ""
	for _, s := range novaworld.Services {
		deployments += fmt.Sprintf("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: %s}\nspec: {template: {spec: {containers: [{name: app, image: nova/%s}]}}}\n---\n", s, s)
	}
	write(filepath.Join(manifests, "staging", "services.yaml"), deployments)
	at := time.Now().Add(-time.Hour)
	w, err := novaworld.Create(filepath.Join(t.TempDir(), "nova"), manifests, server.Emulator, at.Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	sha, err := w.Commit(at, "feat: built")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Build(sha, at.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(w.Root, "manifests", "staging")
	overlay := func(suffix func(service string) string) {
		text := kustomization + "images:\n"
		for _, s := range novaworld.Services {
			text += "- name: nova/" + s + "\n  newName: " + host + "nova/" + s + "\n" + suffix(s)
		}
		write(filepath.Join(dir, "kustomization.yaml"), text)
	}
	overlay(func(string) string { return "  newTag: " + sha + "\n" })
	if _, err := w.Commit(at.Add(10*time.Minute), "chore(staging): update image tags"); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(pages, "migration.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := blocks(page{text: string(data)}, "yaml")
	if len(found) == 0 {
		t.Fatal("migration.md has no images.yaml")
	}
	write(filepath.Join(dir, "images.yaml"), found[0]+"release: {configMap: nova-release}\n")
	for name, value := range server.Env() {
		t.Setenv(name, value)
	}
	t.Setenv("HOME", t.TempDir())
	render := func() []string {
		t.Helper()
		var out, failure bytes.Buffer
		if status := generate.Run(t.Context(), generate.Program{Args: []string{dir}, Env: os.Environ(), Stdout: &out, Stderr: &failure}); status != 0 {
			t.Fatalf("generate: exit status %d: %s", status, failure.String())
		}
		return images(out.String())
	}

	// Over: the same tags as CI has written, which are not read any more.
	before := kustomized(t, dir)
	chosen := render()
	var tags []string
	for _, image := range chosen {
		tag, digest, _ := strings.Cut(image, "@")
		if !strings.HasPrefix(digest, "sha256:") {
			t.Errorf("%s is not pinned", image)
		}
		tags = append(tags, tag)
	}
	if diff := cmp.Diff(before, tags); diff != "" || len(tags) != len(novaworld.Services) {
		t.Errorf("%d images (-kustomize +generate):\n%s", len(tags), diff)
	}

	// Back: with the digests of the record in the overlay, generate and kustomize
	// alike give what runs.
	overlay(func(s string) string {
		for _, image := range chosen {
			if digest, ok := strings.CutPrefix(image, host+"nova/"+s+":"+sha+"@"); ok {
				return "  newTag: " + sha + "\n  digest: " + digest + "\n"
			}
		}
		t.Fatalf("no image of %s", s)
		return ""
	})
	if diff := cmp.Diff(chosen, render()); diff != "" {
		t.Errorf("generate with the tags in git (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(chosen, kustomized(t, dir)); diff != "" {
		t.Errorf("kustomize with the tags in git (-before +after):\n%s", diff)
	}
}

func kustomized(t *testing.T, dir string) []string {
	t.Helper()
	objects, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := objects.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return images(string(text))
}

// images of manifests, sorted.
func images(manifests string) []string {
	var out []string
	for _, m := range regexp.MustCompile(`(?m)^ +(?:- )?image: (\S+)$`).FindAllStringSubmatch(manifests, -1) {
		out = append(out, m[1])
	}
	slices.Sort(out)
	return out
}
