package images_test

import (
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/filters/imagetag"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/proerror77/nova-staging/plugin/images"
)

func TestParseReferenceSplitsNameTagAndDigest(t *testing.T) {
	t.Parallel()
	const ecr = "025434362120.dkr.ecr.ap-northeast-1.amazonaws.com/nova/auth-service"
	cases := map[string]images.Reference{
		"nginx":                             {Name: "nginx"},
		"nginx:1.29":                        {Name: "nginx", Tag: "1.29"},
		"nginx@" + digest:                   {Name: "nginx", Digest: digest},
		"nginx:1.29@" + digest:              {Name: "nginx", Tag: "1.29", Digest: digest},
		ecr:                                 {Name: ecr},
		ecr + ":v1@" + digest:               {Name: ecr, Tag: "v1", Digest: digest},
		"localhost:5000/nova/auth":          {Name: "localhost:5000/nova/auth"},
		"localhost:5000/nova/auth:dev":      {Name: "localhost:5000/nova/auth", Tag: "dev"},
		"Registry.Example.com/nova/auth:V1": {Name: "Registry.Example.com/nova/auth", Tag: "V1"},
		"a/b/c/d/e:f":                       {Name: "a/b/c/d/e", Tag: "f"},
		"a__b/c-d.e:_x-1":                   {Name: "a__b/c-d.e", Tag: "_x-1"},
		"nginx@sha512:" + strings.Repeat("a", 128): {Name: "nginx", Digest: "sha512:" + strings.Repeat("a", 128)},
		"nova/auth:{STABLE_TAG}":                   {Name: "nova/auth", Tag: "{STABLE_TAG}"}, // which kustomize replaces, too
		"nova/auth:":                               {Name: "nova/auth"},
		"5":                                        {Name: "5"},
	}
	for s, want := range cases {
		got, err := images.ParseReference(s)
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", s, got, err, want)
		}
	}
}

func TestParseReferenceRefusesWhatIsNoImage(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"":                               `"" is not a valid name in the image ""`,
		"$(IMAGE)":                       `"$(IMAGE)" is not a valid name`,
		"${IMAGE}:latest":                `"${IMAGE}" is not a valid name`,
		"{{ .Values.image }}":            `"{{ .Values.image }}" is not a valid name`,
		"{{ .Values.image }}:{{ .tag }}": `"{{ .Values.image }}" is not a valid name`,
		"nova/auth:{{ .Values.tag }}":    `"{{ .Values.tag }}" is not a valid tag`,
		"nova/auth:$(TAG)":               `"$(TAG)" is not a valid tag`,
		" nginx":                         `" nginx" is not a valid name`,
		"nginx ":                         `"nginx " is not a valid name`,
		"nginx:1\n":                      `"1\n" is not a valid tag`,
		"/nginx":                         `"/nginx" is not a valid name`,
		"nginx/":                         `"nginx/" is not a valid name`,
		":tag":                           `"" is not a valid name`,
		"a:b:c":                          `"a:b" is not a valid name`,
		"a:b/c":                          `"a:b/c" is not a valid name`,
		"https://example.com/a":          `"https://example.com/a" is not a valid name`,
		"[::1]:5000/a":                   `"[::1]:5000/a" is not a valid name`,
		"nginx@latest":                   `"latest" is not a valid digest`,
		"nginx@sha256:abc":               `"sha256:abc" is not a valid digest`,
		"nginx@":                         `"" is not a valid digest`,
		"nginx@" + digest + "@" + digest: "is not a valid digest",
		"日本/auth":                        "is not a valid name",
	}
	for s, want := range cases {
		got, err := images.ParseReference(s)
		if err == nil || !strings.Contains(err.Error(), want) || got != (images.Reference{}) {
			t.Errorf("%q: got %+v, %v, want %s", s, got, err, want)
		}
	}
}

// FuzzParseReference holds it to two things: what it parses is written back the
// same, and kustomize takes the same text for an image of the same name.
func FuzzParseReference(f *testing.F) {
	for _, s := range []string{"nginx", "a:5000/b:c@" + digest, "a:{x}", "a:", "A.b_c/d-e", "$(X)", "a@sha256:x", "a//b", "a:b:c/d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := images.ParseReference(s)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q: %s", s, err)
			}
			return
		}
		if again, err := images.ParseReference(r.String()); err != nil || again != r {
			t.Errorf("%q is %+v, and that is %+v, %v", s, r, again, err)
		}
		pod := yaml.NewMapRNode(nil)
		image := yaml.NewStringRNode(s)
		container := yaml.NewMapRNode(nil)
		for _, err := range []error{
			container.PipeE(yaml.SetField("image", image)),
			pod.PipeE(yaml.SetField("containers", yaml.NewListRNode())),
			pod.PipeE(yaml.Lookup("containers"), yaml.Append(container.YNode())),
			pod.PipeE(yaml.SetField("kind", yaml.NewStringRNode("Pod"))),
			pod.PipeE(yaml.SetField("apiVersion", yaml.NewStringRNode("v1"))),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		filter := imagetag.LegacyFilter{ImageTag: types.Image{Name: regexp.QuoteMeta(r.Name), NewTag: "new"}}
		if _, err := filter.Filter([]*yaml.RNode{pod}); err != nil {
			t.Fatal(err)
		}
		if got := yaml.GetValue(image); got != r.Name+":new" {
			t.Errorf("kustomize makes %q of %q, whose name is %q", got, s, r.Name)
		}
	})
}
