package manifests_test

import (
	"bytes"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"

	trigger "github.com/proerror77/nova-staging/trigger/command"
)

// slowestFailure is how long a deployment may take until it has failed for good: its
// rollout, each attempt's smoke test, and Argo CD's pauses between them; and its rollback.
func slowestFailure(t *testing.T) (fails, rollback time.Duration) {
	t.Helper()
	var a struct {
		Spec struct {
			SyncPolicy struct {
				Retry struct {
					Limit   int `json:"limit"`
					Backoff struct {
						Duration    string `json:"duration"`
						Factor      int    `json:"factor"`
						MaxDuration string `json:"maxDuration"`
					} `json:"backoff"`
				} `json:"retry"`
			} `json:"syncPolicy"`
		} `json:"spec"`
	}
	readYAML(t, &a, "argocd", "application", "nova-staging.yaml")
	r := staging(t)
	job := one[*batchv1.Job](t, r)
	smoke := time.Duration(*job.Spec.ActiveDeadlineSeconds) * time.Second
	var rollout time.Duration
	for _, d := range all[*appsv1.Deployment](r) {
		rollout = max(rollout, time.Duration(*d.Spec.ProgressDeadlineSeconds)*time.Second)
	}
	retry := a.Spec.SyncPolicy.Retry
	pause, most := duration(t, retry.Backoff.Duration), duration(t, retry.Backoff.MaxDuration)
	fails = rollout + smoke
	for range retry.Limit {
		fails += min(pause, most) + smoke
		pause *= time.Duration(retry.Backoff.Factor)
	}
	return fails, rollout + smoke
}

func duration(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestWhoWaitsForAVerdictWaitsLongEnough: what gives up before Argo CD has given up
// says "no verdict" of a deployment that fails. Where CI alone moves as-of it is the
// one that would have rolled it back.
func TestWhoWaitsForAVerdictWaitsLongEnough(t *testing.T) {
	t.Parallel()
	fails, rollback := slowestFailure(t)
	need := fails + rollback
	if need < 10*time.Minute {
		t.Fatalf("a failure and its rollback last %s: is the test still reading the manifests?", need)
	}
	var help bytes.Buffer
	if status := trigger.Run(t.Context(), trigger.Program{Args: []string{"once", "--help"}, Env: func(string) string { return "" }, Stdout: &help, Stderr: &help}); status != 0 {
		t.Fatal(help.String())
	}
	m := regexp.MustCompile(`--timeout duration .*\(default (\S+)\)`).FindStringSubmatch(help.String())
	if m == nil {
		t.Fatalf("no default in %s", help.String())
	}
	if got := duration(t, m[1]); got < need {
		t.Errorf("trigger once waits for %s, a failure and its rollback may last %s", got, need)
	}
	workflow := read(t, filepath.Join("..", ".github", "workflows", "staging-deploy.yml"))
	m = regexp.MustCompile(`STAGING_TIMEOUT_MINUTES \|\| '(\d+)' \}\}`).FindStringSubmatch(workflow)
	if m == nil {
		t.Fatal("the workflow has no default for timeout-minutes")
	}
	minutes, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	if got := time.Duration(minutes) * time.Minute; got < need {
		t.Errorf("the workflow waits for %s, a failure and its rollback may last %s", got, need)
	}
	// What it asks for: AWS's credentials last an hour.
	if minutes > 55 {
		t.Errorf("the workflow waits for %d minutes, and its credentials end after 60", minutes)
	}
}
