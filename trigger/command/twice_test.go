package command_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/internal/argotest"
	"github.com/proerror77/nova-staging/internal/triggertest"
	"github.com/proerror77/nova-staging/trigger/application"
)

// TestABadPushThatIsHeardOfTwiceIsDeployedOnce hears of pushes by events or by polling,
// and once as-of has moved in the other way, too.
func TestABadPushThatIsHeardOfTwiceIsDeployedOnce(t *testing.T) {
	t.Parallel()
	both := []string{"--poll", "--poll-interval", "1s", "--poll-budget", "6000"}
	for _, tt := range []struct {
		name        string
		first, then []string // arguments of watch
		during      bool     // the second time is while the bad sync runs, not after the rollback
	}{
		{"by polling after the rollback", nil, both, false},
		{"by polling during the sync", nil, both, true},
		{"by an event after the rollback", polling, nil, false},
		{"by an event during the sync", polling, nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := triggertest.New(t)
			w.Argo.SyncTime = 1500 * time.Millisecond
			w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"}})
			w.Run()
			p := w.Watch(tt.first...)
			w.Push("nova/auth", "good1")
			good := w.Becomes("nova", application.Deploy, application.Verified, p.Log)
			w.Push("nova/auth", "bad1")
			w.Eventually("the bad sync is asked for", func() bool { return w.Record("nova").Instant.After(good.Instant) }, p.Log)
			if !tt.during {
				w.Becomes("nova", application.Rollback, application.Verified, p.Log)
			}
			p.Stop()
			p = w.Watch(tt.then...)
			w.Becomes("nova", application.Rollback, application.Verified, p.Log)
			w.Eventually("no message is left", func() bool { return w.Queue.Len() == 0 }, p.Log)
			time.Sleep(4 * time.Second) // polled, settled, deployed again
			if r := w.Record("nova"); r.Kind != application.Rollback || r.Pending != nil || w.Argo.Syncs("argocd", "nova") != 3 {
				t.Fatalf("%d syncs, want 3: good, bad, back; record %+v", w.Argo.Syncs("argocd", "nova"), r)
			}
			// The same image under another tag is a push that was not deployed yet.
			w.Tag("nova/auth", "bad1", "good2")
			w.Eventually("the new tag is deployed", func() bool { return w.Argo.Live("argocd", "nova") == "nova/auth:good2" }, p.Log)
		})
	}
}

// TestABadPushThatCIDeploysIsNotDeployedAgain has CI ask for what it has just pushed,
// under two tags, and trigger hear of it only then.
func TestABadPushThatCIDeploysIsNotDeployedAgain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		late   bool // the sync does not list the image yet
		settle string
		args   []string
	}{
		{"known to be in the sync that runs", false, "100ms", nil},
		{"known to be in the sync that runs, and polled again after the rollback", false, "100ms", []string{"--poll", "--poll-interval", "1s", "--poll-budget", "6000"}},
		{"remembered, as the sync does not list it yet", true, "100ms", nil},
		{"still settling when the sync fails", true, "20s", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := triggertest.New(t)
			w.Argo.ListLate = tt.late
			w.API.Add(argotest.App{
				Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"},
				Annotations: map[string]string{application.SettleKey: tt.settle},
			})
			w.Run()
			p := w.Watch()
			w.Push("nova/auth", "good1")
			if tt.settle != "100ms" {
				if code, _, stderr := w.CLI("once", "-a", "argocd/nova", "--poll-interval", "50ms"); code != 0 {
					t.Fatalf("exit status %d\n%s", code, stderr)
				}
			}
			w.Becomes("nova", application.Deploy, application.Verified, p.Log)
			w.Eventually("no message is left", func() bool { return w.Queue.Len() == 0 }, p.Log)
			p.Stop()
			good := w.API.AsOf("argocd", "nova")
			w.Push("nova/auth", "bad1")
			w.Tag("nova/auth", "bad1", "bad")
			release := w.Argo.HoldSyncs()
			defer release()
			asked := make(chan string)
			go func() {
				code, _, stderr := w.CLI("once", "-a", "argocd/nova", "--wait", "--poll-interval", "50ms", "--timeout", "60s")
				asked <- fmt.Sprintf("exit status %d\n%s", code, stderr)
			}()
			w.Syncing("nova", good)
			p = w.Watch(tt.args...)
			heard := regexp.MustCompile(`(?m)^nova_trigger_pushes_total\{result="(accepted|covered)"\} [1-9]`)
			w.Eventually("trigger has heard of them", func() bool {
				_, metrics := triggertest.Get(t, p.URL+"/metrics")
				return w.Record("nova").Pending != nil || heard.MatchString(metrics) && (tt.settle != "100ms" || w.Queue.Len() == 0)
			}, p.Log)
			release()
			if said := <-asked; !strings.HasPrefix(said, "exit status 11\n") {
				t.Errorf("CI is not told of the rollback: %s", said)
			}
			w.Becomes("nova", application.Rollback, application.Verified, p.Log)
			w.Eventually("no message is left", func() bool { return w.Queue.Len() == 0 }, p.Log)
			time.Sleep(3 * time.Second) // deployed again
			if r := w.Record("nova"); r.Kind != application.Rollback || r.Pending != nil || w.Argo.Syncs("argocd", "nova") != 3 {
				t.Fatalf("%d syncs, want 3: good, bad, back; record %+v; log:\n%s", w.Argo.Syncs("argocd", "nova"), r, p.Log)
			}
		})
	}
}
