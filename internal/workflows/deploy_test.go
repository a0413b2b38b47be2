package workflows_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var services = []string{"auth-service", "content-service", "feed-service", "media-service", "messaging-service", "search-service", "streaming-service", "user-service"}

// cluster is what the commands of the deploy step are answered with.
type cluster struct {
	once      string   // body of trigger once
	status    []string // rows of trigger status, one a call; the last one stays
	running   string   // digest that every service runs
	runningAt string   // when that was pushed
	pushedAt  string   // when the eight images were pushed
	noRelease bool
	pods      string // shell that prints smoke's Pods
}

// on installs the cluster's commands on a runner, with eight pushed images.
func (c cluster) on(r *runner) {
	r.t.Helper()
	if c.pushedAt == "" {
		c.pushedAt = "2026-11-20T09:08:00Z"
	}
	var images []string
	for _, s := range services {
		r.write("pushed/"+s+".json", fmt.Sprintf(`{"service":%q,"image":%q,"tag":%q,"digest":"sha256:new-%s","pushedAt":%q}`, s, registry+"/nova/"+s, sha, s, c.pushedAt))
		digest := c.running
		if digest == "" {
			digest = "sha256:new-" + s
		}
		at := c.runningAt
		if at == "" {
			at = strings.TrimSuffix(c.pushedAt, "Z") + ".5Z"
		}
		images = append(images, fmt.Sprintf(`{"name":%q,"tag":"t","digest":%q,"pushedAt":%q}`, registry+"/nova/"+s, digest, at))
	}
	temp := r.env["RUNNER_TEMP"]
	release, err := json.Marshal(map[string]any{"data": map[string]string{"release.json": `{"images":[` + strings.Join(images, ",") + `]}`}})
	if err != nil {
		r.t.Fatal(err)
	}
	r.write(filepath.Join(temp, "cluster-release.json"), string(release))
	for i, row := range c.status {
		r.write(filepath.Join(temp, fmt.Sprintf("status-%d", i)), "["+row+"]")
	}
	r.tool("trigger", fmt.Sprintf(`case "$1" in
status)
  n="$(cat "$RUNNER_TEMP/n" 2>/dev/null || echo 0)"; echo $((n + 1)) >"$RUNNER_TEMP/n"
  [ -f "$RUNNER_TEMP/status-$n" ] || n=%d
  cat "$RUNNER_TEMP/status-$n" ;;
once) %s ;;
*) exit 99 ;;
esac`, len(c.status)-1, c.once))
	configMap := `cat "$RUNNER_TEMP/cluster-release.json"`
	if c.noRelease {
		configMap = `echo 'Error from server (Forbidden)' >&2; exit 1`
	}
	r.tool("kubectl", fmt.Sprintf(`case "$*" in
"--namespace nova get pods "*) %s ;;
"--namespace nova logs "*) echo "log of ${*: -1}" ;;
"--namespace nova get configmap nova-release "*) %s ;;
*) exit 99 ;;
esac`, orTrue(c.pods), configMap))
}

func orTrue(s string) string {
	if s == "" {
		return "true"
	}
	return s
}

// onceSays is trigger once with --output json, ending with a status.
func onceSays(status int, verdict, message string) string {
	return fmt.Sprintf(`echo '{"application":"argocd/nova-staging","instant":"2026-11-20T09:10:30Z","verdict":"%s","message":"%s","seconds":61}'; exit %d`, verdict, message, status)
}

