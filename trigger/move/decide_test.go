package move_test

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/proerror77/nova-staging/trigger/application"
	"github.com/proerror77/nova-staging/trigger/move"
	"github.com/proerror77/nova-staging/trigger/push"
	"github.com/proerror77/nova-staging/trigger/settle"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// app is an Application at noon that trigger has not moved yet.
func app(change ...func(*application.Application)) *application.Application {
	a := application.Parse(&unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"name": "nova", "namespace": "argocd", "resourceVersion": "1", "labels": map[string]any{application.SelectKey: "true"}},
		"spec": map[string]any{"source": map[string]any{"plugin": map[string]any{
			"parameters": []any{map[string]any{"name": "as-of", "string": "2026-11-20T12:00:00Z"}},
		}}},
	}})
	for _, c := range change {
		c(a)
	}
	return a
}

// at is an instant some seconds after noon.
func at(seconds float64) time.Time { return noon.Add(time.Duration(seconds * float64(time.Second))) }

// batch is settled pushes at these seconds after noon; their IDs are the seconds.
func batch(ready float64, seconds ...float64) settle.Batch {
	b := settle.Batch{Ready: at(ready)}
	for _, s := range seconds {
		b.Pushes = append(b.Pushes, push.Push{ID: fmt.Sprint(s), Repository: push.Repository{Name: "nova/auth"}, Tag: "t", Time: at(s)})
	}
	return b
}

func moved(seconds float64, v application.Verdict, change ...func(*application.Record)) func(*application.Application) {
	return func(a *application.Application) {
		a.Record = application.Record{Instant: at(seconds), Kind: application.Deploy, MovedAt: at(seconds), Verdict: v, Covered: []string{fmt.Sprint(seconds - 5)}}
		a.AsOf = at(seconds)
		a.Places[0].Value = application.FormatInstant(at(seconds))
		for _, c := range change {
			c(&a.Record)
		}
	}
}

func failing(a *application.Application) {
	a.Operation = application.Operation{Phase: application.Failed, AsOf: a.AsOf, Started: "later", Failures: []string{"Job smoke: 500"}}
}

// compared: the render at as-of equals what runs.
func compared(a *application.Application) {
	a.Sync = application.Comparison{Status: "Synced", AsOf: a.AsOf, ReconciledAt: "later"}
}

// lateFailure is a sync at an instant before as-of, 40 s after noon, that failed.
func lateFailure(started string) func(*application.Application) {
	return func(a *application.Application) {
		a.Operation = application.Operation{Phase: application.Failed, AsOf: at(40), Started: started, Failures: []string{"Job smoke: 500"}}
	}
}

func deployed(seconds float64) func(*application.Application) {
	return func(a *application.Application) {
		a.History = append(a.History, application.Deployment{ID: int64(len(a.History) + 1), AsOf: at(seconds)})
		a.Record.Before.HistoryID = int64(len(a.History))
	}
}

