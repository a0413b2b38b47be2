package command_test

import (
	"testing"

	"github.com/proerror77/nova-staging/internal/argotest"
	"github.com/proerror77/nova-staging/internal/triggertest"
	"github.com/proerror77/nova-staging/trigger/application"
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
			w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"}})
			w.Run()
			p := w.Watch()
			release := w.Argo.HoldSyncs()
			w.Push("nova/auth", "good1")
			w.Syncing("nova", triggertest.Start, p.Log)
			write := w.NotifyLate("nova")
			w.Push("nova/auth", "good2")
			w.Remembered("nova", p.Log)
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
			release()
			w.Eventually("the second push is deployed", func() bool { return w.Argo.Live("argocd", "nova") == "nova/auth:good2" }, p.Log)
		})
	}
}

// TestAReleaseThatIsUndoneIsDoneAgain lets the controller put the hold back.
func TestAReleaseThatIsUndoneIsDoneAgain(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start})
	hold := func() string { return w.API.Annotation("argocd", "nova", application.HoldKey) }
	if code, _, stderr := w.CLI("hold", "-a", "nova", "--reason", "demo"); code != 0 || hold() == "" {
		t.Fatalf("hold: %d %s", code, stderr)
	}
	write := w.NotifyLate("nova")
	undone := make(chan bool)
	go func() {
		w.Eventually("it is released", func() bool { return hold() == "" })
		write()
		undone <- hold() != ""
	}()
	code, out, stderr := w.CLI("release", "-a", "nova")
	if !<-undone {
		t.Fatal("the hold was not put back")
	}
	if code != 0 || hold() != "" {
		t.Errorf("release: %d %s%s; held: %q", code, out, stderr, hold())
	}
	// One that somebody sets meanwhile is another, and stays.
	w.CLI("hold", "-a", "nova", "--reason", "demo")
	go func() {
		w.Eventually("it is released", func() bool { return hold() == "" })
		w.API.Update("argocd", "nova", func(o map[string]any) {
			argotest.Annotations(o)[application.HoldKey] = "night"
		})
		undone <- true
	}()
	w.CLI("release", "-a", "nova")
	<-undone
	if hold() != "night" {
		t.Errorf("held: %q, want the new one", hold())
	}
}
