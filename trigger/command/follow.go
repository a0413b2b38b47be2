package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/proerror77/nova-staging/trigger/application"
	"github.com/proerror77/nova-staging/trigger/cluster"
	"github.com/proerror77/nova-staging/trigger/move"
)

// patience is how long a cluster that can not be reached is tried again while
// waiting: a control plane that is replaced is away for about a minute.
const patience = 2 * time.Minute

// follow waits for the verdict on a move. It writes verdicts and rolls back
// itself, in case nobody else does.
func (m *manual) follow(ctx context.Context, app *application.Application) (*application.Application, error) {
	asked := app.Record
	said := ""
	var failing time.Time
	for {
		action, after, err := m.writer.Apply(ctx, app, func(app *application.Application) (move.Action, error) {
			a, _ := move.Judge(m.now(), app, move.Options{By: m.by(), NoRollback: m.noBack})
			return a, nil
		})
		if err == nil {
			app = after
			if action.Outcome == move.RolledBack {
				m.say("%s: the sync failed: %s", app.Key(), action.Why)
			}
			if done, err := m.outcome(app, asked); done {
				return app, err
			}
			if text := progress(app); text != said {
				m.say("%s: %s", app.Key(), text)
				said = text
			}
		}
		if !pause(ctx, m.poll) {
			return app, fmt.Errorf("application %s at %s: %s", app.Key(), application.FormatInstant(app.AsOf), app.Stuck())
		}
		fresh, err := m.conn.Get(ctx, app.Namespace, app.Name)
		switch {
		case err == nil:
			app, failing = fresh, time.Time{}
		case ctx.Err() != nil:
			return app, fmt.Errorf("application %s: no verdict yet: %w", app.Key(), err)
		case !m.endures(&failing, err):
			return app, m.unreachable(err)
		}
	}
}

// endures says whether to try again in spite of an error; failing is since when there
// have been only errors.
func (m *manual) endures(failing *time.Time, err error) bool {
	if errors.Is(err, cluster.ErrNotFound) || errors.Is(err, cluster.ErrDenied) {
		return false
	}
	if failing.IsZero() {
		*failing = time.Now()
		m.say("%s: the cluster can not be reached, will try again: %v", m.app, err)
	}
	return time.Since(*failing) <= patience
}

// outcome says whether the verdict on what was asked for is known, and as which
// error.
func (m *manual) outcome(app *application.Application, asked application.Record) (bool, error) {
	r := app.Record
	what := fmt.Sprintf("application %s at %s", app.Key(), application.FormatInstant(asked.Instant))
	failed := r.Verdict == application.SyncFailed || r.Verdict == application.RenderFailed
	switch {
	case !app.AsOf.Equal(r.Instant):
		return true, fmt.Errorf("%s: %w to %s", what, errSuperseded, application.FormatInstant(app.AsOf))
	case asked.Kind == application.Deploy && r.Kind == application.Rollback && !r.Bad.Before(asked.Instant):
		switch {
		case r.Final():
			return true, fmt.Errorf("%s: %w to %s: %s", what, errRolledBack, application.FormatInstant(r.Instant), r.BadMessage)
		case failed:
			return true, fmt.Errorf("%s: %w: %s; the rollback: %s", what, errRollback, r.BadMessage, r.Message)
		}
		return false, nil
	case asked.Kind != r.Kind, r.Instant.Before(asked.Instant):
		return true, fmt.Errorf("%s: %w to %s (%s)", what, errSuperseded, application.FormatInstant(r.Instant), r.Reason)
	}
	// A later instant takes ours in: its verdict is ours.
	switch r.Verdict {
	case application.Verified:
		return true, nil
	case application.Unchanged:
		if p := app.Operation.Phase; r.Kind == application.Deploy && (p == application.Failed || p == application.Error) {
			// Nothing was looked at: what runs is what failed.
			return true, fmt.Errorf("%s: %w before, and nothing has changed since: %s", what, errFailed, app.Operation.Why())
		}
		if r.Kind == application.Deploy && !app.Operation.Active() && !app.Proved() {
			return true, fmt.Errorf("%s: %w: the render equals what runs, and no full sync of that, with its hooks, is known to have passed; sync it in full", what, errNotProved)
		}
		return true, nil
	case application.SyncFailed:
		return true, fmt.Errorf("%s: %w: %s", what, errFailed, r.Message)
	case application.RenderFailed:
		return true, fmt.Errorf("%s: %w: %s", what, errRender, r.Message)
	}
	return false, nil
}

// progress is what happens now, in a line.
func progress(app *application.Application) string {
	if o := app.Operation; o.Active() && o.AsOf.Equal(app.AsOf) {
		if o.Message != "" {
			return "syncing: " + o.Message
		}
		return "syncing"
	}
	return app.Stuck()
}
