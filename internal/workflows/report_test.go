package workflows_test

import (
	"encoding/xml"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proerror77/nova-staging/smoke/report"
	"github.com/proerror77/nova-staging/smoke/verdict"
)

type junit struct {
	Tests    int `xml:"tests,attr"`
	Failures int `xml:"failures,attr"`
	Errors   int `xml:"errors,attr"`
	Skipped  int `xml:"skipped,attr"`
	Cases    []struct {
		Class   string `xml:"classname,attr"`
		Name    string `xml:"name,attr"`
		Failure *fault `xml:"failure"`
		Error   *fault `xml:"error"`
		Skipped *fault `xml:"skipped"`
	} `xml:"testsuite>testcase"`
}

type fault struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// log is what a smoke Pod leaves: progress, then the table.
func log(t *testing.T, results []verdict.Result) string {
	t.Helper()
	r := &report.Report{Namespace: "nova", Results: results, Duration: 41 * time.Second, Notes: []string{"a remark"}}
	r.Conclude()
	var b strings.Builder
	b.WriteString("2s  auth-service rollout: ok\nSERVICE  of an earlier look\n")
	if err := report.WriteTable(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func passed(service string) []verdict.Result {
	var all []verdict.Result
	for _, c := range verdict.ServiceChecks() {
		all = append(all, verdict.Result{Service: service, Check: c, Finding: verdict.Pass("as expected"), Looks: 1})
	}
	return all
}

// TestSmokesTableBecomesJUnit writes the table with smoke's own writer: when that
// changes, this test finds it.
func TestSmokesTableBecomesJUnit(t *testing.T) {
	t.Parallel()
	broken := passed("user-service")
	for i, r := range broken {
		switch r.Check {
		case verdict.Identity:
			broken[i].Finding = verdict.Fail("pod/user-service-1", "sha256:aa", `sha256:bb <"&'>`)
			broken[i].Logs = []string{"FAILED  auth-service identity", "panic: x"}
		case verdict.Health:
			broken[i].Finding = verdict.Unknown("", "2 good answers", "the Pod was replaced")
		case verdict.Metrics:
			broken[i].Finding = verdict.Skip("not chosen")
		}
	}
	store := []verdict.Result{
		{Check: verdict.Access, Finding: verdict.Pass("granted")},
		{Check: verdict.Sentinel, Finding: verdict.Skip("not configured")},
		{Check: verdict.Kafka, Finding: verdict.Fail("topic/orders", "3 in sync", "2 in sync"), Looks: 1},
	}
	all := append(append(passed("auth-service"), broken...), store...)
	n := len(verdict.ServiceChecks())
	tests := []struct {
		name, verdict, log string
		want               []string // what is not passed, as class/name state message
		tests              int
		summary            string
	}{
		{"all passed", "verified", log(t, append(passed("auth-service"), passed("user-service")...)), nil, 2*n + 1, "Smoke test of argocd/nova-staging: verified"},
		{
			"every verdict", "rolled-back", log(t, all),
			[]string{
				`smoke.user-service/identity failure where     pod/user-service-1`,
				`smoke.user-service/health error expected  2 good answers`,
				`smoke.user-service/metrics skipped`,
				`smoke.environment/redis-sentinel skipped`,
				`smoke.environment/kafka failure where     topic/orders`,
				`smoke.deployment/argocd/nova-staging failure rolled-back: Job smoke: exit code 12`,
			},
			2*n + 2 + 1, "panic: x",
		},
		{
			"killed before its report", "failed", "2s  auth-service rollout: waiting\n",
			[]string{`smoke.deployment/argocd/nova-staging failure failed: Job smoke: exit code 12`, `smoke.deployment/smoke error it was not seen`},
			2, "auth-service rollout: waiting",
		},
		{"nothing changed", "unchanged", "", []string{`smoke.deployment/argocd/nova-staging skipped`, `smoke.deployment/smoke skipped`}, 2, "It did not run"},
		{"verified, and the log could not be read", "verified", "", []string{`smoke.deployment/smoke error it was not seen`}, 2, "neither passed nor failed"},
		{
			"no deployment at all", "", "",
			[]string{`smoke.deployment/argocd/nova-staging failure : Job smoke: exit code 12`, `smoke.deployment/smoke error it was not seen`},
			2, "neither passed nor failed",
		},
	}
	script := load(t, "staging-deploy").script(t, "smoke-test", "Report")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRunner(t)
			r.write("deployment/result.json", `{"message":"Job smoke: exit code 12"}`)
			if tt.log != "" {
				r.write("deployment/smoke/order", "smoke-1\nsmoke-2\n")
				r.write("deployment/smoke/smoke-1.log", tt.log)
				r.write("deployment/smoke/smoke-2.log", "of the rollback")
			}
			status, out := r.run(script, "VERDICT="+tt.verdict)
			if status != 0 {
				t.Fatal(out)
			}
			var got junit
			if err := xml.Unmarshal([]byte(r.read("report/smoke.xml")), &got); err != nil {
				t.Fatalf("%v\n%s", err, r.read("report/smoke.xml"))
			}
			var bad []string
			failures, errors, skipped := 0, 0, 0
			for _, c := range got.Cases {
				switch {
				case c.Failure != nil:
					failures++
					bad = append(bad, c.Class+"/"+c.Name+" failure "+c.Failure.Message)
				case c.Error != nil:
					errors++
					bad = append(bad, c.Class+"/"+c.Name+" error "+c.Error.Message)
				case c.Skipped != nil:
					skipped++
					bad = append(bad, c.Class+"/"+c.Name+" skipped")
				}
			}
			if diff := cmp.Diff(tt.want, bad); diff != "" {
				t.Errorf("not passed (-want +got):\n%s", diff)
			}
			if len(got.Cases) != tt.tests || got.Tests != tt.tests || got.Failures != failures || got.Errors != errors || got.Skipped != skipped {
				t.Errorf("%d cases, want %d; counts %+v", len(got.Cases), tt.tests, got)
			}
			if summary := r.read("GITHUB_STEP_SUMMARY"); !strings.Contains(summary, tt.summary) || strings.Contains(summary, "of an earlier look") {
				t.Errorf("the summary is\n%s", summary)
			}
			if warns := strings.Contains(out, "::warning::"); warns != (tt.verdict == "verified" && tt.log == "") {
				t.Errorf("warned: %t", warns)
			}
			if tt.name == "every verdict" && !strings.Contains(r.read("report/smoke.xml"), `sha256:bb &lt;&quot;&amp;'&gt;`) {
				t.Errorf("text is not escaped:\n%s", r.read("report/smoke.xml"))
			}
		})
	}
}

