package application_test

import (
	"testing"
	"time"

	"github.com/proerror77/nova-staging/trigger/application"
)

// TestWhatIsNoAnswerToAMove has a status that would be an answer but for one thing.
func TestWhatIsNoAnswerToAMove(t *testing.T) {
	t.Parallel()
	before, at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC), time.Date(2026, 11, 20, 13, 0, 0, 0, time.UTC)
	moved := func(change func(*application.Application)) *application.Application {
		a := &application.Application{
			AsOf: at, Record: application.Record{Instant: at, Kind: application.Deploy, Before: application.Before{HistoryID: 4, Started: "before", Reconciled: "before"}},
			History:   []application.Deployment{{ID: 4, AsOf: before}},
			Operation: application.Operation{Phase: application.Succeeded, AsOf: before, Started: "before"},
			Sync:      application.Comparison{Status: "OutOfSync", AsOf: at, ReconciledAt: "after"},
		}
		change(a)
		return a
	}
	operation := func(o application.Operation) func(*application.Application) {
		return func(a *application.Application) { a.Operation = o }
	}
	for _, tt := range []struct {
		name   string
		change func(*application.Application)
		want   application.Verdict
	}{
		{"nothing yet", func(*application.Application) {}, ""},
		{"a new entry", func(a *application.Application) {
			a.History = append(a.History, application.Deployment{ID: 5, AsOf: at})
		}, application.Verified},
		{"an entry of another instant", func(a *application.Application) {
			a.History = append(a.History, application.Deployment{ID: 5, AsOf: at.Add(time.Second)})
		}, ""},
		{"an entry that was there before, at an instant that is used again by a rollback", func(a *application.Application) {
			a.Record.Kind, a.History[0].AsOf = application.Rollback, at
		}, ""},
		{"a sync of another instant that failed", operation(application.Operation{Phase: application.Failed, AsOf: before, Started: "after"}), ""},
		{"a sync at the instant that failed", operation(application.Operation{Phase: application.Failed, AsOf: at, Started: "after"}), application.SyncFailed},
		{"a sync at the instant that could not be carried out", operation(application.Operation{Phase: application.Error, AsOf: at, Started: "after"}), application.SyncFailed},
		{"one that had failed before", operation(application.Operation{Phase: application.Failed, AsOf: at, Started: "before"}), ""},
		{"one that began at the instant in the second in which the last one, at another, had", func(a *application.Application) {
			a.Record.Before.Synced, a.Operation = before, application.Operation{Phase: application.Failed, AsOf: at, Started: "before"}
		}, application.SyncFailed},
		{"one that began before at another, and was retried at this", func(a *application.Application) {
			a.Record.Before.Active, a.Operation = true, application.Operation{Phase: application.Failed, AsOf: at, Started: "before"}
		}, application.SyncFailed},
		{"one that failed, while the next is asked for", operation(application.Operation{Phase: application.Failed, AsOf: at, Started: "after", Requested: true}), ""},
		{"one that runs", func(a *application.Application) {
			a.Operation, a.Sync.Status = application.Operation{Phase: application.Running, AsOf: at, Started: "after"}, "Synced"
		}, ""},
		{"one that is being terminated", func(a *application.Application) {
			a.Operation, a.Sync.Status = application.Operation{Phase: application.Terminating, AsOf: at, Started: "after"}, "Synced"
		}, ""},
		{"equal to what runs", func(a *application.Application) { a.Sync.Status = "Synced" }, application.Unchanged},
		{"equal at another instant", func(a *application.Application) { a.Sync.Status, a.Sync.AsOf = "Synced", before }, ""},
		{"equal, found before the move", func(a *application.Application) { a.Sync.Status, a.Sync.ReconciledAt = "Synced", "before" }, ""},
		{"equal, found in the second in which the last comparison, at another instant, was made", func(a *application.Application) {
			a.Record.Before.Compared, a.Sync.Status, a.Sync.ReconciledAt = before, "Synced", "before"
		}, application.Unchanged},
		{"equal, found before the move at the instant that it goes back to", func(a *application.Application) {
			a.Record.Kind, a.Record.Before.Compared, a.Sync.Status, a.Sync.ReconciledAt = application.Rollback, at, "Synced", "before"
		}, ""},
		{"equal, never compared", func(a *application.Application) { a.Sync.Status, a.Sync.ReconciledAt = "Synced", "" }, ""},
		{"a render that fails", func(a *application.Application) {
			a.Sync.Status, a.Conditions = "Unknown", map[string]string{"ComparisonError": "no image"}
		}, application.RenderFailed},
		{"a render that failed before the move", func(a *application.Application) {
			a.Sync.ReconciledAt, a.Conditions = "before", map[string]string{"ComparisonError": "no image"}
		}, ""},
		{"somebody else's instant", func(a *application.Application) { a.AsOf, a.Sync.Status = at.Add(time.Second), "Synced" }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if v, why := moved(tt.change).Judge(); v != tt.want {
				t.Errorf("%q (%s), want %q", v, why, tt.want)
			}
		})
	}
}

