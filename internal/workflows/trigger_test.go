package workflows_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/internal/argotest"
)

// TestTheDeployStepWithTriggerItself runs the deploy step with the real trigger, on
// a simulated API server with an Argo CD that does what the real one was measured to
// do.
func TestTheDeployStepWithTriggerItself(t *testing.T) {
	t.Parallel()
	bin := filepath.Join(t.TempDir(), "trigger")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "../../cmd/trigger").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	script := load(t, "staging-deploy").script(t, "deploy-to-staging", "Deploy")
	const before = "2024-11-20T08:00:00Z" // before any clock's now
	tests := []struct {
		name, by, smoke, render, verdict, says string
		annotations                            map[string]string
		move                                   string // of whoever acts in the cluster
	}{
		{name: "verified", by: "once", verdict: "verified"},
		{name: "failed and rolled back", by: "once", smoke: "Job has failed: exit code 12", verdict: "rolled-back", says: "exit code 12"},
		{name: "not rolled back where that is off", by: "once", smoke: "Job has failed", annotations: map[string]string{"trigger.staging.nova/rollback": "off"}, verdict: "failed"},
		{name: "can not be rendered", by: "once", render: "no image satisfies the policy", verdict: "render-failed", says: "no image satisfies the policy"},
		{name: "held", by: "once", annotations: map[string]string{"trigger.staging.nova/hold": "demonstration"}, verdict: "held", says: "demonstration"},
		{name: "watch: verified", by: "watch", move: "once", verdict: "verified"},
		{name: "watch: rolled back", by: "watch", move: "once", smoke: "Job has failed: exit code 12", verdict: "rolled-back", says: "exit code 12"},
		{name: "watch: held", by: "watch", annotations: map[string]string{"trigger.staging.nova/hold": "demonstration"}, verdict: "held"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			api := argotest.New()
			t.Cleanup(api.Close)
			kubeconfig, err := api.Kubeconfig(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			api.Add(argotest.App{Name: "nova-staging", AsOf: before, Annotations: tt.annotations})
			argo := &argotest.Argo{
				RenderTime: 10 * time.Millisecond, SyncTime: 50 * time.Millisecond,
				Render: func(_, asOf string) (string, error) {
					if asOf == before {
						return "old", nil
					}
					if tt.render != "" {
						return "", fmt.Errorf("%s", tt.render)
					}
					return "new", nil
				},
				Smoke: func(_, render string) (string, bool) { return tt.smoke, render == "old" || tt.smoke == "" },
			}
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan struct{})
			go func() { defer close(done); argo.Run(ctx, api) }()
			t.Cleanup(func() { cancel(); <-done })

			r := newRunner(t)
			cluster{once: "exit 99", status: []string{"{}"}, pushedAt: time.Now().UTC().Add(-time.Minute).Format(time.RFC3339)}.on(r)
			if err := os.Remove(filepath.Join(r.tools, "trigger")); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(bin, filepath.Join(r.tools, "trigger")); err != nil {
				t.Fatal(err)
			}
			if tt.move != "" {
				go func() {
					time.Sleep(300 * time.Millisecond) // the run looks first, and waits
					cmd := exec.CommandContext(ctx, bin, "once", "--application", "argocd/nova-staging", "--wait", "--poll-interval", "20ms", "--timeout", "20s")
					cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
					_ = cmd.Run() // the step under test gives the verdict
				}()
			}
			status, out := r.run(script, "DEPLOY_BY="+tt.by, "TIMEOUT_MINUTES=1", "POLL_SECONDS=0.1", "REASON=why", "KUBECONFIG="+kubeconfig)
			if got := r.outputs()["verdict"]; got != tt.verdict || (status == 0) != (tt.verdict == "verified") {
				t.Errorf("status %d, verdict %q, want %q: %s", status, got, tt.verdict, out)
			}
			if !strings.Contains(out, tt.says) {
				t.Errorf("said %q, want %q in it", out, tt.says)
			}
			var rows []map[string]any
			if err := json.Unmarshal([]byte(r.read("deployment/status.json")), &rows); err != nil || len(rows) != 1 || rows[0]["application"] != "argocd/nova-staging" {
				t.Errorf("kept the status %v, %v", rows, err)
			}
		})
	}
}
