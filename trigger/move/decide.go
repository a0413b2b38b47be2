// Package move decides what happens to an Application's as-of. It is a function
// of what is known: nothing here waits, writes or looks at a clock.
package move

import (
	"fmt"
	"time"

	"github.com/proerror77/nova-staging/trigger/application"
	"github.com/proerror77/nova-staging/trigger/push"
	"github.com/proerror77/nova-staging/trigger/settle"
)

const (
	// After is how long after a push's time an instant takes it in for sure: the
	// event's time has whole seconds, the image's has fractions.
	After = 2 * time.Second
	// Margin is how much older than an instant a push must be to be known to be
	// in it without having been recorded: clocks are that far apart at most, and
	// an event may be stamped a little before the image can be listed.
	Margin = 10 * time.Second
	// Grace is how long Argo CD may take to answer a move with a verdict or a
	// running sync. Until then the next move waits, so that there is one sync at a
	// time; after it a render that hangs holds nothing up.
	Grace = 2 * time.Minute
)

// Ahead is why a move waits for the clock.
const Ahead = "the instant has not come yet by the registry's clock"

// Now is the time by our clock and by the registry's.
type Now struct {
	Wall     time.Time
	Registry time.Time
}

// Outcome is what a write means, also a metric's label.
type Outcome string

// The outcomes.
const (
	Nothing    Outcome = ""
	Moved      Outcome = "moved"
	Queued     Outcome = "queued"
	Judged     Outcome = "judged"
	RolledBack Outcome = "rolled-back"
	Held       Outcome = "held"
	// Mended: the record that somebody had put an older one over is written again.
	Mended Outcome = "mended"
)

// Action is what to do now.
type Action struct {
	// Outcome says what kind of write Change is; Nothing without one.
	Outcome Outcome
	Change  application.Change
	// Settled are pushes that are done once the write is acknowledged.
	Settled []push.Push
	// Dropped are pushes that need nothing.
	Dropped []push.Push
	// Again is when to decide again though nothing has happened; zero when only
	// news can change something.
	Again time.Time
	// Why is for the log.
	Why string
}

// Options of a decision.
type Options struct {
	// By says who moves, for the record.
	By string
	// NoRollback turns automatic rollback off for all.
	NoRollback bool
	// Grace replaces [Grace]. Optional.
	Grace time.Duration
	// Quiet is the settle time in force.
	Quiet time.Duration
}

// Decide says what to do about an Application, given the pushes that wait.
func Decide(now Now, app *application.Application, batch settle.Batch, o Options) Action {
	if o.Grace == 0 {
		o.Grace = Grace
	}
	// One that was moved before will be again, once somebody has mended its as-of.
	if !app.Selected || app.Broken != nil && app.Record.Instant.IsZero() {
		return Action{Dropped: batch.Pushes, Why: "not movable"}
	}
	if a, ok := Judge(now, app, o); ok {
		// The sync that is judged may be replaced by the next, and with it what tells
		// that it took these in.
		r, took := &a.Change.Record, tookIn(app)
		for _, p := range batch.Pushes {
			if took(p.ID) && !p.Known(r.Covered) {
				r.Covered = application.AddIDs(r.Covered, p.ID)
				a.Settled = append(a.Settled, p)
			}
		}
		return a
	}
	if app.Stale {
		return Action{Outcome: Mended, Change: application.Change{Record: app.Record}}
	}
	took := tookIn(app)
	fresh, dropped := split(now, app, batch.Pushes, took)
	a := Action{Dropped: dropped}
	pending := waitingPending(now, app, took)
	if len(fresh) == 0 && pending == nil {
		return a
	}
	if len(fresh) > 0 && now.Wall.Before(batch.Ready) {
		// What waits already may wait a little longer for company.
		if pending == nil || batch.Ready.Sub(now.Wall) <= o.Quiet {
			a.Again, a.Why = batch.Ready, "settling"
			return a
		}
	}
	if why, again := blocked(now, app, o); why != "" {
		a.Why, a.Again = why, again
		if len(fresh) > 0 {
			r := app.Record
			r.Pending = pending.Merge(pendingOf(fresh))
			a.Outcome, a.Change, a.Settled = Queued, application.Change{Record: r}, fresh
		}
		return a
	}
	all := pending.Merge(pendingOf(fresh))
	to, at := Instant(now, app, all.Newest)
	if !at.IsZero() {
		a.Again, a.Why = at, Ahead
		return a
	}
	a.Outcome, a.Settled = Moved, fresh
	a.Change = Forward(now, app, to, o.By, all)
	return a
}

