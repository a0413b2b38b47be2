package verdict

import (
	"strings"
	"testing"
)

func result(c Check, v Verdict, class Class) Result {
	return Result{Check: c, Finding: Finding{Verdict: v, Class: class}}
}

func TestOverall(t *testing.T) {
	t.Parallel()
	passed := result(Health, Passed, "")
	tests := []struct {
		name    string
		results []Result
		verdict Verdict
		class   Class
	}{
		{"nothing at all", nil, Inconclusive, NotSeen},
		{"everything skipped", []Result{result(Health, Skipped, ""), result(Access, Passed, "")}, Inconclusive, NotSeen},
		{"everything passed", []Result{passed, result(Kafka, Skipped, "")}, Passed, OK},
		{"one could not look", []Result{passed, result(Metrics, Inconclusive, "")}, Inconclusive, NotSeen},
		{"one without a verdict", []Result{passed, {Check: Metrics}}, Inconclusive, NotSeen},
		{"failed before inconclusive", []Result{result(Access, Inconclusive, NoAccess), result(Kafka, Failed, "")}, Failed, KafkaFailed},
		{"doom explains a rollout", []Result{result(Rollout, Failed, ""), result(Rollout, Failed, Doomed)}, Failed, Doomed},
		{"identity before health", []Result{result(Routing, Failed, ""), result(Identity, Failed, "")}, Failed, IdentityFailed},
		{"rights before the rest", []Result{result(Health, Inconclusive, ""), result(Access, Inconclusive, NoAccess)}, Inconclusive, NoAccess},
		{"a signal", []Result{passed, result(Health, Inconclusive, Interrupted)}, Inconclusive, Interrupted},
		{"a failed check with the class of an inconclusive one", []Result{result(Health, Failed, NotSeen)}, Failed, HealthFailed},
		{"an optional failure", []Result{passed, {Check: Access, Finding: Finding{Verdict: Inconclusive}, Optional: true}}, Passed, OK},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if v, c := Overall(tt.results); v != tt.verdict || c != tt.class {
				t.Errorf("%s (%s), want %s (%s)", v, c, tt.verdict, tt.class)
			}
		})
	}
}

func TestCodesAreDistinctAndFitAPodFailurePolicy(t *testing.T) {
	t.Parallel()
	seen := map[int]bool{}
	for _, c := range Classes() {
		if seen[c.Code] || c.Code < 0 || c.Code > 125 || c.Class.ExitCode() != c.Code || !strings.Contains(Help(), c.Meaning) {
			t.Errorf("%+v", c)
		}
		seen[c.Code] = true
	}
	if Class("nonsense").ExitCode() != 1 {
		t.Error("an unknown class must not be 0")
	}
}
