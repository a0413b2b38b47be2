package move

import (
	"slices"
	"sync"
	"time"

	"github.com/proerror77/nova-staging/trigger/application"
	"github.com/proerror77/nova-staging/trigger/push"
)

// split tells pushes that are not deployed yet from those that are: recorded as
// such, or older than the instant in force, or than the one that failed.
func split(now Now, app *application.Application, pushes []push.Push, took func(id string) bool) (fresh, covered []push.Push) {
	for _, p := range pushes {
		if isCovered(now, app, p, took) {
			covered = append(covered, p)
		} else {
			fresh = append(fresh, p)
		}
	}
	return fresh, covered
}

// Covered says whether a push needs no move any more.
func Covered(now Now, app *application.Application, p push.Push) bool {
	return isCovered(now, app, p, tookIn(app))
}

func isCovered(now Now, app *application.Application, p push.Push, took func(id string) bool) bool {
	r := app.Record
	if p.Known(r.Covered) {
		return true
	}
	// What waits takes in what is older. Its IDs are the newest only: a poller that
	// tells of more than these would have them written again and again.
	if q := r.Pending; q != nil && (p.Known(q.IDs) || p.Time.Before(q.Newest.Add(-Margin))) {
		return true
	}
	return p.Time.Before(Reference(now, app).Add(-Margin)) || took(p.ID)
}

// tookIn says whether the last sync with hooks, or that at the newest instant of the
// record, holds the image that was pushed, at an instant that takes the push in. Seen
// there, it leaves no doubt of clocks that differ, or of a listing that was late: it need
// not be older by [Margin].
func tookIn(app *application.Application) func(id string) bool {
	in := func(id string, images []string, at time.Time) bool {
		pushed, ok := push.ImageOf(id, images)
		return ok && !pushed.Add(After).After(at)
	}
	o, r := app.Operation, app.Record
	// Hundreds of references take milliseconds, and there may be as many pushes.
	images := sync.OnceValue(func() []string { return push.Images(o.Images) })
	return func(id string) bool {
		return in(id, r.Images, r.Newest()) || !o.Partial && !o.AsOf.IsZero() && in(id, images(), o.AsOf)
	}
}

// held are the images that the sync at an instant is known to have held.
func held(app *application.Application, at time.Time) []string {
	if o := app.Operation; !o.Partial && o.AsOf.Equal(at) && len(o.Images) > 0 {
		return push.Images(o.Images)
	}
	if app.Record.Newest().Equal(at) {
		return app.Record.Images
	}
	return nil
}

// dealtWith gives what a record has taken in, and what still waits, once the last
// sync is taken into account.
func dealtWith(app *application.Application, took func(id string) bool) (covered []string, pending *application.Pending) {
	r := app.Record
	p := r.Pending
	if p == nil {
		return r.Covered, nil
	}
	all := p.Count <= len(p.IDs) // those that were left out may be in no sync
	if slices.ContainsFunc(p.IDs, func(id string) bool {
		return !(push.Push{ID: id}).Known(r.Covered) && !(all && took(id))
	}) {
		return r.Covered, p
	}
	return application.AddIDs(r.Covered, p.IDs...), nil
}

// Reference is the instant up to which everything has been dealt with: where as-of
// stands, or stood before it went back, by a rollback or a person's hand. An instant
// that a person set ahead of the registry's clock is none: what is pushed before it
// comes is in no render.
func Reference(now Now, app *application.Application) time.Time {
	var latest time.Time
	for _, at := range []time.Time{app.AsOf, app.Record.Bad, app.Record.Instant} {
		if at.After(latest) && !at.After(now.Registry.Add(Margin)) {
			latest = at
		}
	}
	return latest
}

// waitingPending is the recorded set of waiting pushes, if it is still to be
// deployed.
func waitingPending(now Now, app *application.Application, took func(id string) bool) *application.Pending {
	_, p := dealtWith(app, took)
	if p == nil || p.Newest.Before(Reference(now, app).Add(-Margin)) {
		return nil
	}
	return p
}