func TestTheSummaryShowsWhatRunsAndHowToLookCloser(t *testing.T) {
	t.Parallel()
	const running = `[{"service":"auth-service","relation":"this commit","running":{"tag":"61a77c6f9066","digest":"sha256:aa"}},{"service":"user-service","relation":"unknown","running":null}]`
	tests := []struct {
		name, build, verdict, instant, services string
		status                                  int
		want                                    []string
	}{
		{"verified", "success", "verified", "2026-11-20T09:10:30Z", running, 0, []string{
			"## Staging: verified", "| auth-service | this commit | `61a77c6f9066` | `sha256:aa` |", "| user-service | unknown | `?` | `?` |",
			"https://argocd.example.com/applications/argocd/nova-staging", "https://github.com/proerror77/Nova/actions/runs/17",
			"kubectl -n argocd get application nova-staging", "generate explain --all --as-of 2026-11-20T09:10:30Z", "trigger rollback",
		}},
		{"unchanged", "success", "unchanged", "2026-11-20T09:10:30Z", running, 0, []string{"## Staging: unchanged"}},
		{"rolled back", "success", "rolled-back", "2026-11-20T08:00:00Z", running, 1, []string{"## Staging: rolled-back"}},
		{"a service did not build", "failure", "", "", "", 1, []string{"## Staging: not deployed", "builds: failure"}},
		{"verified by an earlier attempt is not enough", "failure", "verified", "", "", 1, nil},
	}
	script := load(t, "staging-deploy").script(t, "notify-completion", "Summary")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRunner(t)
			if tt.services != "" {
				r.write("deployment/services.json", tt.services)
			}
			status, out := r.run(script, "BUILD="+tt.build, "DEPLOY=success", "VERDICT="+tt.verdict, "INSTANT="+tt.instant, "ARGOCD_URL=https://argocd.example.com/")
			if status != tt.status {
				t.Errorf("status %d, want %d: %s", status, tt.status, out)
			}
			summary := r.read("GITHUB_STEP_SUMMARY")
			for _, want := range tt.want {
				if !strings.Contains(summary, want) {
					t.Errorf("the summary lacks %q:\n%s", want, summary)
				}
			}
			if (status != 0) != strings.Contains(out, "::error") {
				t.Errorf("said %q", out)
			}
		})
	}
}