// Judge writes a verdict when there is a new one, and rolls back with it.
func Judge(now Now, app *application.Application, o Options) (Action, bool) {
	r := app.Record
	v, why := app.Judge()
	if v == "" || v == r.Verdict || r.Final() || (r.Verdict == application.SyncFailed && v != application.Verified) {
		return Action{}, false
	}
	if v == application.SyncFailed && r.Kind == application.Deploy {
		target, ok := app.LastGood(r.Instant)
		switch {
		case app.WasGood(r.Instant):
			why += " (not rolled back: these images passed before, so they are not the cause)"
		case o.NoRollback || app.Settings.NoRollback:
			why += " (not rolled back: switched off)"
		case app.Settings.Hold != "":
			why += " (not rolled back: held)"
		case !ok:
			why += " (not rolled back: no earlier deployment succeeded)"
		default:
			return Action{Outcome: RolledBack, Change: Back(now, app, target.AsOf, o.By, why), Why: why}, true
		}
	}
	r.Covered, r.Pending = dealtWith(app, tookIn(app))
	if r.Bad.IsZero() {
		r.Images = held(app, r.Instant)
	}
	r.Verdict, r.Message, r.VerdictAt = v, why, now.Wall.UTC().Truncate(time.Second)
	return Action{Outcome: Judged, Change: application.Change{Record: r}, Why: why}, true
}

// blocked says why as-of may not move now, and when to look again.
func blocked(now Now, app *application.Application, o Options) (string, time.Time) {
	r := app.Record
	switch {
	case app.Broken != nil:
		return app.Broken.Error(), time.Time{}
	case app.Settings.Hold != "":
		return "held: " + app.Settings.Hold, time.Time{}
	case app.Settings.Interrupt:
		return "", time.Time{}
	case app.Operation.Active():
		return "a sync is running", time.Time{}
	case r.Verdict == "" && app.AsOf.Equal(r.Instant) && now.Wall.Before(r.MovedAt.Add(o.Grace)):
		return "the previous move has no verdict yet", r.MovedAt.Add(o.Grace)
	}
	return "", time.Time{}
}

// Busy says why a person's move should wait: a sync runs. Empty when none does.
func Busy(app *application.Application) string {
	if app.Operation.Active() && !app.Settings.Interrupt {
		return "a sync is running"
	}
	return ""
}

func pendingOf(pushes []push.Push) *application.Pending {
	if len(pushes) == 0 {
		return nil
	}
	p := &application.Pending{Count: len(pushes)}
	newest := pushes[0]
	for _, x := range pushes {
		p.IDs = application.AddIDs(p.IDs, x.ID)
		if !x.Time.Before(newest.Time) {
			newest = x
		}
	}
	p.Newest = newest.Time
	p.Reason = "push of " + newest.Name()
	return p
}

// Instant is where as-of moves to: the registry's time now, after the newest
// push and after every instant that was used before, in whole seconds. It never lies ahead of the
// registry's clock, or what is pushed until then would be in the render or not,
// depending on when that is made. When it would, Instant gives the time by our
// clock to try again instead.
func Instant(now Now, app *application.Application, newest time.Time) (to, again time.Time) {
	to = now.Registry.UTC().Truncate(time.Second)
	if !newest.IsZero() {
		if least := newest.Add(After).Truncate(time.Second); to.Before(least) {
			to = least.UTC()
		}
	}
	// No instant is used twice: Argo CD would take the render and the attempt of
	// the first time for those of the second.
	for _, used := range []time.Time{app.AsOf, app.Record.Instant, app.Record.Bad} {
		if !to.After(used) {
			to = used.Truncate(time.Second).Add(time.Second)
		}
	}
	if ahead := to.Sub(now.Registry); ahead > 0 {
		return time.Time{}, now.Wall.Add(min(ahead, time.Minute))
	}
	return to, time.Time{}
}

// Forward is the change that deploys.
func Forward(now Now, app *application.Application, to time.Time, by string, pushes *application.Pending) application.Change {
	old := app.Record
	r := application.Record{
		Instant: to, From: value(app), Kind: application.Deploy, By: by,
		MovedAt: now.Wall.UTC().Truncate(time.Second), Before: app.Status(), Covered: old.Covered,
	}
	if pushes != nil {
		r.PushedAt = pushes.Newest
		r.Covered = application.AddIDs(old.Covered, pushes.IDs...)
		r.Reason = pushes.Reason
		if pushes.Count > 1 {
			r.Reason += fmt.Sprintf(" and %d more", pushes.Count-1)
		}
	}
	return application.Change{To: to, Record: r}
}

// Back is the change that rolls back. What was pushed by the bad instant stays
// dealt with.
func Back(now Now, app *application.Application, to time.Time, by, why string) application.Change {
	old := app.Record
	bad := app.AsOf
	if old.Bad.After(bad) {
		bad = old.Bad
	}
	covered, pending := dealtWith(app, tookIn(app))
	// An instant that a person set ahead of the clock tells nothing of what is pushed
	// until it comes.
	var images []string
	if !bad.After(now.Registry.Add(Margin)) {
		images = held(app, bad)
	}
	r := application.Record{
		Instant: to, From: value(app), Kind: application.Rollback, By: by, Reason: "rollback from " + application.FormatInstant(app.AsOf),
		MovedAt: now.Wall.UTC().Truncate(time.Second), Before: app.Status(),
		PushedAt: old.PushedAt, Covered: covered, Pending: pending,
		Bad: bad, BadMessage: why, Images: images,
	}
	return application.Change{To: to, Record: r}
}

func value(app *application.Application) string {
	if len(app.Places) == 0 {
		return ""
	}
	return app.Places[0].Value
}
