// Package observability_test fires the alerts: a real Prometheus with the shipped
// rules scrapes a real trigger, which meets real faults.
package observability_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/proerror77/nova-staging/internal/argotest"
	"github.com/proerror77/nova-staging/internal/triggertest"
	"github.com/proerror77/nova-staging/internal/waiting"
	"github.com/proerror77/nova-staging/trigger/application"
)

// TestMain lets many tests run at once: all of them wait for alerts.
func TestMain(m *testing.M) { waiting.Main(m, 32) }

// ofArgoCD are the alerts on Argo CD's own metrics. They are fired in the e2e suite,
// which has an Argo CD.
var ofArgoCD = []string{"NovaStagingNotVerified", "NovaStagingRenderFailing"}

// stage is a trigger that is watched over.
type stage struct {
	*triggertest.World
	t       *testing.T
	monitor *monitor
	address string   // of trigger
	args    []string // of trigger watch
	process *triggertest.Process
	gone    *atomic.Bool // what a fault takes away
}

// watch starts trigger, at the address that is scraped.
func (s *stage) watch() {
	s.process = s.Watch(append([]string{"--listen", s.address}, s.args...)...)
}

// deploy pushes an image and waits until it runs.
func (s *stage) deploy(tag string, repositories ...string) {
	s.t.Helper()
	for _, r := range repositories {
		s.Push(r, tag)
	}
	s.Eventually(tag+" is verified", func() bool {
		return strings.Contains(s.Argo.Live("argocd", "nova"), repositories[0]+":"+tag) && s.Record("nova").Verdict == application.Verified
	}, s.process.Log)
}

// app is the Application that is there unless a fault says otherwise.
func app(repositories ...string) argotest.App {
	a := argotest.App{Name: "nova", AsOf: triggertest.Start}
	for _, r := range repositories {
		a.Images = append(a.Images, triggertest.Host+r+":old")
	}
	return a
}

func TestEachAlertFiresOnItsFaultAndNoOther(t *testing.T) {
	t.Parallel()
	// Without Argo CD the alerts on its metrics say that it is not there.
	f := shortened(shipped(t))
	f.Groups = slices.DeleteFunc(f.Groups, func(g group) bool { return slices.Contains(ofArgoCD, g.Rules[0].Alert) })
	rules, err := yaml.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		t.Run(f.alert+": "+f.what, func(t *testing.T) {
			t.Parallel()
			s := &stage{World: triggertest.New(t), t: t, address: freeAddress(t)}
			s.monitor = watchOver(t, s.address, rules)
			if f.begin != nil {
				f.begin(s)
			} else {
				s.API.Add(app("nova/auth"))
			}
			s.Run()
			s.watch()
			if f.healthy != nil {
				f.healthy(s)
			} else {
				s.deploy("good1", "nova/auth")
			}
			s.monitor.begin()
			for end := time.Now().Add(1500 * time.Millisecond); time.Now().Before(end); time.Sleep(evaluate) {
				if firing := s.monitor.alerts("firing"); len(firing) > 0 {
					t.Fatalf("firing without a fault: %v", firing)
				}
			}
			began := time.Now()
			lift := f.inject(s)
			fires := func() bool {
				firing := s.monitor.alerts("firing")
				for _, name := range firing {
					if name != f.alert && !slices.Contains(f.with, name) {
						t.Fatalf("%s fires for this fault, too", name)
					}
				}
				return slices.Contains(firing, f.alert)
			}
			s.monitor.until(f.alert+" fires", fires, s.monitor.active)
			t.Logf("fires after %s", time.Since(began).Round(100*time.Millisecond))
			if lift != nil {
				lift()
			}
			began = time.Now()
			s.monitor.until("all are silent again", func() bool { return len(s.monitor.alerts("firing")) == 0 }, s.monitor.active)
			t.Logf("silent after %s", time.Since(began).Round(100*time.Millisecond))
		})
	}
}

// TestEveryAlertIsSeenFiring holds the file to the two lists.
func TestEveryAlertIsSeenFiring(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("..", "..", "e2e", "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	e2e := ""
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		e2e += string(data)
	}
	seen := map[string]bool{}
	for _, f := range faults {
		seen[f.alert] = true
	}
	for _, r := range shipped(t).rules() {
		foreign := slices.Contains(ofArgoCD, r.Alert)
		if ours := strings.Contains(r.Expr, "nova_trigger_"); ours == foreign || ours == strings.Contains(r.Expr, "argocd_") {
			t.Errorf("%s is on metrics of Argo CD, or of trigger, and in the list for them: %s", r.Alert, r.Expr)
		}
		if seen[r.Alert] == foreign {
			t.Errorf("%s: a fault fires it here: %t, in the e2e suite: %t", r.Alert, seen[r.Alert], foreign)
		}
		if foreign && !strings.Contains(e2e, `Alert(ctx, "`+r.Alert+`", true)`) {
			t.Errorf("the e2e suite does not wait for %s", r.Alert)
		}
		delete(seen, r.Alert)
	}
	for name := range seen {
		t.Errorf("there is a fault for %s, which is no alert", name)
	}
}
