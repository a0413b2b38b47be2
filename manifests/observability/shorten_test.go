package observability_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"sigs.k8s.io/yaml"
)

type rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for,omitempty"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

type group struct {
	Name  string `json:"name"`
	Rules []rule `json:"rules"`
}

type ruleFile struct {
	Groups []group `json:"groups"`
}

// rules of all groups.
func (f ruleFile) rules() []rule {
	var all []rule
	for _, g := range f.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// shipped are the alerts as they are.
func shipped(t *testing.T) ruleFile {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("rules", "nova-staging.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var f ruleFile
	if err := yaml.UnmarshalStrict(data, &f); err != nil {
		t.Fatal(err)
	}
	if n := len(f.rules()); n < 14 {
		t.Fatalf("%d alerts", n)
	}
	return f
}

var (
	windowRE = regexp.MustCompile(`\[(\d+[smhd])\]`)
	// slowRE finds a threshold on a histogram of seconds.
	slowRE = regexp.MustCompile(`(_seconds_bucket\b.*> )(\d+)$`)
)

// shortened makes the alerts fit for a test, and this is all that it changes:
//
//   - for becomes a 600th, 2 s at least and 4 s at most;
//   - a window of a rate or an increase becomes a 300th, 5 s at least, which are
//     10 scrapes, and 8 s at most;
//   - a threshold on a histogram of seconds becomes a hundredth.
func shortened(f ruleFile) ruleFile {
	for g := range f.Groups {
		for i := range f.Groups[g].Rules {
			r := &f.Groups[g].Rules[i]
			if r.For != "" {
				r.For = part(r.For, 600, 2*time.Second, 4*time.Second)
			}
			r.Expr = shortenedExpr(r.Expr)
		}
	}
	return f
}

func shortenedExpr(expr string) string {
	expr = windowRE.ReplaceAllStringFunc(expr, func(w string) string {
		return "[" + part(strings.Trim(w, "[]"), 300, 5*time.Second, 8*time.Second) + "]"
	})
	return slowRE.ReplaceAllStringFunc(expr, func(s string) string {
		m := slowRE.FindStringSubmatch(s)
		return m[1] + strings.TrimSuffix(m[2], "00")
	})
}

// part is one of n parts of a duration, within bounds.
func part(text string, n int, least, most time.Duration) string {
	d, err := model.ParseDuration(text)
	if err != nil {
		panic(err) // promtool has checked it
	}
	return model.Duration(min(max(time.Duration(d)/time.Duration(n), least), most)).String()
}

func TestShortening(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]string{
		`sum(increase(x{a="[1h]"}[15m])) > 0`:                                     `sum(increase(x{a="[8s]"}[5s])) > 0`,
		`sum(rate(x[10m])) / sum(rate(y[30m])) > 0.1`:                             `sum(rate(x[5s])) / sum(rate(y[6s])) > 0.1`,
		`histogram_quantile(0.9, sum by (le) (rate(x_seconds_bucket[1h]))) > 600`: `histogram_quantile(0.9, sum by (le) (rate(x_seconds_bucket[8s]))) > 6`,
		`max(abs(nova_trigger_clock_offset_seconds)) > 30`:                        `max(abs(nova_trigger_clock_offset_seconds)) > 30`,
		`absent(nova_trigger_leader) or sum(nova_trigger_leader) == 0`:            `absent(nova_trigger_leader) or sum(nova_trigger_leader) == 0`,
	} {
		if got := shortenedExpr(expr); got != want {
			t.Errorf("%s becomes %s, want %s", expr, got, want)
		}
	}
	for text, want := range map[string]string{"3m": "2s", "30m": "3s", "40m": "4s", "24h": "4s"} {
		if got := part(text, 600, 2*time.Second, 4*time.Second); got != want {
			t.Errorf("for %s becomes %s, want %s", text, got, want)
		}
	}
}
