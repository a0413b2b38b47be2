package watch

import (
	"context"
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/proerror77/nova-staging/trigger/application"
	"github.com/proerror77/nova-staging/trigger/cluster"
	"github.com/proerror77/nova-staging/trigger/move"
	"github.com/proerror77/nova-staging/trigger/push"
	"github.com/proerror77/nova-staging/trigger/settle"
)

// work decides about one Application after another until ctx ends.
func (w *Watcher) work(ctx context.Context) {
	for {
		key, shutdown := w.queue.Get()
		if shutdown || ctx.Err() != nil {
			w.queue.Done(key)
			w.queue.Add("") // the next worker has to wake, too
			return
		}
		if key != "" {
			w.decide(ctx, key)
		}
		w.queue.Done(key)
	}
}

// decide looks at one Application and does what is to be done.
func (w *Watcher) decide(ctx context.Context, key string) {
	app := w.get(key)
	if app == nil || !app.Selected {
		w.tracker.Forget(key)
		w.queue.Forget(key)
		return
	}
	w.complain(app)
	again := time.Time{}
	action, _, err := w.writer.Apply(ctx, app, func(app *application.Application) (move.Action, error) {
		rules := w.rules(app)
		return move.Decide(w.now(), app, w.tracker.Batch(key, rules), move.Options{
			By: w.o.By, NoRollback: w.o.NoRollback, Grace: w.o.Grace, Quiet: rules.Quiet,
		}), nil
	})
	switch {
	case ctx.Err() != nil:
		return // whoever acts next will decide
	case errors.Is(err, cluster.ErrNotFound):
		// It was deleted; the informer will say so.
		w.queue.AddRateLimited(key)
		return
	case err != nil:
		w.o.Metrics.Errors.WithLabelValues("kubernetes").Inc()
		w.said.every(time.Minute, "apply "+key, func() {
			w.o.Log.Error("an Application could not be changed; will try again", "application", key, "error", err)
		})
		w.queue.AddRateLimited(key)
		return
	}
	w.queue.Forget(key)
	w.o.Metrics.Pushes.WithLabelValues("covered").Add(float64(len(action.Dropped)))
	w.tracker.Take(key, action.Dropped)
	w.tracker.Take(key, action.Settled)
	if !action.Again.IsZero() {
		again = action.Again
		if wait := time.Until(again); action.Why == move.Ahead && wait > 10*time.Second {
			w.said.every(10*time.Minute, "clock "+key, func() {
				w.o.Log.Warn("a move has to wait: as-of or a push lies in the future, or clocks differ", "application", key, "as-of", app.AsOf, "wait", wait.String())
			})
		}
	}
	if !again.IsZero() {
		w.queue.AddAfter(key, time.Until(again))
	}
	if action.Outcome == move.Judged || action.Outcome == move.RolledBack || action.Outcome == move.Mended {
		w.queue.Add(key) // there may be pushes that waited for the verdict
	}
}

// complain says once what is wrong with an Application.
func (w *Watcher) complain(app *application.Application) {
	if app.Broken != nil {
		w.said.once(app.Key()+" "+app.Broken.Error(), func() {
			w.o.Log.Error("an Application is selected but can not be moved", "application", app.Key(), "error", app.Broken)
		})
	}
	for _, text := range app.Warnings {
		w.said.once(app.Key()+" "+text, func() {
			w.o.Log.Warn("a part of an Application can not be read", "application", app.Key(), "what", text)
		})
	}
}

// rules are those in force for an Application.
func (w *Watcher) rules(app *application.Application) settle.Rules {
	r := w.o.Rules
	s := app.Settings
	if s.Settle > 0 {
		r.Quiet = s.Settle
	}
	if s.MaxWait > 0 {
		r.MaxWait, r.TogetherMaxWait = s.MaxWait, s.MaxWait
	}
	r.MaxWait, r.TogetherMaxWait = max(r.MaxWait, r.Quiet), max(r.TogetherMaxWait, r.Quiet)
	r.Together = nil
	if !s.Together {
		return r
	}
	set := map[push.Repository]bool{}
	for _, repo := range RepositoriesOf(app) {
		if len(s.TogetherOf) == 0 || anyMatches(s.TogetherOf, repo) {
			set[repo] = true
		}
	}
	if len(set) > 1 {
		r.Together = set
	}
	return r
}

func anyMatches(globs []string, repo push.Repository) bool {
	for _, g := range globs {
		if matches(g, repo) {
			return true
		}
	}
	return false
}

// Waiting is what an Application waits for, for the board.
func (w *Watcher) Waiting(app *application.Application) settle.Batch {
	return w.tracker.Batch(app.Key(), w.rules(app))
}

// parsed cuts an Application down to what is kept: little more than the name of one
// that is not selected.
func parsed(u *unstructured.Unstructured) *application.Application {
	if application.Selected(u) {
		return application.Parse(u)
	}
	return &application.Application{ObjectMeta: metav1.ObjectMeta{
		Name: u.GetName(), Namespace: u.GetNamespace(), UID: u.GetUID(), ResourceVersion: u.GetResourceVersion(),
	}}
}

// reduced drops the parts of a listed Application that are large and never read.
func reduced(u *unstructured.Unstructured) *unstructured.Unstructured {
	u.SetManagedFields(nil)
	unstructured.RemoveNestedField(u.Object, "status", "resources")
	if annotations := u.GetAnnotations(); annotations["kubectl.kubernetes.io/last-applied-configuration"] != "" {
		delete(annotations, "kubectl.kubernetes.io/last-applied-configuration")
		u.SetAnnotations(annotations)
	}
	return u
}

// WaitingPushes counts the pushes that are settling.
func (w *Watcher) WaitingPushes() int { return w.tracker.Len() }