func TestTheRunEndsWithTriggersVerdict(t *testing.T) {
	t.Parallel()
	progressing := `{"application":"argocd/nova-staging","instant":"2026-11-20T09:10:30Z","state":"Progressing","message":"a sync is Running"}`
	tests := []struct {
		name    string
		cluster cluster
		verdict string
		says    string
	}{
		{"verified", cluster{once: onceSays(0, "Verified", "sync succeeded")}, "verified", "argocd/nova-staging at 2026-11-20T09:10:30Z: verified"},
		{"unchanged, and this commit runs", cluster{once: onceSays(0, "Unchanged", "the render equals what runs")}, "unchanged", "unchanged"},
		{"verified with later images", cluster{once: onceSays(0, "Verified", ""), running: "sha256:other", runningAt: "2026-11-20T09:09:00Z"}, "verified", "verified"},
		{"verified, but of earlier images", cluster{once: onceSays(0, "Verified", ""), running: "sha256:other", runningAt: "2026-11-20T08:00:00Z"}, "not-deployed", "does not run this commit's auth-service, content-service"},
		{"unchanged, but of earlier images", cluster{once: onceSays(0, "Unchanged", ""), running: "sha256:other", runningAt: "2026-11-20T08:00:00Z"}, "not-deployed", "generate explain --all says why"},
		{"verified, but nobody knows what runs", cluster{once: onceSays(0, "Verified", ""), noRelease: true}, "not-deployed", "Forbidden"},
		{"failed and stayed", cluster{once: onceSays(10, "Failed", "Job smoke: exit code 12")}, "failed", "failed: Job smoke: exit code 12"},
		{"failed and rolled back", cluster{once: onceSays(11, "Verified", "Job smoke: exit code 12")}, "rolled-back", "rolled-back: Job smoke: exit code 12"},
		{"failed, and so did the rollback", cluster{once: onceSays(12, "Failed", "")}, "rollback-failed", ""},
		{"could not be rendered", cluster{once: onceSays(13, "RenderFailed", "no image satisfies the policy")}, "render-failed", "no image satisfies the policy"},
		{"held", cluster{once: `echo "trigger: application argocd/nova-staging is held: demonstration" >&2; exit 6`}, "held", "is held: demonstration"},
		{"superseded", cluster{once: onceSays(5, "", "")}, "superseded", ""},
		{"no verdict in time", cluster{once: onceSays(124, "", "")}, "no-verdict", ""},
		{"trigger broke down", cluster{once: "exit 1"}, "error", "argocd/nova-staging: error"},
		{"trigger says nothing and passes", cluster{once: "echo '{}'"}, "no-verdict", ""},
	}
	script := load(t, "staging-deploy").script(t, "deploy-to-staging", "Deploy")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRunner(t)
			tt.cluster.status = []string{progressing}
			tt.cluster.on(r)
			status, out := r.run(script, "DEPLOY_BY=once", "TIMEOUT_MINUTES=20", "POLL_SECONDS=5", "REASON=why")
			passes := tt.verdict == "verified" || tt.verdict == "unchanged"
			if (status == 0) != passes {
				t.Errorf("status %d: %s", status, out)
			}
			if got := r.outputs()["verdict"]; got != tt.verdict {
				t.Errorf("verdict %q, want %q: %s", got, tt.verdict, out)
			}
			if !strings.Contains(out, tt.says) {
				t.Errorf("said %q, want %q in it", out, tt.says)
			}
			var kept struct{ Verdict string }
			if err := json.Unmarshal([]byte(r.read("deployment/verdict.json")), &kept); err != nil || kept.Verdict != tt.verdict {
				t.Errorf("kept %+v, %v", kept, err)
			}
			if calls := r.read("CALLS"); !strings.Contains(calls, "trigger once --application argocd/nova-staging --wait --timeout 20m --reason why --output json\n") {
				t.Errorf("calls:\n%s", calls)
			}
		})
	}
}

func TestTheRunWaitsForTheVerdictOfTriggerInTheCluster(t *testing.T) {
	t.Parallel()
	row := func(instant, state, more string) string {
		return fmt.Sprintf(`{"application":"argocd/nova-staging","instant":%q,"state":%q,"message":"m of %s"%s}`, instant, state, state, more)
	}
	const before, after = "2026-11-20T08:00:00Z", "2026-11-20T09:08:30Z"
	tests := []struct {
		name    string
		status  []string
		verdict string
	}{
		{"an old verdict is none", []string{row(before, "Verified", ""), row(after, "Progressing", ""), row(after, "Verified", "")}, "verified"},
		{"nothing changed", []string{row(after, "Unchanged", "")}, "unchanged"},
		{"failed", []string{row(after, "Progressing", ""), row(after, "Failed", "")}, "failed"},
		{"could not be rendered", []string{row(after, "RenderFailed", "")}, "render-failed"},
		{"a rollback is waited for", []string{row(after, "Progressing", ""), row(before, "Progressing", `,"bad":"`+after+`"`), row(before, "RolledBack", `,"bad":"`+after+`"`)}, "rolled-back"},
		{"a rollback that fails", []string{row(before, "Failed", `,"bad":"`+after+`"`)}, "rollback-failed"},
		{"an earlier rollback does not matter", []string{row(before, "RolledBack", `,"bad":"2026-11-20T08:30:00Z"`), row(after, "Verified", "")}, "verified"},
		{"held", []string{row(before, "Verified", `,"hold":"demonstration"`)}, "held"},
		{"a hold of later pushes does not matter", []string{row(after, "Verified", `,"hold":"demonstration"`)}, "verified"},
		{"an instant with a fraction, as people may set", []string{row("2026-11-20T08:00:00.25Z", "Verified", `,"bad":"2026-11-20T08:30:00.5Z"`), row("2026-11-20T09:08:30.125Z", "Verified", "")}, "verified"},
		{"can not be moved", []string{row(before, "Broken", "")}, "error"},
	}
	script := load(t, "staging-deploy").script(t, "deploy-to-staging", "Deploy")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRunner(t)
			cluster{once: "exit 99", status: tt.status}.on(r)
			status, out := r.run(script, "DEPLOY_BY=watch", "TIMEOUT_MINUTES=1", "POLL_SECONDS=0.01", "REASON=why")
			if (status == 0) != (tt.verdict == "verified" || tt.verdict == "unchanged") {
				t.Errorf("status %d: %s", status, out)
			}
			if got := r.outputs()["verdict"]; got != tt.verdict {
				t.Errorf("verdict %q, want %q: %s", got, tt.verdict, out)
			}
		})
	}
	t.Run("gives up in time", func(t *testing.T) {
		t.Parallel()
		r := newRunner(t)
		cluster{once: "exit 99", status: []string{row(before, "Verified", "")}}.on(r)
		if status, out := r.run(script, "DEPLOY_BY=watch", "TIMEOUT_MINUTES=0", "POLL_SECONDS=0.01", "REASON=why"); status == 0 || r.outputs()["verdict"] != "no-verdict" {
			t.Errorf("status %d, verdict %q: %s", status, r.outputs()["verdict"], out)
		}
	})
}

