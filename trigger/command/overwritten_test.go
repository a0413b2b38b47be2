package command_test

import (
	"testing"
	"time"

	"github.com/proerror77/nova-staging/internal/argotest"
	"github.com/proerror77/nova-staging/internal/triggertest"
)

// TestAnOlderRecordThatIsPutBackLosesNoPush lets a push be remembered while a sync
// runs, so that its message is gone, and then lets Argo CD's notifications
// controller write what it had read before.
func TestAnOlderRecordThatIsPutBackLosesNoPush(t *testing.T) {
	t.Parallel()
	for name, restart := range map[string]bool{"while trigger watches": false, "while no trigger is there": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := triggertest.New(t)
			w.Argo.SyncTime = 2500 * time.Millisecond
			w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"}})
			w.Run()
			p := w.Watch()
			w.Push("nova/auth", "good1")
			w.Eventually("a sync is under way", func() bool { return w.API.AsOf("argocd", "nova") != triggertest.Start }, p.Log)
			write := w.NotifyLate("nova")
			w.Push("nova/auth", "good2")
			w.Eventually("the second push is remembered", func() bool {
				return w.Record("nova").Pending != nil && w.Queue.Len() == 0
			}, p.Log)
			if restart {
				p.Stop()
			}
			write()
			if restart {
				if w.Record("nova").Pending != nil {
					t.Fatal("the older record was not put back")
				}
				p = w.Watch()
			}
			w.Eventually("the second push is deployed", func() bool { return w.Argo.Live("argocd", "nova") == "nova/auth:good2" }, p.Log)
		})
	}
}