func TestWhatRunsIsProvedByASyncWithHooks(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name string
		sync application.Operation
		want bool
	}{
		{"one that passed", application.Operation{Phase: application.Succeeded, AsOf: at.Add(time.Hour)}, true},
		{"not one that failed, though one at its instant passed", application.Operation{Phase: application.Failed, AsOf: at}, false},
		{"not one in part", application.Operation{Phase: application.Succeeded, Partial: true, AsOf: at.Add(time.Hour)}, false},
		{"one in part, as a self-heal, of what passed", application.Operation{Phase: application.Succeeded, Partial: true, AsOf: at}, true},
		{"not none", application.Operation{}, false},
	} {
		a := &application.Application{History: []application.Deployment{{ID: 1, AsOf: at}}, Operation: tt.sync}
		if got := a.Proved(); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
}

// As-of was moved an hour after a deployment, and changed nothing.
func TestSinceWhenWhatRunsIsThere(t *testing.T) {
	t.Parallel()
	deployed := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	asOf := deployed.Add(time.Hour)
	for _, tt := range []struct {
		name   string
		change func(*application.Application)
		want   time.Time
	}{
		{"the deployment", func(*application.Application) {}, deployed},
		{"as-of when the last sync failed", func(a *application.Application) { a.Operation.Phase = application.Failed }, asOf},
		{"as-of when a sync is asked for", func(a *application.Application) { a.Operation.Requested = true }, asOf},
		{"as-of when the render differs", func(a *application.Application) { a.Sync.Status = "OutOfSync" }, asOf},
		{"as-of when it was not compared yet", func(a *application.Application) { a.Sync.AsOf = deployed }, asOf},
		{"as-of when it can not be compared", func(a *application.Application) {
			a.Conditions = map[string]string{"ComparisonError": "no image"}
		}, asOf},
		{"as-of when the deployment's instant is not known", func(a *application.Application) { a.History[0].AsOf = time.Time{} }, asOf},
		{"as-of after a deployment at a later one", func(a *application.Application) { a.History[0].AsOf = asOf.Add(time.Hour) }, asOf},
		{"as-of without any", func(a *application.Application) { a.History = nil }, asOf},
	} {
		a := &application.Application{
			AsOf: asOf, History: []application.Deployment{{ID: 1, AsOf: deployed}},
			Operation: application.Operation{Phase: application.Succeeded, AsOf: deployed},
			Sync:      application.Comparison{Status: "Synced", AsOf: asOf},
		}
		tt.change(a)
		if got := a.Since(); !got.Equal(tt.want) {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestNobodyGoesBackToWhatHadNoInstant(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	a := &application.Application{History: []application.Deployment{{ID: 1, AsOf: noon}, {ID: 2}, {ID: 3, AsOf: noon.Add(time.Hour)}}}
	if d, ok := a.LastGood(noon.Add(time.Hour)); !ok || d.ID != 1 {
		t.Errorf("goes back to %+v", d)
	}
	if d, ok := a.LastGood(noon); ok {
		t.Errorf("goes back to %+v, where nothing was before", d)
	}
}

// Sources at different instants are none, whichever comes first.
func TestAnInstantIsThatOfAllSources(t *testing.T) {
	t.Parallel()
	source := func(at string) string {
		return `{"plugin":{"parameters":[{"name":"as-of","string":"` + at + `"}]}}`
	}
	one, other := source("2026-11-20T12:00:00Z"), source("2026-11-20T13:00:00Z")
	for text, want := range map[string]bool{one + `,{"ref":"values"},` + one: true, one + `,` + other: false, other + `,` + one: false} {
		a := application.Parse(object(t, `{`+meta+`,"status":{"sync":{"comparedTo":{"sources":[`+text+`]}}}}`))
		if !a.Sync.AsOf.IsZero() != want {
			t.Errorf("%s: %s", text, a.Sync.AsOf)
		}
	}
}
