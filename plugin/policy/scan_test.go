package policy

import "testing"

func TestTheScanGateJudgesFindings(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		gate   Scan
		counts map[string]int
		want   string
	}{
		{"nothing found", Scan{Refuse: "informational"}, nil, ""},
		{"less than the severity", Scan{Refuse: "high"}, map[string]int{"MEDIUM": 9, "LOW": 3, "INFORMATIONAL": 1}, ""},
		{"the severity itself", Scan{Refuse: "high"}, map[string]int{"HIGH": 1}, "1 HIGH: high and worse is refused"},
		{"worse than the severity, without what is less", Scan{Refuse: "high"}, map[string]int{"LOW": 7, "HIGH": 1, "CRITICAL": 2}, "2 CRITICAL, 1 HIGH: high and worse is refused"},
		{"the worst severity alone", Scan{Refuse: "critical"}, map[string]int{"CRITICAL": 1, "HIGH": 40}, "1 CRITICAL: critical is refused"},
		{"a count of none", Scan{Refuse: "low"}, map[string]int{"CRITICAL": 0}, ""},
		{"no severity yet", Scan{Refuse: "critical"}, map[string]int{"UNDEFINED": 3}, "3 UNDEFINED: the severity is not known, and scan.allow does not list undefined"},
		{"not triaged by Inspector yet", Scan{Refuse: "critical"}, map[string]int{"UNTRIAGED": 1, "LOW": 1}, "1 UNTRIAGED: the severity is not known, and scan.allow does not list undefined"},
		{"no severity, which is allowed", Scan{Refuse: "critical", Allow: []string{"undefined"}}, map[string]int{"UNDEFINED": 3}, ""},
		{"a severity that ECR may invent", Scan{Refuse: "critical"}, map[string]int{"CATASTROPHIC": 1}, "1 CATASTROPHIC: the severity is not known, and scan.allow does not list undefined"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.gate.Judge(tt.counts); got != tt.want {
				t.Errorf("judged %q, want %q", got, tt.want)
			}
		})
	}
}

// A gate that lets something through at a severity lets it through at a laxer
// one, and more findings never help.
func FuzzScanGateIsMonotonous(f *testing.F) {
	f.Add(1, 2, 3, 4, 5, 6, false)
	f.Add(0, 0, 0, 0, 0, 1, true)
	f.Fuzz(func(t *testing.T, critical, high, medium, low, info, unknown int, allow bool) {
		counts := map[string]int{"CRITICAL": critical, "HIGH": high, "MEDIUM": medium, "LOW": low, "INFORMATIONAL": info, "UNTRIAGED": unknown}
		more := map[string]int{}
		for severity, n := range counts {
			more[severity] = max(n, 1)
		}
		passed := false
		for i := len(Severities) - 1; i >= 0; i-- { // from the strictest to the laxest
			gate := Scan{Refuse: Severities[i]}
			if allow {
				gate.Allow = []string{Undefined}
			}
			now := gate.Judge(counts) == ""
			if passed && !now {
				t.Errorf("%s refuses what a stricter gate let through: %v", gate.Refuse, counts)
			}
			if !now && gate.Judge(more) == "" {
				t.Errorf("%s lets more findings through: %v", gate.Refuse, more)
			}
			passed = now
		}
	})
}
