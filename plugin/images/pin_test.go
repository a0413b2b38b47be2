package images_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/proerror77/nova-staging/internal/release"
	"github.com/proerror77/nova-staging/plugin/images"
)

func TestPinWritesReferencesAndAnnotations(t *testing.T) {
	t.Parallel()
	note := images.Provenance(release.Image{Policy: "newest", PushedAt: pushed})
	cases := map[string]struct{ manifests, want string }{
		"an object without annotations": {
			`{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {template: {spec: {containers: [{name: app, image: "nova/app:dev"}], initContainers: [{name: init, image: nova/init}]}}}}`,
			`apiVersion: apps/v1
kind: Deployment
metadata:
  annotations:
    images.staging.nova/app: NOTE
    images.staging.nova/init: NOTE
  name: a
spec:
  template:
    spec:
      containers:
      - image: nova/app:pinned@DIGEST
        name: app
      initContainers:
      - image: nova/init:pinned@DIGEST
        name: init
`,
		},
		"an object with annotations that are null": {
			`{apiVersion: v1, kind: Pod, metadata: {name: a, annotations: null}, spec: {containers: [{name: app, image: nova/app}]}}`,
			`apiVersion: v1
kind: Pod
metadata:
  annotations:
    images.staging.nova/app: NOTE
  name: a
spec:
  containers:
  - image: nova/app:pinned@DIGEST
    name: app
`,
		},
		"images with a digest, and others that were not chosen": {
			`{apiVersion: v1, kind: Pod, metadata: {name: a, annotations: {z: y}}, spec: {containers: [{name: a, image: "nova/app:v1@DIGEST"}, {name: b, image: "other/app:2"}, {name: c, image: "nova/app@DIGEST"}]}}`,
			`apiVersion: v1
kind: Pod
metadata:
  annotations:
    z: "y"
  name: a
spec:
  containers:
  - image: nova/app:v1@DIGEST
    name: a
  - image: other/app:2
    name: b
  - image: nova/app@DIGEST
    name: c
`,
		},
		"an image volume, whose annotation has the image's name": {
			`{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {volumes: [{name: v, image: {reference: "nova/model:1"}}]}}`,
			`apiVersion: v1
kind: Pod
metadata:
  annotations:
    images.staging.nova/model: NOTE
  name: a
spec:
  volumes:
  - image:
      reference: nova/model:pinned@DIGEST
    name: v
`,
		},
		"an image that YAML took for a number, and one in a block": {
			"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - {name: five, image: 5}\n  - name: folded\n    image: >-\n      nova/app\n",
			`apiVersion: v1
kind: Pod
metadata:
  annotations:
    images.staging.nova/five: NOTE
    images.staging.nova/folded: NOTE
  name: a
spec:
  containers:
  - image: 5:pinned@DIGEST
    name: five
  - image: nova/app:pinned@DIGEST
    name: folded
`,
		},
		"names of containers that no annotation can have": {
			`{apiVersion: a/v1, kind: Thing, metadata: {name: a}, spec: {containers: [{name: "{{ the name }}", image: nova/app}, {name: "--", image: nova/app}, {name: ` + strings.Repeat("x", 62) + `-y, image: nova/app}]}}`,
			`apiVersion: a/v1
kind: Thing
metadata:
  annotations:
    images.staging.nova/image: NOTE
    images.staging.nova/the-name: NOTE
    images.staging.nova/` + strings.Repeat("x", 62) + `: NOTE
  name: a
spec:
  containers:
  - image: nova/app:pinned@DIGEST
    name: '{{ the name }}'
  - image: nova/app:pinned@DIGEST
    name: --
  - image: nova/app:pinned@DIGEST
    name: ` + strings.Repeat("x", 62) + `-y
`,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			replace := strings.NewReplacer("DIGEST", digest, "NOTE", note)
			m := parse(t, replace.Replace(c.manifests))
			uses := images.Find(m, nil)
			all := chosen(uses)
			delete(all, "other/app")
			pin(t, uses, all)
			if diff := cmp.Diff(replace.Replace(c.want), text(t, m)); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
		})
	}
}

func TestPinKeepsTheProvenanceOfTwoPartsWithOneName(t *testing.T) {
	t.Parallel()
	m := parse(t, `{apiVersion: a/v1, kind: Thing, metadata: {name: a}, spec: {one: {containers: [{name: main, image: x/app}]}, two: {containers: [{name: main, image: y/app}, {name: main, image: z/job}]}}}`)
	uses := images.Find(m, nil)
	all := chosen(uses)
	for name, commit := range map[string]string{"x/app": "aaaa", "y/app": "bbbb", "z/job": "cccc"} {
		i := all[name]
		i.Commit = commit
		all[name] = i
	}
	pin(t, uses, all)
	want := map[string]string{
		"images.staging.nova/main":       images.Provenance(all["x/app"]),
		"images.staging.nova/main.app":   images.Provenance(all["y/app"]),
		"images.staging.nova/main.z-job": "",
		"images.staging.nova/main.job":   images.Provenance(all["z/job"]),
	}
	delete(want, "images.staging.nova/main.z-job")
	if diff := cmp.Diff(want, m.Resources()[0].GetAnnotations()); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
}

func TestPinLeavesAloneWhatIsNoImage(t *testing.T) {
	t.Parallel()
	const manifests = `{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{image: "nova/auth:{{ .tag }}"}, {image: {repository: nova/auth}}, {image: $(X)}]}}`
	m := parse(t, manifests)
	before := text(t, m)
	uses := images.Find(m, nil)
	if len(uses) != 3 {
		t.Fatalf("found %s", describe(uses))
	}
	pin(t, uses, chosen(uses))
	if diff := cmp.Diff(before, text(t, m)); diff != "" {
		t.Error(diff)
	}
}

