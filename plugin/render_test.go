package plugin_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/proerror77/nova-staging/internal/ecremulator"
	"github.com/proerror77/nova-staging/internal/novaworld"
	"github.com/proerror77/nova-staging/internal/release"
	"github.com/proerror77/nova-staging/plugin"
	"github.com/proerror77/nova-staging/plugin/build"
	"github.com/proerror77/nova-staging/plugin/cache"
	"github.com/proerror77/nova-staging/plugin/ecr"
	"github.com/proerror77/nova-staging/plugin/explain"
	"github.com/proerror77/nova-staging/plugin/images"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const host = "025434362120.dkr.ecr.ap-northeast-1.amazonaws.com"

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// scene is a folder with a kustomization, and an emulated registry.
type scene struct {
	dir      string
	emulator *ecremulator.Server
	registry *ecremulator.Registry
	client   *ecr.Client
}

// The SDK reads its environment, so that scenes can not run in parallel.
func newScene(t *testing.T, files map[string]string, with ...ecremulator.Option) *scene {
	t.Helper()
	s := &scene{dir: t.TempDir(), emulator: ecremulator.Start(t, with...)}
	s.registry = ecremulator.Must(s.emulator.CreateRegistry(novaworld.Account, novaworld.Region))
	for name, value := range s.emulator.Env() {
		t.Setenv(name, value)
	}
	client, err := ecr.New(t.Context(), ecr.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.client = client
	for name, text := range files {
		path := filepath.Join(s.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *scene) push(t *testing.T, repository string, at time.Time, tags ...string) string {
	t.Helper()
	r := s.registry.Repository(repository)
	if r == nil {
		r = ecremulator.Must(s.registry.CreateRepository(repository))
	}
	return ecremulator.Must(r.PushAt(at, ecremulator.OCIImage(repository+strings.Join(tags, " ")), tags...))
}

func (s *scene) options() plugin.Options {
	return plugin.Options{Dir: s.dir, AsOf: noon, Registry: s.client, Now: func() time.Time { return noon.Add(time.Hour) }}
}

func render(t *testing.T, o plugin.Options) []byte {
	t.Helper()
	r, err := plugin.Render(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r.Manifests
}

const everywhere = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: shop}
spec:
  template:
    spec:
      initContainers:
      - {name: migrate, image: ` + host + `/shop/migrate}
      containers:
      - {name: api, image: "` + host + `/shop/api:latest"}
      - {name: proxy, image: "envoyproxy/envoy:v1.30"}
      - {name: held, image: "` + host + `/shop/held:1@sha256:` + zeros + `"}
      volumes:
      - {name: models, image: {reference: "` + host + `/shop/models"}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: shop}
spec:
  jobTemplate:
    spec:
      template:
        spec:
          containers:
          - {name: api, image: "` + host + `/shop/api:old"}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: smoke
  namespace: shop
  annotations: {argocd.argoproj.io/hook: PostSync}
spec:
  template:
    spec:
      containers:
      - {name: smoke, image: ` + host + `/shop/smoke}
`

const zeros = "0000000000000000000000000000000000000000000000000000000000000000"

const shopPolicy = `
apiVersion: staging.nova/v1alpha1
kind: ImagePolicy
images:
- match: ` + host + `/shop/*
  newest: {tags: '^v'}
release: {configMap: shop-release}
`

func shop(t *testing.T) *scene {
	s := newScene(t, map[string]string{
		"kustomization.yaml": "resources: [all.yaml]\n", "all.yaml": everywhere, "images.yaml": shopPolicy,
	})
	for _, r := range []string{"api", "migrate", "models", "smoke", "held"} {
		s.push(t, "shop/"+r, noon.Add(-2*time.Hour), "v1")
		s.push(t, "shop/"+r, noon.Add(-time.Hour), "v2")
		s.push(t, "shop/"+r, noon.Add(time.Hour), "v3")
	}
	return s
}

func TestEveryPlaceIsPinned(t *testing.T) {
	got := render(t, shop(t).options())
	golden := filepath.Join("testdata", "shop.golden.yaml")
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("render differs from %s (-want +got), rewrite it with -update:\n%s", golden, diff)
	}
}

func TestTheReleaseRecordAgreesWithTheManifests(t *testing.T) {
	manifests := render(t, shop(t).options())
	var record release.Release
	var marked string
	for _, doc := range bytes.Split(manifests, []byte("\n---\n")) {
		var object struct {
			Kind     string
			Metadata struct{ Name, Namespace string }
			Data     map[string]string
			Spec     struct {
				Template struct {
					Metadata struct{ Annotations map[string]string }
				}
			}
		}
		if err := yaml.Unmarshal(doc, &object); err != nil {
			t.Fatal(err)
		}
		switch {
		case object.Kind == "ConfigMap":
			if object.Metadata.Name != "shop-release" || object.Metadata.Namespace != "shop" {
				t.Errorf("the record is %s/%s", object.Metadata.Namespace, object.Metadata.Name)
			}
			var err error
			if record, err = release.Decode([]byte(object.Data[release.DataKey])); err != nil {
				t.Fatal(err)
			}
		case object.Kind == "Job":
			marked = object.Spec.Template.Metadata.Annotations[release.Annotation]
		case object.Spec.Template.Metadata.Annotations[release.Annotation] != "":
			t.Errorf("%s %s is marked with the release, which would roll it out each time", object.Kind, object.Metadata.Name)
		}
	}
	if marked == "" || marked != record.ID {
		t.Errorf("the hook is marked with release %q, the record is %q", marked, record.ID)
	}
	if len(record.Images) != 4 {
		t.Errorf("the record has %d images, want the 4 that a policy resolved", len(record.Images))
	}
	for _, i := range record.Images {
		if !bytes.Contains(manifests, []byte(" "+i.Ref()+"\n")) {
			t.Errorf("%s is in the record and not in the manifests", i.Ref())
		}
	}
}

func TestTheReportCoversEveryImage(t *testing.T) {
	report, err := plugin.Explain(t.Context(), shop(t).options())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, i := range report.Images {
		got[strings.TrimPrefix(i.Name, host+"/")] = string(i.Status) + " " + i.Tag + " " + strings.Join(i.UsedBy, "; ")
	}
	want := map[string]string{
		"shop/api":     "resolved v2 Deployment shop/api (api); CronJob shop/nightly (api)",
		"shop/migrate": "resolved v2 Deployment shop/api (migrate)",
		"shop/models":  "resolved v2 Deployment shop/api",
		"shop/smoke":   "resolved v2 Job shop/smoke (smoke)",
		"shop/held":    "pinned 1 Deployment shop/api (held)",

		"envoyproxy/envoy": "unmatched v1.30 Deployment shop/api (proxy)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func TestSameRevisionAndInstantGiveTheSameBytes(t *testing.T) {
	s := shop(t)
	first := render(t, s.options())
	store, err := cache.Open(filepath.Join(t.TempDir(), "cache"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		o := s.options()
		o.Store = store
		o.Now = func() time.Time { return noon.Add(time.Duration(i+1) * 24 * time.Hour) }
		s.push(t, "shop/api", noon.Add(time.Duration(i+1)*time.Minute), "v9."+strings.Repeat("9", i+1))
		if got := render(t, o); !bytes.Equal(first, got) {
			t.Fatalf("render %d differs:\n%s", i, cmp.Diff(string(first), string(got)))
		}
	}
	o := s.options()
	o.AsOf = noon.Add(30 * time.Second) // before the next push
	if got := render(t, o); !bytes.Equal(first, got) {
		t.Error("another instant with the same images gives other bytes")
	}
}

func TestARenderFailsAsAWhole(t *testing.T) {
	tests := []struct {
		name   string
		spoil  func(t *testing.T, s *scene, o *plugin.Options)
		is     error
		detail string
	}{
		{
			name: "when the instant is beyond the skew of clocks",
			spoil: func(_ *testing.T, _ *scene, o *plugin.Options) {
				o.AsOf = noon.Add(time.Hour + plugin.MaxSkew + time.Second)
			},
			is: plugin.ErrFuture, detail: "2026-11-20T13:01:01Z, and this machine's clock says 2026-11-20T13:00:00Z",
		},
		{
			name:  "when one repository of four is missing",
			spoil: func(_ *testing.T, s *scene, _ *plugin.Options) { s.registry.DeleteRepository("shop/models") },
			is:    ecr.ErrRepositoryNotFound, detail: "shop/models",
		},
		{
			name: "when the release ConfigMap's name is taken",
			spoil: func(t *testing.T, s *scene, _ *plugin.Options) {
				write(t, s, "kustomization.yaml", "resources: [all.yaml, cm.yaml]\n")
				write(t, s, "cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop-release, namespace: shop}\n")
			},
			is: plugin.ErrRelease, detail: "already has a ConfigMap shop-release",
		},
		{
			name: "when the resolved images are in several namespaces and the record could be in either",
			spoil: func(t *testing.T, s *scene, _ *plugin.Options) {
				write(t, s, "all.yaml", strings.Replace(everywhere, "name: nightly, namespace: shop", "name: nightly, namespace: batch", 1))
			},
			is: plugin.ErrRelease, detail: "valid choices are: batch, shop",
		},
		{
			name: "when a policy matches an image outside ECR",
			spoil: func(t *testing.T, s *scene, _ *plugin.Options) {
				write(t, s, "images.yaml", strings.Replace(shopPolicy, host+"/shop/*", `"**"`, 1))
			},
			is: plugin.ErrNotECR, detail: "envoyproxy/envoy of Deployment shop/api",
		},
		{
			name: "when a policy matches an image that is another tool's placeholder",
			spoil: func(t *testing.T, s *scene, _ *plugin.Options) {
				write(t, s, "all.yaml", strings.Replace(everywhere, "shop/api:latest", "shop/api:$(TAG)", 1))
			},
			is: plugin.ErrInvalidImage, detail: `"$(TAG)" is not a valid tag`,
		},
		{
			name:  "when nothing is rendered",
			spoil: func(t *testing.T, s *scene, _ *plugin.Options) { write(t, s, "all.yaml", "# nothing\n") },
			is:    build.ErrBuild,
		},
		{
			name: "when ECR's answer is garbage to the end",
			spoil: func(_ *testing.T, s *scene, _ *plugin.Options) {
				s.emulator.Inject(ecremulator.Fault{Kind: ecremulator.HTMLBody, Repository: "shop/api"})
			},
			is: ecr.ErrResponse,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := shop(t)
			o := s.options()
			tt.spoil(t, s, &o)
			r, err := plugin.Render(t.Context(), o)
			if r != nil || !errors.Is(err, tt.is) {
				t.Fatalf("got %v, %v; want no render and %v", r, err, tt.is)
			}
			if !strings.Contains(err.Error(), tt.detail) {
				t.Errorf("error %q does not say %q", err, tt.detail)
			}
		})
	}
}

func TestTheEndOfTheContextSaysWhatWasPending(t *testing.T) {
	s := shop(t)
	s.emulator.Inject(ecremulator.Fault{Kind: ecremulator.Hang, Repository: "shop/api"})
	s.registry.DeleteRepository("shop/models")
	ctx := &expiring{Context: t.Context(), done: make(chan struct{})}
	go func() {
		defer close(ctx.done)
		for t.Context().Err() == nil {
			others := s.emulator.Count("", "shop/models") * s.emulator.Count("", "shop/migrate") * s.emulator.Count("", "shop/smoke")
			if others > 0 && s.client.Pending() == "DescribeImages on shop/api" {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	_, err := plugin.Render(ctx, s.options())
	if !errors.Is(err, plugin.ErrDeadline) {
		t.Fatalf("error is %v, want ErrDeadline", err)
	}
	for _, want := range []string{"still pending: DescribeImages on shop/api", "besides: ", "no repository shop/models"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
}

// expiring is a context whose deadline passes when done is closed: how far a
// render has come by a certain time depends on the machine.
type expiring struct {
	context.Context
	done chan struct{}
}

func (e *expiring) Done() <-chan struct{} { return e.done }

func (e *expiring) Err() error {
	select {
	case <-e.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func TestImagesAreAskedForOnceHoweverOftenTheyAreUsed(t *testing.T) {
	s := shop(t)
	render(t, s.options())
	if n := s.emulator.Count("DescribeImages", "shop/api"); n != 1 {
		t.Errorf("shop/api was listed %d times, want once", n)
	}
	if n := s.emulator.Count("", "shop/held"); n != 0 {
		t.Errorf("an image with a digest was asked for %d times, want never", n)
	}
}

func TestAnnotationsStandOnTheObjectOnly(t *testing.T) {
	manifests := string(render(t, shop(t).options()))
	for _, line := range strings.Split(manifests, "\n") {
		if strings.Contains(line, images.AnnotationPrefix) && !strings.HasPrefix(line, "    "+images.AnnotationPrefix) {
			t.Errorf("annotation below metadata.annotations of an object expected, found %q", line)
		}
	}
	if !slices.Contains(strings.Split(manifests, "\n"), "    images.staging.nova/api: policy=newest,pushed=2026-11-20T11:00:00Z") {
		t.Error("the annotation of container api is missing")
	}
}

func write(t *testing.T, s *scene, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestExplainFailsWhereTheRenderFails(t *testing.T) {
	s := shop(t)
	write(t, s, "kustomization.yaml", "resources: [all.yaml, cm.yaml]\n")
	write(t, s, "cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop-release, namespace: shop}\n")
	report, err := plugin.Explain(t.Context(), s.options())
	if !errors.Is(err, plugin.ErrRelease) {
		t.Errorf("error is %v, want that of the render, %v", err, plugin.ErrRelease)
	}
	if report == nil || len(report.Images) != 6 || report.Images[0].Status != explain.Resolved {
		t.Errorf("the report is %+v, want all images as they were resolved", report)
	}
}

func TestAnImageWhereNoFieldIsIsWarnedOf(t *testing.T) {
	s := shop(t)
	write(t, s, "kustomization.yaml", "resources: [all.yaml, cm.yaml]\n")
	write(t, s, "cm.yaml", `apiVersion: v1
kind: ConfigMap
metadata: {name: runner, namespace: shop}
data: {image: "`+host+`/shop/runner:latest", held: "`+host+`/shop/held@sha256:`+zeros+`", other: "`+host+`/other/a:1"}
`)
	report, err := plugin.Explain(t.Context(), s.options())
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Warnings) != 1 || !strings.HasPrefix(report.Warnings[0], "data.image of ConfigMap shop/runner holds "+host+"/shop/runner:latest, which the entry at ") {
		t.Errorf("warnings are %q, want one of the image that a policy matches and nothing resolves", report.Warnings)
	}
}