func TestAnOlderRecordThatWasPutBackIsWrittenOverFirst(t *testing.T) {
	t.Parallel()
	a := app(moved(40, application.Verified), func(a *application.Application) { a.Stale = true })
	got := move.Decide(move.Now{Wall: at(60), Registry: at(60)}, a, batch(55, 50), move.Options{By: "test"})
	if got.Outcome != move.Mended || !got.Change.To.IsZero() || !got.Change.Record.Instant.Equal(at(40)) || len(got.Settled) > 0 {
		t.Errorf("%+v, want the record written again, and the push still waiting", got)
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		app     *application.Application
		batch   settle.Batch
		now     float64 // by our clock
		ahead   float64 // how far the registry's is ahead of it
		outcome move.Outcome
		to      float64 // seconds after noon, of a move
		again   float64
		dropped int
		settled int
		verdict application.Verdict // of the record that is written
	}{
		{name: "nothing happens without pushes", app: app(), now: 60},
		{name: "a settled push moves to now", app: app(), batch: batch(60, 40), now: 60.4, outcome: move.Moved, to: 60, settled: 1},
		{name: "a push that has not settled waits", app: app(), batch: batch(60, 40), now: 59, again: 60},
		{name: "a push just now waits until the instant can take it in", app: app(), batch: batch(60, 60), now: 60.5, again: 62},
		{name: "the registry's clock counts, not ours", app: app(), batch: batch(60, 100), now: 60, ahead: 60, outcome: move.Moved, to: 120, settled: 1},
		{name: "a push in the future of our clock waits", app: app(), batch: batch(60, 100), now: 60, again: 102},
		{name: "an instant in the future is not passed over", app: app(func(a *application.Application) { a.AsOf = at(70) }), batch: batch(60, 68), now: 69, again: 71},
		{name: "a push before an instant that a person set far ahead waits, too", app: app(func(a *application.Application) { a.AsOf = at(9 * 3600) }), batch: batch(60, 40), now: 70, again: 130},
		{name: "an event from before the instant is dropped", app: app(), batch: batch(60, -11), now: 60, dropped: 1},
		{name: "an event just before the instant may not have been seen", app: app(), batch: batch(60, -9), now: 60, outcome: move.Moved, to: 60, settled: 1},
		{name: "a duplicate is dropped", app: app(moved(50, application.Verified)), batch: batch(60, 45), now: 60, dropped: 1},
		{name: "a newer push than the last move moves again", app: app(moved(50, application.Verified)), batch: batch(80, 70), now: 90, outcome: move.Moved, to: 90, settled: 1},
		{name: "a running sync makes pushes wait in the record", app: app(moved(50, application.Verified), func(a *application.Application) {
			a.Operation.Phase = application.Running
		}), batch: batch(80, 70), now: 90, outcome: move.Queued, settled: 1},
		{name: "unless it may be interrupted", app: app(moved(50, application.Verified), func(a *application.Application) {
			a.Operation.Phase, a.Settings.Interrupt = application.Running, true
		}), batch: batch(80, 70), now: 90, outcome: move.Moved, to: 90, settled: 1},
		{name: "an operation that was asked for is a running one", app: app(moved(50, application.Verified), func(a *application.Application) {
			a.Operation.Requested = true
		}), batch: batch(80, 70), now: 90, outcome: move.Queued, settled: 1},
		{name: "a move without a verdict makes pushes wait", app: app(moved(50, "")), batch: batch(80, 70), now: 90, outcome: move.Queued, settled: 1, again: 170},
		{name: "but not for ever", app: app(moved(50, "")), batch: batch(80, 70), now: 171, outcome: move.Moved, to: 171, settled: 1},
		{name: "a hold makes pushes wait", app: app(func(a *application.Application) { a.Settings.Hold = "x" }), batch: batch(80, 70), now: 90, outcome: move.Queued, settled: 1},
		{name: "what waits moves when nothing holds it any more", app: app(moved(50, application.Verified, func(r *application.Record) {
			r.Pending = &application.Pending{Newest: at(70), IDs: []string{"70"}, Count: 1}
		})), now: 90, outcome: move.Moved, to: 90},
		{name: "what waits is not asked for twice", app: app(func(a *application.Application) {
			a.Settings.Hold = "x"
			a.Record.Pending = &application.Pending{Newest: at(70), IDs: []string{"70"}, Count: 1}
		}), batch: batch(80, 70), now: 90, dropped: 1},
		{name: "nor is what is older than it, though its ID is among those that were left out", app: app(func(a *application.Application) {
			a.Settings.Hold = "x"
			a.Record.Pending = &application.Pending{Newest: at(70), IDs: []string{"70"}, Count: 100}
		}), batch: batch(80, 59), now: 90, dropped: 1},
		{name: "what may be newer is", app: app(func(a *application.Application) {
			a.Settings.Hold = "x"
			a.Record.Pending = &application.Pending{Newest: at(70), IDs: []string{"70"}, Count: 100}
		}), batch: batch(80, 61), now: 90, outcome: move.Queued, settled: 1},
		{name: "what waited and was deployed by somebody else is forgotten", app: app(func(a *application.Application) {
			a.AsOf = at(200)
			a.Record.Pending = &application.Pending{Newest: at(70), IDs: []string{"70"}, Count: 1}
		}), now: 300},
		{name: "what was deployed before somebody set as-of back is not new, told again by a poller", app: app(moved(50, application.Verified), func(a *application.Application) {
			a.AsOf = at(-100)
		}), batch: batch(60, 20), now: 90, dropped: 1},
		{name: "what is pushed after that is", app: app(moved(50, application.Verified), func(a *application.Application) {
			a.AsOf = at(-100)
		}), batch: batch(80, 70), now: 90, outcome: move.Moved, to: 90, settled: 1},
		{name: "one that trigger has moved and that can not be moved now remembers its pushes", app: app(moved(50, application.Verified), func(a *application.Application) {
			a.Broken, a.AsOf, a.Places = application.ErrNotMovable, time.Time{}, nil
		}), batch: batch(60, 70), now: 90, outcome: move.Queued, settled: 1},
		{name: "an Application that can not be moved drops its pushes", app: app(func(a *application.Application) { a.Broken = application.ErrNotMovable }), batch: batch(60, 40), now: 70, dropped: 1},

		{name: "a failed sync goes back to the last deployment", app: app(deployed(-100), deployed(-50), moved(50, ""), failing), now: 90, outcome: move.RolledBack, to: -50},
		{name: "a failed sync with nothing to go back to stays", app: app(moved(50, ""), failing), now: 90, outcome: move.Judged},
		{name: "a failed sync while held stays", app: app(deployed(-50), moved(50, ""), failing, func(a *application.Application) { a.Settings.Hold = "x" }), now: 90, outcome: move.Judged},
		{name: "a failed sync at an instant that passed before stays", app: app(moved(50, ""), deployed(-50), deployed(50), failing), now: 90, outcome: move.Judged},
		{name: "a failed sync that was judged is not judged again", app: app(deployed(-50), moved(50, application.SyncFailed), failing), now: 90},
		{name: "one that a person repeats, and that passes, is verified", app: app(deployed(-50), moved(50, application.SyncFailed), func(a *application.Application) {
			a.Operation = application.Operation{Phase: application.Succeeded, AsOf: at(50), Started: "later"}
		}), now: 90, outcome: move.Judged, verdict: application.Verified},
		{name: "one that failed stays so when a self-heal takes its place and a render fails", app: app(deployed(-50), moved(50, application.SyncFailed), compared, func(a *application.Application) {
			a.Operation = application.Operation{Phase: application.Succeeded, AsOf: at(50), Started: "later", Partial: true}
			a.Conditions = map[string]string{"ComparisonError": "no image"}
		}), now: 90},
		{name: "a failed rollback does not go back further", app: app(deployed(-50), moved(50, "", func(r *application.Record) {
			r.Kind, r.Bad = application.Rollback, at(60)
		}), failing), now: 90, outcome: move.Judged},
		{name: "a failed sync of an instant that somebody else set is not ours", app: app(deployed(-50), moved(50, ""), func(a *application.Application) {
			a.AsOf = at(55)
		}, failing), now: 90},
		{name: "an old failure at the same instant is not the answer to the move", app: app(deployed(-50), moved(50, "", func(r *application.Record) {
			r.Before.Started = "later"
		}), failing), now: 90},
		{name: "a sync of the previous instant that began as as-of moved, and failed, goes back", app: app(deployed(-50), moved(50, ""), compared, lateFailure("later")), now: 90, outcome: move.RolledBack, to: -50},
		{name: "so does one that ran when as-of moved", app: app(deployed(-50), moved(50, "", func(r *application.Record) {
			r.Before = application.Before{Started: "later", Active: true}
		}), compared, lateFailure("later")), now: 90, outcome: move.RolledBack, to: -50},
		{name: "one that had failed before as-of moved changed nothing", app: app(deployed(-50), moved(50, "", func(r *application.Record) {
			r.Before.Started = "earlier"
		}), compared, lateFailure("earlier")), now: 90, outcome: move.Judged, verdict: application.Unchanged},
		{name: "one of images that passed before is not the images' fault", app: app(deployed(-50), deployed(40), moved(50, ""), compared, lateFailure("later")), now: 90, outcome: move.Judged},
		{name: "nor is one whose instant is not known", app: app(deployed(-50), moved(50, ""), compared, lateFailure("later"), func(a *application.Application) {
			a.Operation.AsOf = time.Time{}
		}), now: 90, outcome: move.Judged, verdict: application.Unchanged},
		{name: "after a rollback that changed nothing the failure before it stays", app: app(deployed(-50), moved(50, "", func(r *application.Record) {
			r.Kind, r.Bad = application.Rollback, at(60)
		}), compared, lateFailure("later")), now: 90, outcome: move.Judged, verdict: application.SyncFailed},
		{name: "a partial sync proves nothing", app: app(moved(50, ""), func(a *application.Application) {
			a.Operation = application.Operation{Phase: application.Succeeded, AsOf: at(50), Started: "later", Partial: true}
		}), now: 90},
		{name: "what a partial sync at the instant changed is not unchanged", app: app(moved(50, ""), compared, func(a *application.Application) {
			a.Operation = application.Operation{Phase: application.Succeeded, AsOf: at(50), Started: "later", Partial: true}
		}), now: 90},
		{name: "one before it is no matter", app: app(moved(50, "", func(r *application.Record) { r.Before.Started = "earlier" }), compared, func(a *application.Application) {
			a.Operation = application.Operation{Phase: application.Succeeded, AsOf: at(50), Started: "earlier", Partial: true}
		}), now: 90, outcome: move.Judged},
		{name: "nor is one at an earlier instant", app: app(moved(50, ""), compared, func(a *application.Application) {
			a.Operation = application.Operation{Phase: application.Succeeded, AsOf: at(40), Started: "later", Partial: true}
		}), now: 90, outcome: move.Judged, verdict: application.Unchanged},
		{name: "after a rollback pushes up to the bad instant are dropped", app: app(moved(50, application.Verified, func(r *application.Record) {
			r.Kind, r.Bad = application.Rollback, at(100)
		})), batch: batch(110, 85), now: 120, dropped: 1},
		{name: "after a rollback a newer push moves, to an instant never used", app: app(moved(50, application.Verified, func(r *application.Record) {
			r.Kind, r.Bad = application.Rollback, at(120)
		})), batch: batch(121, 118), now: 120.5, again: 121},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := move.Decide(move.Now{Wall: at(tt.now), Registry: at(tt.now + tt.ahead)}, tt.app, tt.batch, move.Options{By: "test", Quiet: 20 * time.Second})
			if a.Outcome != tt.outcome || len(a.Dropped) != tt.dropped || len(a.Settled) != tt.settled {
				t.Errorf("%q, %d dropped, %d settled; want %q, %d, %d (%s)", a.Outcome, len(a.Dropped), len(a.Settled), tt.outcome, tt.dropped, tt.settled, a.Why)
			}
			if tt.verdict != "" && a.Change.Record.Verdict != tt.verdict {
				t.Errorf("the verdict is %q, want %q", a.Change.Record.Verdict, tt.verdict)
			}
			var to, again time.Time
			if tt.to != 0 {
				to = at(tt.to)
			}
			if tt.again != 0 {
				again = at(tt.again)
			}
			if !a.Change.To.Equal(to) {
				t.Errorf("moves to %s, want %s", a.Change.To, to)
			}
			if d := a.Again.Sub(again).Abs(); d > time.Second && !a.Again.Equal(again) {
				t.Errorf("looks again at %s, want %s", a.Again, again)
			}
			if a.Outcome == move.Moved && !a.Change.To.After(tt.app.AsOf) {
				t.Errorf("moves from %s back to %s", tt.app.AsOf, a.Change.To)
			}
		})
	}
}
