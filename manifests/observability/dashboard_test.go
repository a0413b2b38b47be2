package observability_test

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"

	"github.com/proerror77/nova-staging/internal/dashboard"
	"github.com/proerror77/nova-staging/internal/triggertest"
	"github.com/proerror77/nova-staging/trigger/application"
)

// queries are those about trigger, with the windows that they have by default: in
// shorter ones a slow machine would have forgotten what is asked for.
func queries(t *testing.T) []dashboard.Query {
	t.Helper()
	d, err := dashboard.Read(filepath.Join("grafana", "nova-staging.json"))
	if err != nil {
		t.Fatal(err)
	}
	all := slices.DeleteFunc(d.Queries("5m"), func(q dashboard.Query) bool { return !strings.Contains(q.Expr, "nova_trigger_") })
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
	for _, p := range queries(t) {
		var v model.Vector
		var err error
		s.monitor.until(fmt.Sprintf("%s has a number: %s", p.Panel, p.Expr), func() bool {
			if v, err = s.monitor.query(p.Expr); err != nil {
				t.Fatalf("%s: %s: %v", p.Panel, p.Expr, err)
			}
			for _, sample := range v {
				if !math.IsNaN(float64(sample.Value)) {
					return true
				}
			}
			return false
		}, func() string { return "found " + v.String() })
		t.Logf("%s: %s", p.Panel, v)
	}
}
