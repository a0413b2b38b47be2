package images_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"

	"github.com/proerror77/nova-staging/plugin/images"
)

// The corpus names each image once, so that a name is a place. kustomize is told
// to give all of them a new tag; what it changes must be what Find finds and Pin
// pins, no more and no less.
func TestFindSeesWhatKustomizesImageTransformerReaches(t *testing.T) {
	t.Parallel()
	corpus := read(t, "testdata/corpus.yaml")
	configuration := read(t, "testdata/configuration.yaml")
	names := regexp.MustCompile(`registry\.example(:5000)?/[a-z0-9-]+`).FindAllString(corpus, -1)
	kustomization := "images:\n"
	for _, n := range names {
		kustomization += "- {name: '" + n + "', newTag: changed}\n"
	}
	changed := func(text, suffix string) []string {
		var found []string
		for _, n := range names {
			if regexp.MustCompile(regexp.QuoteMeta(n + suffix)).MatchString(text) {
				found = append(found, n)
			}
		}
		return found
	}
	want := changed(text(t, kustomize(t, corpus, kustomization, configuration)), ":changed")

	var c struct{ Images types.FsSlice }
	if err := yaml.Unmarshal([]byte(configuration), &c); err != nil {
		t.Fatal(err)
	}
	m := kustomize(t, corpus, "", configuration)
	uses := images.Find(m, c.Images)
	pin(t, uses, chosen(uses))
	got := changed(text(t, m), ":pinned@"+digest)

	if len(want) < 30 || len(names) != len(slices.Compact(slices.Sorted(slices.Values(names)))) {
		t.Fatalf("the corpus names %d images, of which kustomize reaches %d", len(names), len(want))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("kustomize (-) and Find with Pin (+):\n%s", diff)
	}
	if len(uses) != len(got) {
		t.Errorf("found %d uses and pinned %d:\n%s", len(uses), len(got), describe(uses))
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestFindNamesTheObjectAndThePart(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ manifests, want string }{
		"containers, init containers and volumes in the order of the text": {`
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: nova}
spec:
  initContainers: [{name: migrate, image: "nova/migrate:1"}]
  containers: [{name: app, image: nova/app}, {name: proxy, image: "envoy@` + digest + `"}]
  volumes: [{name: model, image: {reference: "nova/model:2"}}]
`, `Pod nova/p (migrate): nova/migrate:1
Pod nova/p (app): nova/app
Pod nova/p (proxy): envoy@` + digest + `
Pod nova/p (): nova/model:2
`},
		"a List, which kustomize takes apart": {`
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: x, image: one}]}}
- {apiVersion: v1, kind: Pod, metadata: {name: b}, spec: {containers: [{name: x, image: two}]}}
`, "Pod a (x): one\nPod b (x): two\n"},
		"a list of Deployments": {`
apiVersion: apps/v1
kind: DeploymentList
items:
- {apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {template: {spec: {containers: [{name: x, image: one}]}}}}
`, "Deployment a (x): one\n"},
		"a container by an anchor": {`
apiVersion: v1
kind: Pod
metadata: {name: a}
spec: {containers: [&c {name: x, image: one}], initContainers: [*c]}
`, "Pod a (x): one\nPod a (x): one\n"},
		"placeholders of other tools": {`
apiVersion: v1
kind: Pod
metadata: {name: a}
spec: {containers: [{name: x, image: "$(IMAGE)"}, {name: y, image: "nova/auth:{{ .Values.tag }}"}, {name: z, image: nova/feed}]}
`, `Pod a (x): $(IMAGE) is invalid: "$(IMAGE)" is not a valid name in the image "$(IMAGE)"
Pod a (y): nova/auth is invalid: "{{ .Values.tag }}" is not a valid tag in the image "nova/auth:{{ .Values.tag }}"
Pod a (z): nova/feed
`},
		"an image that is a mapping or a list": {`
apiVersion: example.com/v1
kind: Thing
metadata: {name: a}
spec: {containers: [{image: {repository: quay.io/nova/auth, tag: "1", pullPolicy: Always}}, {image: ["quay.io/nova/feed:2", x]}]}
`, `Thing a (): quay.io/nova/auth is invalid: the image is a list or a mapping, want name[:tag][@digest]
Thing a (): quay.io/nova/feed is invalid: the image is a list or a mapping, want name[:tag][@digest]
`},
		"texts where other kinds have Pod templates": {`
apiVersion: example.com/v1
kind: Thing
metadata: {name: a}
spec: {template: "hello {{ .Name }}", jobTemplate: [1, 2], volumes: none, containers: [a, b, [c]]}
---
apiVersion: example.com/v1
kind: Thing
metadata: {name: b}
spec: only a text
`, ""},
		"an image that YAML takes for a number": {`
apiVersion: v1
kind: Pod
metadata: {name: a}
spec: {containers: [{name: x, image: 5}, {name: y, image: true}]}
`, "Pod a (x): 5\nPod a (y): true\n"},
		"a CustomResourceDefinition": {`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: a}
spec: {containers: [{image: nova/auth}], volumes: [{image: {reference: x}}]}
`, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, describe(images.Find(parse(t, c.manifests), nil))); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
		})
	}
}

func TestFindListsAFieldOnceThatTwoSpecsName(t *testing.T) {
	t.Parallel()
	m := parse(t, "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: x, image: one}], volumes: [{image: {reference: two}}]}}")
	extra := types.FsSlice{{Path: "spec/containers[]/image"}, {Path: "spec/containers/image"}, {Path: "spec/volumes[]/image/reference"}}
	if got := describe(images.Find(m, extra)); got != "Pod a (x): one\nPod a (): two\n" {
		t.Errorf("got %s", got)
	}
}

// kustomize gives up on such a field: it takes no list of texts.
func TestFindListsWhatAConfiguredFieldHoldsInsteadOfAnImage(t *testing.T) {
	t.Parallel()
	m := parse(t, "{apiVersion: a/v1, kind: A, metadata: {name: a}, spec: {images: [quay.io/one:1, quay.io/two], text: quay.io/three, image: quay.io/four}}")
	extra := types.FsSlice{{Path: "spec/images[]"}, {Path: "spec/text/deeper"}, {Path: "spec/gone"}, {Path: ""}, {Path: "/"}, {Path: "spec//image"}, {Path: "[]"}}
	want := `A a (): quay.io/one is invalid: the image is a list or a mapping, want name[:tag][@digest]
A a (): quay.io/two is invalid: the image is a list or a mapping, want name[:tag][@digest]
`
	if diff := cmp.Diff(want, describe(images.Find(m, extra))); diff != "" {
		t.Error(diff)
	}
}

func TestObjectNamesKindNamespaceAndName(t *testing.T) {
	t.Parallel()
	m := parse(t, "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: b}}\n---\n{apiVersion: v1, kind: Namespace, metadata: {name: c}}\n")
	var got []string
	for _, r := range m.Resources() {
		got = append(got, images.Object(r))
	}
	if want := "Pod b/a, Namespace c"; strings.Join(got, ", ") != want {
		t.Errorf("got %q, want %s", got, want)
	}
}