func TestTheDeployStepRefusesWhatItDoesNotUnderstand(t *testing.T) {
	t.Parallel()
	script := load(t, "staging-deploy").script(t, "deploy-to-staging", "Deploy")
	r := newRunner(t)
	cluster{once: onceSays(0, "Verified", ""), status: []string{"{}"}}.on(r)
	if status, out := r.run(script, "DEPLOY_BY=magic", "TIMEOUT_MINUTES=1", "POLL_SECONDS=0.01", "REASON=why"); status != 2 || !strings.Contains(out, "valid values are once, watch") {
		t.Errorf("status %d: %s", status, out)
	}
	for _, minutes := range []string{"20m", "", "-1", "56", "120", "a[$(touch injected)]"} {
		if status, out := r.run(script, "DEPLOY_BY=watch", "TIMEOUT_MINUTES="+minutes, "POLL_SECONDS=0.01", "REASON=why"); status != 2 || !strings.Contains(out, "valid values are whole minutes up to 55") {
			t.Errorf("%q minutes: status %d: %s", minutes, status, out)
		}
	}
	if _, err := os.Stat(filepath.Join(r.dir, "injected")); err == nil {
		t.Error("timeout-minutes was executed")
	}
	r.write("pushed/ninth.json", `{"pushedAt":"2026-11-20T09:08:00Z"}`)
	if status, out := r.run(script, "DEPLOY_BY=once", "TIMEOUT_MINUTES=1", "POLL_SECONDS=0.01", "REASON=why"); status == 0 || !strings.Contains(out, "want 8 services, have 9") {
		t.Errorf("status %d: %s", status, out)
	}
}

func TestSmokesLogsAreKeptBeforeARollbackReplacesThem(t *testing.T) {
	t.Parallel()
	script := load(t, "staging-deploy").script(t, "deploy-to-staging", "Deploy")
	r := newRunner(t)
	cluster{
		status: []string{`{"state":"Progressing"}`},
		// The deployment's Pod, then the rollback's in its place, beside one of an
		// earlier sync.
		once: `touch "$RUNNER_TEMP/first"; while [ ! -f deployment/smoke/smoke-1.log ]; do sleep 0.02; done
  mv "$RUNNER_TEMP/first" "$RUNNER_TEMP/second"; while [ ! -f deployment/smoke/smoke-2.log ]; do sleep 0.02; done
  ` + onceSays(11, "Verified", "Job smoke: exit code 12"),
		pods: `echo smoke-0; if [ -f "$RUNNER_TEMP/first" ]; then echo smoke-1; fi; if [ -f "$RUNNER_TEMP/second" ]; then echo smoke-2; fi`,
	}.on(r)
	_, out := r.run(script, "DEPLOY_BY=once", "TIMEOUT_MINUTES=20", "POLL_SECONDS=0.02", "REASON=why")
	if got := r.read("deployment/smoke/order"); got != "smoke-1\nsmoke-2\n" {
		t.Errorf("kept %q: %s", got, out)
	}
	if got := r.read("deployment/smoke/smoke-1.log"); got != "log of smoke-1\n" {
		t.Errorf("the log is %q", got)
	}
	if r.read("deployment/smoke/smoke-0.log") != "" {
		t.Error("the log of an earlier sync was taken for this one's")
	}
	if n := strings.Count(out, "as-of none: Progressing"); n != 1 {
		t.Errorf("progress was told %d times, want once while it is the same:\n%s", n, out)
	}
}

func TestTheClusterStepWarnsWhenLogsMayNotBeRead(t *testing.T) {
	t.Parallel()
	script := load(t, "staging-deploy").script(t, "deploy-to-staging", "Reach the cluster")
	for answer, warns := range map[string]bool{"echo yes": false, "echo no; exit 1": true} {
		r := newRunner(t)
		r.tool("aws", "true")
		r.tool("kubectl", answer)
		status, out := r.run(script, "EKS_CLUSTER=nova-staging")
		if status != 0 || strings.Contains(out, "::warning::") != warns {
			t.Errorf("%s: status %d, %s", answer, status, out)
		}
	}
}
