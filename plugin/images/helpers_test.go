package images_test

import (
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/provider"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/proerror77/nova-staging/internal/release"
	"github.com/proerror77/nova-staging/plugin/images"
)

const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

var pushed = time.Date(2026, 11, 20, 10, 11, 12, 0, time.UTC)

// parse reads objects as kustomize does.
func parse(t testing.TB, manifests string) resmap.ResMap {
	t.Helper()
	m, err := resmap.NewFactory(provider.NewDefaultDepProvider().GetResourceFactory()).NewResMapFromBytes([]byte(manifests))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// kustomize renders manifests by a kustomization that names them, with whatever
// else it says, and a configuration.
func kustomize(t testing.TB, manifests, kustomization, configuration string) resmap.ResMap {
	t.Helper()
	fs := filesys.MakeFsInMemory()
	for name, text := range map[string]string{
		"r.yaml": manifests, "c.yaml": configuration,
		"kustomization.yaml": "resources: [r.yaml]\nconfigurations: [c.yaml]\n" + kustomization,
	} {
		if err := fs.WriteFile(name, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	m, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(fs, ".")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func text(t testing.TB, m resmap.ResMap) string {
	t.Helper()
	out, err := m.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// chosen decides on every image of uses.
func chosen(uses []images.Use) map[string]release.Image {
	all := map[string]release.Image{}
	for _, u := range uses {
		all[u.Name] = release.Image{Name: u.Name, Tag: "pinned", Digest: digest, Policy: "newest", PushedAt: pushed}
	}
	return all
}

func pin(t testing.TB, uses []images.Use, chosen map[string]release.Image) {
	t.Helper()
	if err := images.Pin(uses, chosen); err != nil {
		t.Fatal(err)
	}
}

// describe gives a line for each use.
func describe(uses []images.Use) string {
	var b strings.Builder
	for _, u := range uses {
		b.WriteString(u.Object + " (" + u.Part + "): ")
		if u.Invalid != nil {
			b.WriteString(u.Name + " is invalid: " + u.Invalid.Error() + "\n")
			continue
		}
		b.WriteString(u.String() + "\n")
	}
	return b.String()
}
