// Package apply carries decisions out: it writes, and when the Application was
// changed meanwhile it reads again and decides again.
package apply

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/proerror77/nova-staging/trigger/application"
	"github.com/proerror77/nova-staging/trigger/cluster"
	"github.com/proerror77/nova-staging/trigger/metrics"
	"github.com/proerror77/nova-staging/trigger/move"
)

// Client reads and writes Applications.
type Client interface {
	Get(ctx context.Context, namespace, name string) (*application.Application, error)
	Patch(ctx context.Context, app *application.Application, patch []byte) (*application.Application, error)
	Event(ctx context.Context, app *application.Application, warning bool, reason, message string) error
}

// Writer carries decisions out. All fields are required.
type Writer struct {
	Client  Client
	Metrics *metrics.Metrics
	Log     *slog.Logger
}

const (
	// attempts at one decision: whoever changes an Application more often than
	// this in a row will let us in at the next event.
	attempts = 8
	// courtesy bounds the writing of an Event.
	courtesy = 5 * time.Second
)

// Decide is what to do about an Application as it was just read.
type Decide func(*application.Application) (move.Action, error)

// Apply decides and writes. It gives the action that was carried out and the
// Application after it. An error means that nothing was written, or that it is
// not known: decide again later.
func (w *Writer) Apply(ctx context.Context, app *application.Application, decide Decide) (move.Action, *application.Application, error) {
	var last error
	for try := range attempts {
		if try > 0 {
			w.Metrics.Conflicts.Inc()
			fresh, err := w.Client.Get(ctx, app.Namespace, app.Name)
			if err != nil {
				return move.Action{}, app, err
			}
			if fresh.ResourceVersion == app.ResourceVersion {
				// What we read was the latest: the patch itself is refused.
				return move.Action{}, app, fmt.Errorf("%w; nobody changed it, so it is an admission policy or the Application's schema that refuses", last)
			}
			app = fresh
		}
		action, err := decide(app)
		if err != nil || action.Outcome == move.Nothing {
			return action, app, err
		}
		patch, err := app.Patch(action.Change)
		if err != nil {
			return move.Action{}, app, err
		}
		after, err := w.Client.Patch(ctx, app, patch)
		if errors.Is(err, cluster.ErrChanged) {
			last = err
			continue
		}
		if err != nil {
			return move.Action{}, app, err
		}
		w.tell(ctx, app, action)
		return action, after, nil
	}
	return move.Action{}, app, fmt.Errorf("%w (%d times in a row)", last, attempts)
}

// tell says what was done in the log, a metric and an Event.
func (w *Writer) tell(ctx context.Context, before *application.Application, a move.Action) {
	r := a.Change.Record
	log := w.Log.With("application", before.Key(), "instant", application.FormatInstant(r.Instant))
	switch a.Outcome {
	case move.Moved:
		w.Metrics.Moves.WithLabelValues(string(application.Deploy)).Inc()
		if !r.PushedAt.IsZero() {
			w.Metrics.PushToMoved.Observe(max(0, r.MovedAt.Sub(r.PushedAt).Seconds()))
		}
		log.Info("moved as-of", "from", r.From, "reason", r.Reason, "by", r.By)
		w.event(ctx, before, false, "AsOfMoved", fmt.Sprintf("as-of moved from %s to %s by %s: %s", r.From, application.FormatInstant(r.Instant), r.By, orNone(r.Reason)))
	case move.Queued:
		w.Metrics.Queued.Inc()
		log.Info("pushes wait", "why", a.Why, "pushes", r.Pending.Count, "reason", r.Pending.Reason)
	case move.RolledBack:
		w.Metrics.Syncs.WithLabelValues("failed").Inc()
		w.Metrics.Rollbacks.WithLabelValues("started").Inc()
		w.Metrics.Moves.WithLabelValues(string(application.Rollback)).Inc()
		log.Warn("rolled back", "from", r.From, "failed", r.BadMessage, "by", r.By)
		w.event(ctx, before, true, "RolledBack", fmt.Sprintf("the sync at %s failed: %s; as-of moved back to %s, and holds until a newer push",
			r.From, r.BadMessage, application.FormatInstant(r.Instant)))
	case move.Mended:
		log.Info("the record was overwritten with an older one, and is restored")
	case move.Judged:
		w.judged(ctx, log, before, r)
	}
}

func (w *Writer) judged(ctx context.Context, log *slog.Logger, before *application.Application, r application.Record) {
	w.Metrics.Syncs.WithLabelValues(strings.ToLower(string(r.Verdict))).Inc()
	failed := r.Verdict == application.SyncFailed || r.Verdict == application.RenderFailed
	switch {
	case r.Kind == application.Rollback && r.Verdict == application.SyncFailed:
		w.Metrics.Rollbacks.WithLabelValues("failed").Inc()
	case r.Kind == application.Rollback && r.Final():
		w.Metrics.Rollbacks.WithLabelValues("verified").Inc()
	case r.Verdict == application.Verified && !r.PushedAt.IsZero():
		took := r.VerdictAt.Sub(r.PushedAt)
		w.Metrics.PushToVerified.Observe(max(0, took.Seconds()))
		log = log.With("pushToVerified", took.String())
	}
	level := slog.LevelInfo
	if failed {
		level = slog.LevelWarn
	}
	log.Log(ctx, level, "verdict", "verdict", r.Verdict, "message", r.Message, "kind", r.Kind)
	if r.Verdict == application.Unchanged {
		return // nothing happened to the Application
	}
	reason := string(r.Verdict)
	switch {
	case r.Kind == application.Rollback && failed:
		reason = "RollbackFailed"
	case r.Verdict == application.SyncFailed:
		reason = "SyncFailed"
	}
	w.event(ctx, before, failed, reason, r.Summary())
}

// event writes an Event. It is a courtesy: that it could not be written changes
// nothing.
func (w *Writer) event(ctx context.Context, app *application.Application, warning bool, reason, message string) {
	ctx, cancel := context.WithTimeout(ctx, courtesy)
	defer cancel()
	if err := w.Client.Event(ctx, app, warning, reason, message); err != nil {
		w.Metrics.Errors.WithLabelValues("kubernetes").Inc()
		w.Log.Debug("an Event could not be written", "application", app.Key(), "error", err)
	}
}

func orNone(s string) string {
	if s == "" {
		return "no reason given"
	}
	return s
}