func TestPinningAPinnedRenderChangesNothing(t *testing.T) {
	t.Parallel()
	m := kustomize(t, read(t, "testdata/corpus.yaml"), "", read(t, "testdata/configuration.yaml"))
	uses := images.Find(m, nil)
	pin(t, uses, chosen(uses))
	once := text(t, m)
	again := parse(t, once)
	uses = images.Find(again, nil)
	all := chosen(uses)
	for name, i := range all {
		i.Tag, i.Commit = "later", "4f2c"
		all[name] = i
	}
	pin(t, uses, all)
	if diff := cmp.Diff(once, text(t, again)); diff != "" {
		t.Errorf("once (-), twice (+):\n%s", diff)
	}
}

// A value that YAML would fold over two lines reads badly in Argo CD's diff.
func TestAnAnnotationStandsOnOneLine(t *testing.T) {
	t.Parallel()
	i := release.Image{Policy: "commit", Commit: strings.Repeat("4", 40), PushedAt: pushed}
	m := parse(t, "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: "+strings.Repeat("n", 63)+", image: nova/app}]}}")
	pin(t, images.Find(m, nil), map[string]release.Image{"nova/app": i})
	want := "    images.staging.nova/" + strings.Repeat("n", 63) + ": " + images.Provenance(i) + "\n"
	if got := text(t, m); !strings.Contains(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestMarkHooksMarksThePodsOfEveryHook(t *testing.T) {
	t.Parallel()
	const hook = "annotations: {argocd.argoproj.io/hook: PostSync}"
	pods := func(path string) string { return path }
	cases := map[string]struct{ manifest, path string }{
		"a Job after the sync":         {"{apiVersion: batch/v1, kind: Job, metadata: {name: a, " + hook + "}, spec: {template: {spec: {containers: []}}}}", pods("spec.template.metadata")},
		"a Job before the sync":        {"{apiVersion: batch/v1, kind: Job, metadata: {name: a, annotations: {argocd.argoproj.io/hook: PreSync}}, spec: {template: {metadata: {annotations: {x: y}}, spec: {containers: []}}}}", pods("spec.template.metadata")},
		"a Job after a failed sync":    {"{apiVersion: batch/v1, kind: Job, metadata: {name: a, annotations: {argocd.argoproj.io/hook: SyncFail}}, spec: {template: {metadata: null, spec: {containers: []}}}}", pods("spec.template.metadata")},
		"a Job of several phases":      {"{apiVersion: batch/v1, kind: Job, metadata: {name: a, annotations: {argocd.argoproj.io/hook: 'PreSync, PostSync'}}, spec: {template: {spec: {containers: []}}}}", pods("spec.template.metadata")},
		"a Pod":                        {"{apiVersion: v1, kind: Pod, metadata: {name: a, " + hook + "}, spec: {containers: []}}", pods("metadata")},
		"a CronJob":                    {"{apiVersion: batch/v1, kind: CronJob, metadata: {name: a, " + hook + "}, spec: {jobTemplate: {spec: {template: {spec: {containers: []}}}}}}", pods("spec.jobTemplate.spec.template.metadata")},
		"a Workflow":                   {"{apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {name: a, " + hook + "}, spec: {templates: []}}", pods("spec.podMetadata")},
		"a Workflow with Pod metadata": {"{apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {name: a, " + hook + "}, spec: {podMetadata: {labels: {a: b}}}}", pods("spec.podMetadata")},
		"a Workflow without a spec":    {"{apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {name: a, " + hook + "}, spec: none}", ""},
		"a Job that is no hook":        {"{apiVersion: batch/v1, kind: Job, metadata: {name: a}, spec: {template: {spec: {containers: []}}}}", ""},
		"a Secret":                     {"{apiVersion: v1, kind: Secret, metadata: {name: a, " + hook + "}}", ""},
		"a template of something else": {"{apiVersion: bitnami.com/v1alpha1, kind: SealedSecret, metadata: {name: a, " + hook + "}, spec: {template: {metadata: {name: x}}}}", ""},
		"a template that is a text":    {"{apiVersion: a/v1, kind: Thing, metadata: {name: a, " + hook + "}, spec: {template: 'hello'}}", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := parse(t, c.manifest)
			before := text(t, m)
			if err := images.MarkHooks(m.Resources(), "0123456789abcdef"); err != nil {
				t.Fatal(err)
			}
			if c.path == "" {
				if diff := cmp.Diff(before, text(t, m)); diff != "" {
					t.Error(diff)
				}
				return
			}
			annotation, err := m.Resources()[0].Pipe(yaml.Lookup(append(strings.Split(c.path, "."), "annotations", release.Annotation)...))
			if err != nil || yaml.GetValue(annotation) != "0123456789abcdef" {
				t.Errorf("got %v of\n%s", err, text(t, m))
			}
			if n := strings.Count(text(t, m), "0123456789abcdef"); n != 1 {
				t.Errorf("the id stands %d times in\n%s", n, text(t, m))
			}
			once := text(t, m)
			if err := images.MarkHooks(m.Resources(), "0123456789abcdef"); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(once, text(t, m)); diff != "" {
				t.Errorf("marked twice:\n%s", diff)
			}
		})
	}
}
