package plugin_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proerror77/nova-staging/internal/ecremulator"
	"github.com/proerror77/nova-staging/plugin"
)

// The repository of somebody else: an old layout (bases, patchesStrategicMerge,
// commonLabels, JSON patches), registries in three accounts and partitions, and
// images in every kind of place.
const (
	govHost   = "111122223333.dkr.ecr-fips.us-gov-west-1.amazonaws.com"
	chinaHost = "444455556666.dkr.ecr.cn-north-1.amazonaws.com.cn"
)

var foreignFiles = map[string]string{
	"deploy/base/kustomization.yaml": `
resources: [shop.yaml, list.yaml]
commonLabels: {team: shop}
images:
- {name: web, newName: ` + host + `/shop/web, newTag: never}
`,
	"deploy/base/shop.yaml": `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web}
spec:
  serviceName: web
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      initContainers:
      - {name: migrate, image: ` + govHost + `/shop/migrate:whatever}
      - {name: mesh, image: "localhost:5000/mesh/init:1.2", restartPolicy: Always}
      containers:
      - {name: web, image: web}
      - {name: held, image: "` + chinaHost + `/shop/held:7@sha256:` + zeros + `"}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: sweep}
spec:
  schedule: "@daily"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          initContainers:
          - {name: fetch, image: "` + chinaHost + `/shop/tool:1.0.0"}
          containers:
          - {name: sweep, image: "` + host + `/shop/web"}
---
apiVersion: v1
kind: Pod
metadata: {name: debug}
spec:
  containers:
  - {name: sh, image: "busybox:1.36"}
`,
	"deploy/base/list.yaml": `
apiVersion: v1
kind: List
items:
- apiVersion: apps/v1
  kind: DaemonSet
  metadata: {name: agent}
  spec:
    selector: {matchLabels: {app: agent}}
    template:
      metadata: {labels: {app: agent}}
      spec:
        containers:
        - {name: agent, image: "` + chinaHost + `/shop/tool"}
`,
	"deploy/staging/kustomization.yaml": `
bases: [../base]
namespace: shop
patchesStrategicMerge:
- |-
  apiVersion: apps/v1
  kind: StatefulSet
  metadata: {name: web}
  spec:
    template:
      spec:
        containers:
        - {name: late, image: "` + host + `/shop/web:patched-in"}
patchesJson6902:
- target: {group: apps, version: v1, kind: DaemonSet, name: agent}
  patch: |-
    - {op: add, path: /spec/template/spec/containers/-, value: {name: gov, image: "` + govHost + `/shop/migrate"}}
`,
	"deploy/staging/images.yaml": `
apiVersion: staging.nova/v1alpha1
kind: ImagePolicy
images:
- match: "*.dkr.ecr*.*.amazonaws.com/shop/*"
  commit: {tag: "main-{sha:8}"}
  together: true
- match: "*.dkr.ecr.cn-*.amazonaws.com.cn/**"
  semver: {range: ">=1 <2"}
release: {configMap: shop}
`,
}

// foreign is that repository with a history:
//
//	one ── two ── merge ── three   (main)
//	  └─ side ────┘
type foreign struct {
	*scene
	sha map[string]string
}

func newForeign(t *testing.T) *foreign {
	t.Helper()
	f := &foreign{scene: newScene(t, foreignFiles, ecremulator.WithOpenAccess()), sha: map[string]string{}}
	git := func(args ...string) string {
		t.Helper()
		c := exec.Command("git", args...)
		c.Dir = f.dir
		c.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull,
			"GIT_AUTHOR_NAME=n", "GIT_AUTHOR_EMAIL=e", "GIT_COMMITTER_NAME=n", "GIT_COMMITTER_EMAIL=e")
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out))
	}
	commit := func(name string) {
		git("add", "-A")
		git("commit", "-q", "--allow-empty", "-m", name)
		f.sha[name] = git("rev-parse", "HEAD")
	}
	git("init", "-q", "-b", "main")
	commit("one")
	git("checkout", "-q", "-b", "side")
	commit("side")
	git("checkout", "-q", "main")
	commit("two")
	git("merge", "-q", "--no-ff", "-m", "merge", "side")
	f.sha["merge"] = git("rev-parse", "HEAD")
	commit("three")

	gov := ecremulator.Must(f.emulator.CreateRegistry("111122223333", "us-gov-west-1"))
	china := ecremulator.Must(f.emulator.CreateRegistry("444455556666", "cn-north-1"))
	web := ecremulator.Must(f.registry.CreateRepository("shop/web"))
	migrate := ecremulator.Must(gov.CreateRepository("shop/migrate"))
	tool := ecremulator.Must(china.CreateRepository("shop/tool"))
	push := func(r *ecremulator.Repository, before time.Duration, content ecremulator.Content, tag string) {
		ecremulator.Must(r.PushAt(noon.Add(-before), content, tag))
	}
	image := func(r *ecremulator.Repository, before time.Duration, name string) {
		push(r, before, ecremulator.OCIImage(r.Name()+name), f.tag(name))
	}
	image(web, 5*time.Hour, "one")
	image(migrate, 5*time.Hour, "one")
	image(web, 4*time.Hour, "two")
	image(migrate, 3*time.Hour, "two")
	// The side has all its images, newer than those of two, and is not the main line.
	image(web, time.Hour, "side")
	image(migrate, time.Hour, "side")
	// The merge has a chart under the image's tag; three lacks migrate until later.
	image(web, time.Hour, "merge")
	push(migrate, time.Hour, ecremulator.HelmChart("migrate", "1.0.0"), f.tag("merge"))
	image(web, time.Minute, "three")
	image(migrate, -time.Minute, "three")
	for version, before := range map[string]time.Duration{"1.4.0": 6 * time.Hour, "1.10.0": 2 * time.Hour, "1.11.0": -time.Hour, "2.0.0": time.Hour, "1.12.0-rc.1": time.Hour} {
		push(tool, before, ecremulator.BuildxIndex(version, "linux/amd64"), version)
	}
	return f
}

