package manifests_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"

	"github.com/proerror77/nova-staging/plugin/policy"
)

const registry = "025434362120.dkr.ecr.ap-northeast-1.amazonaws.com/nova/"

func TestEveryImageIsOursUntaggedAndHasAPolicy(t *testing.T) {
	t.Parallel()
	eachOverlay(t, func(t *testing.T, o overlay, r *rendered) {
		policies, err := policy.Load(o.dir(), "")
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pods(r) {
			for _, c := range containers(p.template.Spec) {
				if !strings.HasPrefix(c.Image, registry) {
					t.Errorf("%s: image %s is not from %s", p.owner, c.Image, registry)
				}
				// A tag or digest in git is one that generate would have to argue with.
				if strings.ContainsAny(c.Image, "@:") {
					t.Errorf("%s: image %s has a tag or digest in git", p.owner, c.Image)
				}
				if policies.For(c.Image) == nil {
					t.Errorf("%s: no entry of images.yaml is for %s: it would reach the cluster as :latest", p.owner, c.Image)
				}
			}
		}
	})
}

func TestEachServiceRunsItsOwnImage(t *testing.T) {
	t.Parallel()
	eachOverlay(t, func(t *testing.T, _ overlay, r *rendered) {
		for _, p := range pods(r) {
			if name, ok := strings.CutPrefix(p.owner, "Deployment "); ok {
				if got := p.template.Spec.Containers[0].Image; got != registry+name {
					t.Errorf("%s runs %s, want %s", p.owner, got, registry+name)
				}
			}
		}
	})
}

func TestServicesFollowTheirEnvironmentsPolicy(t *testing.T) {
	t.Parallel()
	commit := &policy.Commit{Depth: policy.DefaultDepth, Tag: policy.DefaultTag}
	tests := []struct {
		overlay  string
		policy   string
		together bool
		release  string
	}{
		{"dev", "tag", false, ""},
		{"staging", "commit", true, "nova-release"},
		{"prod", "semver", false, "nova-release"},
	}
	for _, tt := range tests {
		t.Run(tt.overlay, func(t *testing.T) {
			t.Parallel()
			policies, err := policy.Load(filepath.Join("nova", "overlays", tt.overlay), "")
			if err != nil {
				t.Fatal(err)
			}
			first := policies.For(registry + services[0].name)
			for _, s := range services {
				if policies.For(registry+s.name) != first {
					t.Errorf("%s has an entry of its own, want one for all services", s.name)
				}
			}
			if first == nil || first.Name() != tt.policy || first.Together != tt.together {
				t.Fatalf("the services' entry is %+v, want policy %s with together %t", first, tt.policy, tt.together)
			}
			switch tt.policy {
			case "tag":
				if first.Tag.Name != "dev-latest" {
					t.Errorf("the tag is %q, want dev-latest", first.Tag.Name)
				}
			case "commit":
				if diff := cmp.Diff(commit, first.Commit); diff != "" {
					t.Errorf("commit (-want +got):\n%s", diff)
				}
			case "semver":
				if first.SemVer.Range != ">=1.0.0 <2.0.0" {
					t.Errorf("the range is %q, want >=1.0.0 <2.0.0", first.SemVer.Range)
				}
			}
			got := ""
			if policies.Release != nil {
				got = policies.Release.ConfigMap
			}
			if got != tt.release {
				t.Errorf("the release ConfigMap is %q, want %q", got, tt.release)
			}
			// The smoke Job is built from other commits than the services: under
			// together it would hold all of them back.
			if policies.For(registry+"staging-smoke") == first {
				t.Error("the services' entry is also for nova/staging-smoke")
			}
		})
	}
}

// TestKustomizationsAreCurrentAndLeaveImagesToGenerate reads every
// kustomization.yaml below nova.
func TestKustomizationsAreCurrentAndLeaveImagesToGenerate(t *testing.T) {
	t.Parallel()
	found := 0
	err := filepath.WalkDir("nova", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "kustomization.yaml" {
			return err
		}
		found++
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var k types.Kustomization
		if err := yaml.UnmarshalStrict(data, &k); err != nil {
			t.Errorf("%s: %v", path, err)
			return nil
		}
		if old := k.CheckDeprecatedFields(); old != nil && len(*old) > 0 {
			t.Errorf("%s: deprecated fields: %s", path, strings.Join(*old, "; "))
		}
		if slices.Contains(slices.Concat(k.Resources, k.Components), policy.FileName) {
			t.Errorf("%s: lists %s, which is for generate and not for the cluster", path, policy.FileName)
		}
		for _, i := range k.Images {
			if i.NewTag != "" || i.Digest != "" || i.TagSuffix != "" {
				t.Errorf("%s: image %s has a tag or digest", path, i.Name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := 1 + len(services) + len(overlays); found < want {
		t.Errorf("found %d kustomizations, want at least %d", found, want)
	}
}
