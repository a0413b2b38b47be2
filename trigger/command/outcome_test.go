package command

import (
	"testing"
	"time"

	"github.com/proerror77/nova-staging/trigger/application"
)

func TestWhatBecameOfAMove(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	deploy := func(minutes int, v application.Verdict) application.Record {
		return application.Record{Kind: application.Deploy, Instant: at(minutes), Verdict: v}
	}
	back := func(minutes, bad int, v application.Verdict) application.Record {
		return application.Record{Kind: application.Rollback, Instant: at(minutes), Bad: at(bad), Verdict: v}
	}
	passed := application.Operation{Phase: application.Succeeded}
	const waits = -1
	for _, tt := range []struct {
		name  string
		asked application.Record
		now   application.Record
		sync  application.Operation
		want  int // exit status
	}{
		{"no verdict yet", deploy(10, ""), deploy(10, ""), passed, waits},
		{"verified", deploy(10, ""), deploy(10, application.Verified), passed, 0},
		{"a later instant, which takes it in, is verified", deploy(10, ""), deploy(20, application.Verified), passed, 0},
		{"a later instant has no verdict yet", deploy(10, ""), deploy(20, ""), passed, waits},
		{"a later instant failed", deploy(10, ""), deploy(20, application.SyncFailed), passed, 10},
		{"an earlier instant is verified", deploy(10, ""), deploy(5, application.Verified), passed, 5},
		{"the sync failed", deploy(10, ""), deploy(10, application.SyncFailed), passed, 10},
		{"the render failed", deploy(10, ""), deploy(10, application.RenderFailed), passed, 13},
		{"it was rolled back, which has no verdict yet", deploy(10, ""), back(5, 10, ""), passed, waits},
		{"it was rolled back, which is verified", deploy(10, ""), back(5, 10, application.Verified), passed, 11},
		{"it was rolled back, which changed nothing", deploy(10, ""), back(5, 10, application.Unchanged), passed, 11},
		{"it was rolled back with a later one", deploy(10, ""), back(5, 20, application.Verified), passed, 11},
		{"it was rolled back, which failed", deploy(10, ""), back(5, 10, application.SyncFailed), passed, 12},
		{"it was rolled back, which can not be rendered", deploy(10, ""), back(5, 10, application.RenderFailed), passed, 12},
		{"an earlier one was rolled back", deploy(10, ""), back(5, 8, application.Verified), passed, 5},
		{"a rollback is verified", back(5, 10, ""), back(5, 10, application.Verified), passed, 0},
		{"a rollback failed", back(5, 10, ""), back(5, 10, application.SyncFailed), passed, 10},
		{"a rollback was followed by a deployment", back(5, 10, ""), deploy(20, application.Verified), passed, 5},
		{"unchanged, of what passed", deploy(10, ""), deploy(10, application.Unchanged), passed, 0},
		{"unchanged, of what failed", deploy(10, ""), deploy(10, application.Unchanged), application.Operation{Phase: application.Failed}, 10},
		{"unchanged, of what could not be synced", deploy(10, ""), deploy(10, application.Unchanged), application.Operation{Phase: application.Error}, 10},
		{"unchanged, of what was synced in part", deploy(10, ""), deploy(10, application.Unchanged), application.Operation{Phase: application.Succeeded, Partial: true}, 10},
		{"unchanged, of what was never synced", deploy(10, ""), deploy(10, application.Unchanged), application.Operation{}, 10},
		{"unchanged, while a self-heal runs", deploy(10, ""), deploy(10, application.Unchanged), application.Operation{Phase: application.Running, Partial: true}, 0},
		{"unchanged by a rollback, after a sync in part", back(5, 10, ""), back(5, 10, application.Unchanged), application.Operation{Phase: application.Succeeded, Partial: true}, 0},
		{"unchanged by a rollback, after a sync that failed", back(5, 10, ""), back(5, 10, application.Unchanged), application.Operation{Phase: application.Failed}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			app := &application.Application{AsOf: tt.now.Instant, Record: tt.now, Operation: tt.sync}
			status := waits
			done, err := (&manual{}).outcome(app, tt.asked)
			if done {
				status = exitStatus(t.Context(), err)
			}
			if status != tt.want || !done && err != nil {
				t.Errorf("exit status %d, want %d: %v", status, tt.want, err)
			}
			app.AsOf = at(30)
			if done, err := (&manual{}).outcome(app, tt.asked); !done || exitStatus(t.Context(), err) != 5 {
				t.Errorf("with as-of elsewhere: %t, %v", done, err)
			}
		})
	}
}
