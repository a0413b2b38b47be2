package workflows_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	pinned     = regexp.MustCompile(`^\s*-?\s*uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	expression = regexp.MustCompile(`\$\{\{`)
)

func TestEveryActionIsPinnedByItsFullSHAWithTheVersionBesideIt(t *testing.T) {
	t.Parallel()
	of := map[string]string{} // action -> SHA: one version everywhere
	for _, w := range loadAll(t) {
		n := 0
		for line := range strings.Lines(w.text) {
			line = strings.TrimRight(line, "\n")
			if !strings.Contains(line, "uses: ") || strings.HasPrefix(strings.TrimSpace(line), "#") || strings.Contains(line, "uses: ./") {
				continue
			}
			n++
			if !pinned.MatchString(line) {
				t.Errorf("%s: %s", w.name, strings.TrimSpace(line))
				continue
			}
			action, version, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "- ")), "@")
			if before, ok := of[action]; ok && before != version {
				t.Errorf("%s: %s is also used at %s", w.name, line, before)
			}
			of[action] = version
		}
		if n == 0 {
			t.Errorf("%s uses no action: is the test still reading it?", w.name)
		}
	}
}

// TestPermissionsAreTheLeast lists what each job may do. A job gets more only by
// changing this table.
func TestPermissionsAreTheLeast(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"ci/ci":                            "contents:read",
		"release/ci":                       "contents:read",
		"release/images":                   "attestations:write contents:read id-token:write packages:write",
		"release/binaries":                 "attestations:write contents:read id-token:write",
		"release/publish":                  "contents:write",
		"staging-deploy/build-and-push":    "contents:read id-token:write",
		"staging-deploy/deploy-to-staging": "contents:read id-token:write",
		"staging-deploy/smoke-test":        "",
		"staging-deploy/notify-completion": "",
	}
	for _, w := range loadAll(t) {
		if w.Permissions == nil || len(w.Permissions) > 0 {
			t.Errorf("%s: permissions at the top are %v, want {}", w.name, w.Permissions)
		}
		if w.Concurrency["group"] == "" {
			t.Errorf("%s has no concurrency group", w.name)
		}
		for name, j := range w.Jobs {
			if j.Permissions == nil {
				t.Errorf("%s/%s says no permissions", w.name, name)
			}
			var got []string
			for k, v := range j.Permissions {
				got = append(got, k+":"+v)
			}
			slices.Sort(got)
			if s := strings.Join(got, " "); s != want[w.name+"/"+name] {
				t.Errorf("%s/%s may %q, want %q", w.name, name, s, want[w.name+"/"+name])
			}
			if j.Uses == "" && j.Timeout == 0 {
				t.Errorf("%s/%s has no timeout", w.name, name)
			}
		}
	}
}

func TestNoWorkflowRunsForeignTextOrKeepsKeys(t *testing.T) {
	t.Parallel()
	for _, w := range loadAll(t) {
		for _, forbidden := range []string{"pull_request_target", "workflow_run", "AWS_ACCESS_KEY", "aws-access-key-id", "aws-secret-access-key", "secrets: inherit"} {
			if strings.Contains(w.text, forbidden) {
				t.Errorf("%s contains %s", w.name, forbidden)
			}
		}
		for name, j := range w.Jobs {
			for _, s := range j.Steps {
				if expression.MatchString(s.Run) {
					t.Errorf("%s/%s %s: an expression in a script is a way to inject one; hand it over in env", w.name, name, s.Name)
				}
				if strings.HasPrefix(s.Uses, "actions/checkout@") && s.With["persist-credentials"] != false {
					t.Errorf("%s/%s: the checkout leaves its token behind", w.name, name)
				}
			}
		}
	}
}

func TestCIIsWhatTheScriptDoes(t *testing.T) {
	t.Parallel()
	var runs []string
	for _, s := range load(t, "ci").Jobs["ci"].Steps {
		if s.Run != "" && !strings.Contains(s.If, "always()") {
			runs = append(runs, s.Run)
		}
	}
	if len(runs) != 1 || !strings.HasSuffix(runs[0], " CI=true bash .ci/run") {
		t.Errorf("ci runs %q, want .ci/run alone: else the two differ", runs)
	}
}

func TestTheReleaseHasEveryProgram(t *testing.T) {
	t.Parallel()
	w := load(t, "release")
	programs, err := filepath.Glob("../../cmd/*")
	if err != nil || len(programs) == 0 {
		t.Fatal(programs, err)
	}
	for _, p := range programs {
		if info, err := os.Stat(p); err != nil || !info.IsDir() {
			continue
		}
		name := filepath.Base(p)
		if !slices.Contains(w.Jobs["images"].Strategy.Matrix["program"], name) {
			t.Errorf("no image of %s is released", name)
		}
		if !regexp.MustCompile(`for program in [a-z ]*\b` + name + `\b`).MatchString(w.script(t, "binaries", "Build")) {
			t.Errorf("no binary of %s is released", name)
		}
	}
	for name, j := range w.Jobs {
		if name == "ci" || name == "publish" {
			continue
		}
		if j.Needs != "ci" {
			t.Errorf("%s needs %v: want ci, so that nothing untested is released", name, j.Needs)
		}
		w.action(t, name, "actions/attest-build-provenance")
	}
}

func TestTheStagingWorkflowBuildsAllServicesAsAsked(t *testing.T) {
	t.Parallel()
	w := load(t, "staging-deploy")
	build := w.Jobs["build-and-push"]
	services, err := filepath.Glob("../../manifests/nova/base/*-service")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, s := range services {
		want = append(want, filepath.Base(s))
	}
	got := slices.Sorted(slices.Values(build.Strategy.Matrix["service"]))
	if !slices.Equal(got, want) || len(got) != 8 {
		t.Errorf("it builds %v, the manifests have %v", got, want)
	}
	if count := fmt.Sprintf("if length == %d then", len(got)); !strings.Contains(w.script(t, "deploy-to-staging", "Deploy"), count) {
		t.Errorf("%d services are built, and Deploy does not want as many: no %q", len(got), count)
	}
	if build.Strategy.MaxParallel != 2 {
		t.Errorf("max-parallel is %d, want 2", build.Strategy.MaxParallel)
	}
	for _, trigger := range []string{"push", "workflow_call", "workflow_dispatch"} {
		if _, ok := w.On[trigger]; !ok {
			t.Errorf("it does not run on %s", trigger)
		}
	}
	with := w.action(t, "build-and-push", "docker/build-push-action").With
	for key, want := range map[string]string{
		"platforms":  "linux/amd64",
		"tags":       "${{ steps.image.outputs.name }}:${{ github.sha }}\n${{ steps.image.outputs.name }}:latest\n",
		"cache-from": "type=registry,ref=${{ steps.image.outputs.name }}:buildcache",
		"cache-to":   "type=registry,ref=${{ steps.image.outputs.name }}:buildcache,mode=max,image-manifest=true,oci-mediatypes=true",
	} {
		if with[key] != want {
			t.Errorf("%s is %q, want %q", key, with[key], want)
		}
	}
	for _, name := range []string{"build-and-push", "deploy-to-staging"} {
		aws := w.action(t, name, "aws-actions/configure-aws-credentials").With
		if role, _ := aws["role-to-assume"].(string); !strings.Contains(role, "secrets.AWS_ROLE_ARN") {
			t.Errorf("%s assumes %q", name, role)
		}
	}
}
