package docs_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proerror77/nova-staging/internal/ecremulator"
	"github.com/proerror77/nova-staging/internal/novaworld"
	generate "github.com/proerror77/nova-staging/plugin/command"
)

var update = flag.Bool("update", false, "rewrite the outputs in policies.md")

const kustomization = `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: nova
resources: [services.yaml]
`

const services = `apiVersion: apps/v1
kind: Deployment
metadata: {name: auth-service}
spec: {template: {spec: {containers: [{name: app, image: 025434362120.dkr.ecr.ap-northeast-1.amazonaws.com/nova/auth-service}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: search-service}
spec: {template: {spec: {containers: [{name: app, image: 025434362120.dkr.ecr.ap-northeast-1.amazonaws.com/nova/search-service}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: gateway}
spec: {template: {spec: {containers: [{name: app, image: 025434362120.dkr.ecr.ap-northeast-1.amazonaws.com/platform/gateway}]}}}
`

// world is the repository and the registry that policies.md begins with.
func world(t *testing.T, e *ecremulator.Emulator) *novaworld.World {
	t.Helper()
	manifests := t.TempDir()
	for name, text := range map[string]string{"kustomization.yaml": kustomization, "services.yaml": services} {
		if err := os.MkdirAll(filepath.Join(manifests, "staging"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(manifests, "staging", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	monday := time.Date(2026, 11, 16, 9, 0, 0, 0, time.UTC)
	w, err := novaworld.Create(filepath.Join(t.TempDir(), "nova"), manifests, e, monday.Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range []struct {
		message  string
		services []string
	}{
		{"feat(auth): passkeys", []string{"auth-service", "search-service"}},
		{"docs: how to rotate keys", nil},
		{"feat(search): synonyms", []string{"auth-service"}}, // search's build fails
	} {
		at := monday.AddDate(0, 0, i)
		sha, err := w.Commit(at, c.message)
		must(err)
		if len(c.services) > 0 {
			_, err = w.Build(sha, at.Add(8*time.Minute), c.services...)
			must(err)
			findings := map[string]int{"MEDIUM": 2}
			if i > 0 {
				findings["CRITICAL"] = 1
			}
			w.Registry.Repository("nova/auth-service").ScanImages(ecremulator.Scan{
				Status: ecremulator.ScanComplete, Findings: findings, CompletedAt: at.Add(10 * time.Minute),
			})
		}
	}
	gateway, err := w.Registry.CreateRepository("platform/gateway")
	must(err)
	for i, version := range []string{"v2.1.0", "v2.2.0", "v2.3.0-rc.1", "v3.0.0"} {
		_, err := gateway.PushAt(monday.AddDate(0, 0, i-7), ecremulator.BuildxIndex(version, "linux/amd64"), version)
		must(err)
	}
	return w
}

var (
	fence  = regexp.MustCompile("(?ms)^```(yaml|console)\n(.*?)^```$")
	prompt = regexp.MustCompile(`^\$ generate (.*)$`)
)

// TestThePoliciesPageShowsWhatGenerateSays renders each example of policies.md and
// compares what the page shows with what generate says.
func TestThePoliciesPageShowsWhatGenerateSays(t *testing.T) {
	server := ecremulator.Start(t)
	w := world(t, server.Emulator)
	for name, value := range server.Env() {
		t.Setenv(name, value)
	}
	t.Chdir(w.Root)
	dir := filepath.Join("manifests", "staging")

	file := filepath.Join(pages, "policies.md")
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	got := fence.ReplaceAllFunc(page, func(block []byte) []byte {
		m := fence.FindSubmatch(block)
		if string(m[1]) == "yaml" {
			if bytes.Contains(m[2], []byte("kind: ImagePolicy")) {
				if err := os.WriteFile(filepath.Join(dir, "images.yaml"), m[2], 0o644); err != nil {
					t.Fatal(err)
				}
			}
			return block
		}
		line, _, _ := strings.Cut(string(m[2]), "\n")
		args := prompt.FindStringSubmatch(line)
		if args == nil {
			t.Fatalf("not a command of generate: %s", line)
		}
		ran++
		t.Setenv("HOME", t.TempDir()) // nothing is kept from one example to the next
		var out bytes.Buffer
		generate.Run(t.Context(), generate.Program{Args: strings.Fields(args[1]), Env: os.Environ(), Stdout: &out, Stderr: &out})
		return []byte("```console\n" + line + "\n" + out.String() + "```")
	})
	if ran < 6 {
		t.Errorf("%d commands were run: is the test still reading the page?", ran)
	}
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(page), string(got)); diff != "" {
		t.Errorf("policies.md (-page +generate), rewrite it with -update:\n%s", diff)
	}
}