// TestADeploymentThatNeverBeganIsReported: without a role or a trigger to download
// there is no artifact of it, and a download that fails skips what follows.
func TestADeploymentThatNeverBeganIsReported(t *testing.T) {
	t.Parallel()
	w := load(t, "staging-deploy")
	for _, name := range []string{"smoke-test", "notify-completion"} {
		if s := w.action(t, name, "actions/download-artifact"); s.With["name"] != "deployment" || !s.ContinueOnError {
			t.Errorf("%s says nothing where there is no artifact: its download is %+v", name, s)
		}
	}
	r := newRunner(t)
	if status, out := r.run(w.script(t, "smoke-test", "Report"), "VERDICT="); status != 0 {
		t.Errorf("the report: status %d, %s", status, out)
	}
	if !strings.Contains(r.read("report/smoke.xml"), `failures="1" errors="1"`) {
		t.Errorf("the report is %s", r.read("report/smoke.xml"))
	}
	status, out := r.run(w.script(t, "notify-completion", "Summary"), "BUILD=success", "DEPLOY=failure", "VERDICT=", "INSTANT=", "ARGOCD_URL=")
	if status != 1 || !strings.Contains(out, "builds: success, deployment: failure") || !strings.Contains(r.read("GITHUB_STEP_SUMMARY"), "## Staging: not deployed") {
		t.Errorf("the summary: status %d, %s\n%s", status, out, r.read("GITHUB_STEP_SUMMARY"))
	}
}

func TestTheReleaseStepsPublishWhatWasBuilt(t *testing.T) {
	t.Parallel()
	w := load(t, "release")
	t.Run("one digest and an SBOM for each image", func(t *testing.T) {
		t.Parallel()
		script := w.script(t, "images", "Build and push")
		digest := "sha256:" + strings.Repeat("a", 64)
		ko := func(refs, sbom string) string {
			return `while [ $# -gt 0 ]; do case "$1" in --image-refs) refs="$2" ;; --sbom-dir) dir="$2" ;; esac; shift; done
printf '` + refs + `' >"$refs"; ` + sbom
		}
		for _, tt := range []struct {
			name, tool string
			status     int
		}{
			{"as ko does it", ko("ghcr.io/x/y:v1@"+digest+"\nghcr.io/x/y:sha@"+digest, `echo '{}' >"$dir/generate-index.spdx.json"`), 0},
			{"two digests", ko("a@"+digest+"\nb@sha256:"+strings.Repeat("b", 64), `echo '{}' >"$dir/x.spdx.json"`), 1},
			{"no digest", ko("", `echo '{}' >"$dir/x.spdx.json"`), 1},
			{"no SBOM", ko("a@"+digest, ""), 1},
			{"ko failed", "exit 1", 1},
		} {
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				r := newRunner(t)
				r.tool("go", tt.tool)
				status, out := r.run(script, "PROGRAM=generate", "GITHUB_REF_NAME=v1.2.3")
				if status != tt.status {
					t.Fatalf("status %d, want %d: %s", status, tt.status, out)
				}
				got := r.outputs()
				if tt.status == 0 && (got["digest"] != digest || got["name"] != "ghcr.io/proerror77/nova/generate") {
					t.Errorf("outputs %v", got)
				}
				if tt.status != 0 && got["digest"] != "" {
					t.Errorf("it names %v for attestation", got)
				}
			})
		}
	})
	t.Run("checksums of every file, and -rc is a prerelease", func(t *testing.T) {
		t.Parallel()
		script := w.script(t, "publish", "Publish")
		for tag, prerelease := range map[string]bool{"v1.2.3": false, "v1.2.3-rc.1": true} {
			r := newRunner(t)
			r.tool("gh", `cd dist && sha256sum --check --strict SHA256SUMS`)
			r.write("dist/trigger_linux_amd64", "x")
			r.write("dist/generate-index.spdx.json", "{}")
			status, out := r.run(script, "GITHUB_REF_NAME="+tag)
			if status != 0 || !strings.Contains(out, "trigger_linux_amd64: OK") || !strings.Contains(out, "generate-index.spdx.json: OK") {
				t.Errorf("status %d: %s", status, out)
			}
			if calls := r.read("CALLS"); strings.Contains(calls, "--prerelease") != prerelease || !strings.Contains(calls, "dist/SHA256SUMS") {
				t.Errorf("%s: %s", tag, calls)
			}
		}
	})
}
