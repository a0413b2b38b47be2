package images_test

import (
	"testing"

	"sigs.k8s.io/kustomize/api/provider"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"

	"github.com/proerror77/nova-staging/plugin/images"
)

// FuzzPin pins whatever is found in any manifest: everything valid has a digest
// afterwards, and pinning again changes nothing.
func FuzzPin(f *testing.F) {
	for _, s := range []string{
		"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: x, image: a}, {name: x, image: 'b:1'}]}\n",
		"apiVersion: v1\nkind: Pod\nmetadata: {name: a, annotations: {a: b}}\nspec: {volumes: [{image: {reference: a}}]}\n",
		"apiVersion: a/v1\nkind: A\nmetadata: {name: a}\nspec: {containers: [{image: [a/b, {c: d/e}]}], x: [q, w]}\n",
		"apiVersion: a/v1\nkind: A\nmetadata: {name: a}\nspec: &s {containers: [{image: 'a:{b}'}], x: {y: 'a@b'}}\nz: *s\n",
	} {
		f.Add(s, "spec/x[]", "A")
	}
	factory := resmap.NewFactory(provider.NewDefaultDepProvider().GetResourceFactory())
	f.Fuzz(func(t *testing.T, manifests, path, kind string) {
		m, err := factory.NewResMapFromBytes([]byte(manifests))
		if err != nil {
			return
		}
		extra := types.FsSlice{{Path: path}}
		extra[0].Kind = kind
		uses := images.Find(m, extra)
		pin(t, uses, chosen(uses))
		once, err := m.AsYaml()
		if err != nil {
			return
		}
		again := images.Find(m, extra)
		for _, u := range again {
			if u.Invalid == nil && u.Digest == "" {
				t.Errorf("%s of %s is not pinned", u.Name, u.Object)
			}
		}
		if len(again) != len(uses) {
			t.Errorf("found %d uses, and %d before", len(again), len(uses))
		}
		pin(t, again, chosen(again))
		if twice, err := m.AsYaml(); err != nil || string(twice) != string(once) {
			t.Errorf("%v: once\n%s\ntwice\n%s", err, once, twice)
		}
		if err := images.MarkHooks(m.Resources(), "id"); err != nil {
			t.Logf("mark: %s", err)
		}
	})
}
