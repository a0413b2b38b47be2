package command_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proerror77/nova-staging/internal/apitest"
	"github.com/proerror77/nova-staging/smoke/command"
)

type outcome struct {
	code   int
	out    string
	err    string
	report struct {
		Verdict string
		Class   string
		Release string
		Partial bool
		Results []result
		Notes   []string
	}
}

type result struct {
	Service, Check, Verdict, Class, Target, Expected, Seen, Hint string
	Details, Logs                                                []string
	Looks                                                        int
}

func (o outcome) find(t *testing.T, service, check string) result {
	t.Helper()
	for _, r := range o.report.Results {
		if r.Service == service && r.Check == check {
			return r
		}
	}
	t.Fatalf("no result for %s %s in %s", service, check, o.out)
	return result{}
}

// smoke runs the program against a server with a config and reads its JSON.
func smoke(t *testing.T, ctx context.Context, s *apitest.Server, conf string, args ...string) outcome {
	t.Helper()
	file := filepath.Join(t.TempDir(), "smoke.yaml")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	args = append([]string{
		"run", "--config", file, "--kubeconfig", s.Kubeconfig(t), "--reach", "direct", "-o", "json", "--termination-log", "none",
	}, args...)
	var stdout, stderr bytes.Buffer
	o := outcome{code: command.Run(ctx, args, func(string) string { return "" }, strings.NewReader(""), &stdout, &stderr)}
	o.out, o.err = stdout.String(), stderr.String()
	if stdout.Len() > 0 {
		if err := json.Unmarshal(stdout.Bytes(), &o.report); err != nil {
			t.Fatalf("report is no JSON: %v\n%s\n%s", err, o.out, o.err)
		}
	}
	return o
}

// conf is a config for services with times that are short, so that what is wrong
// is soon decided, and long enough for a first look on a loaded machine.
func conf(services ...string) string {
	var b strings.Builder
	b.WriteString(`apiVersion: staging.nova/v1alpha1
kind: SmokeTest
deadline: 60s
defaults: {rolloutTimeout: 3s, probeTimeout: 4s, requestTimeout: 4s, interval: 400ms, doomAfter: 300ms, unschedulableAfter: 600ms}
services:
`)
	for _, s := range services {
		fmt.Fprintf(&b, "- name: %s\n  port: 8080\n", s)
	}
	return b.String()
}

// patient is a config with so much time that only what is wrong fails: a success
// ends a check at once.
func patient(services ...string) string {
	return strings.NewReplacer("rolloutTimeout: 3s", "rolloutTimeout: 40s", "probeTimeout: 4s", "probeTimeout: 40s",
		"requestTimeout: 4s", "requestTimeout: 30s").Replace(conf(services...))
}

func TestAHealthyServicePasses(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, "nova")
	app := apitest.NewApp("auth-service", 2, 8080)
	app.Serve(t, apitest.Good())
	s.Add(app)
	id := s.AddRelease(t, "auth-service")
	o := smoke(t, t.Context(), s, patient("auth-service"), "--release", id)
	if o.code != 0 {
		t.Fatalf("exit code %d\n%s\n%s", o.code, o.out, o.err)
	}
}