func (f *foreign) tag(name string) string { return "main-" + f.sha[name][:8] }

var imageLine = regexp.MustCompile(`(?m)^\s+(?:- )?image: (.*)$`)

// imagesOf gives the images of a render without digests, each with its count.
func imagesOf(manifests []byte) map[string]int {
	found := map[string]int{}
	for _, m := range imageLine.FindAllStringSubmatch(string(manifests), -1) {
		ref, _, pinned := strings.Cut(strings.Trim(m[1], `"`), "@sha256:")
		if pinned {
			ref += "@"
		}
		found[ref]++
	}
	return found
}

func TestARepositoryOfSomebodyElse(t *testing.T) {
	f := newForeign(t)
	o := f.options()
	o.Dir = filepath.Join(f.dir, "deploy", "staging")
	want := func(commit, version string) map[string]int {
		return map[string]int{
			host + "/shop/web:" + f.tag(commit) + "@":        3,
			govHost + "/shop/migrate:" + f.tag(commit) + "@": 2,
			chinaHost + "/shop/tool:" + version + "@":        2,
			chinaHost + "/shop/held:7@":                      1,
			"localhost:5000/mesh/init:1.2":                   1,
			"busybox:1.36":                                   1,
		}
	}
	for _, tt := range []struct {
		name            string
		asOf            time.Duration
		revision        string
		commit, version string
	}{
		{"the newest commit of the main line with all images", 0, "", "two", "1.10.0"},
		{"before two was complete", -3*time.Hour - time.Second, "", "one", "1.4.0"},
		{"at the second at which two was complete", -3 * time.Hour, "", "two", "1.4.0"},
		{"when three is complete", time.Minute, "", "three", "1.10.0"},
		{"from a branch", 0, "side", "side", "1.10.0"},
		{"from an older revision, by its SHA", time.Minute, "two", "two", "1.10.0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := o
			o.AsOf, o.Revision = noon.Add(tt.asOf), tt.revision
			if sha, ok := f.sha[tt.revision]; ok && tt.revision != "side" {
				o.Revision = sha
			}
			if diff := cmp.Diff(want(tt.commit, tt.version), imagesOf(render(t, o))); diff != "" {
				t.Errorf("images (-want +got):\n%s", diff)
			}
		})
	}
}

// TestOneBadRepositoryOfThreeAccountsStopsAll: whichever registry fails, in
// whatever way, nothing is rendered.
func TestOneBadRepositoryOfThreeAccountsStopsAll(t *testing.T) {
	f := newForeign(t)
	o := f.options()
	o.Dir = filepath.Join(f.dir, "deploy", "staging")
	kinds := []ecremulator.FaultKind{ecremulator.AccessDenied, ecremulator.ExpiredToken, ecremulator.TruncatedJSON}
	for i, repository := range []string{"shop/web", "shop/migrate", "shop/tool"} {
		for _, op := range []string{"BatchGetImage", "DescribeImages"} {
			t.Run(fmt.Sprintf("%s of %s", op, repository), func(t *testing.T) {
				injected := f.emulator.Inject(ecremulator.Fault{Kind: kinds[i], Op: op, Repository: repository})
				defer injected.Remove()
				r, err := plugin.Render(t.Context(), o)
				if r != nil || err == nil || !strings.Contains(err.Error(), repository) {
					t.Errorf("got a render: %t, error %v; want none and an error that names %s", r != nil, err, repository)
				}
				if injected.Fired() == 0 {
					t.Error("the fault was never met")
				}
			})
		}
	}
}
