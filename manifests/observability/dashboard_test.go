package observability_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/common/model"

	"github.com/proerror77/nova-staging/internal/triggertest"
	"github.com/proerror77/nova-staging/trigger/application"
)

// panel is one query of the dashboard.
type panel struct{ title, expr string }

// panels are the queries about trigger, with the windows that they have by default: in
// shorter ones a slow machine would have forgotten what is asked for.
func panels(t *testing.T) []panel {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("grafana", "nova-staging.json"))
	if err != nil {
		t.Fatal(err)
	}
	type query struct {
		Expr string `json:"expr"`
	}
	var d struct {
		Annotations struct{ List []query }
		Panels      []struct {
			Title   string  `json:"title"`
			Targets []query `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	var all []panel
	add := func(title string, queries []query) {
		for _, q := range queries {
			if strings.Contains(q.Expr, "nova_trigger_") {
				all = append(all, panel{title, strings.NewReplacer("$__rate_interval", "5m", "$project", "nova").Replace(q.Expr)})
			}
		}
	}
	add("annotations", d.Annotations.List)
	for _, p := range d.Panels {
		add(p.Title, p.Targets)
	}
	if len(all) < 15 {
		t.Fatalf("%d queries about trigger", len(all))
	}
	return all
}

// TestEachPanelShowsSomething has a trigger deploy and go back, and wants a number
// from each query.
func TestEachPanelShowsSomething(t *testing.T) {
	t.Parallel()
	s := &stage{World: triggertest.New(t), t: t, address: freeAddress(t)}
	s.monitor = watchOver(t, s.address, []byte("groups: []"))
	s.API.Add(app("nova/auth"))
	s.args = []string{"--poll", "--poll-interval", "1s", "--poll-budget", "6000"}
	s.Run()
	s.watch()
	s.monitor.until("trigger is scraped", func() bool {
		v, err := s.monitor.query("nova_trigger_leader == 1")
		return err == nil && len(v) == 1
	}, s.process.Log.String)
	s.deploy("good1", "nova/auth")
	s.Push("nova/auth", "bad1")
	s.Becomes("nova", application.Rollback, application.Verified, s.process.Log)
	for _, p := range panels(t) {
		var v model.Vector
		var err error
		s.monitor.until(fmt.Sprintf("%s has a number: %s", p.title, p.expr), func() bool {
			if v, err = s.monitor.query(p.expr); err != nil {
				t.Fatalf("%s: %s: %v", p.title, p.expr, err)
			}
			for _, sample := range v {
				if !math.IsNaN(float64(sample.Value)) {
					return true
				}
			}
			return false
		}, func() string { return "found " + v.String() })
		t.Logf("%s: %s", p.title, v)
	}
}
