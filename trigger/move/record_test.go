package move_test

import (
	"slices"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/trigger/application"
	"github.com/proerror77/nova-staging/trigger/move"
	"github.com/proerror77/nova-staging/trigger/push"
	"github.com/proerror77/nova-staging/trigger/settle"
)

// decide is what is done 90 s after noon.
func decide(a *application.Application, seconds ...float64) move.Action {
	return move.Decide(move.Now{Wall: at(90), Registry: at(90)}, a, batch(85, seconds...), move.Options{By: "test", Quiet: 20 * time.Second})
}

// seen is what Argo CD's status shows: a history, a sync and a comparison.
func seen(a *application.Application) {
	a.History = []application.Deployment{{ID: 6, AsOf: at(-100)}, {ID: 7, AsOf: at(-50)}}
	a.Operation.Started, a.Operation.AsOf = "started", at(50)
	a.Sync.ReconciledAt, a.Sync.AsOf = "reconciled", at(49)
}

// waiting are pushes that the record remembers.
func waiting(r *application.Record) {
	r.Pending = &application.Pending{Newest: at(62), IDs: []string{"61", "62"}, Count: 2, Reason: "push of nova/auth:t"}
}

func TestAMoveRemembersWhatItTakesIn(t *testing.T) {
	t.Parallel()
	got := decide(app(moved(50, application.Verified, waiting), seen), 70, 65)
	r := got.Change.Record
	if got.Outcome != move.Moved || !r.Instant.Equal(at(90)) || r.Kind != application.Deploy || r.By != "test" || !r.MovedAt.Equal(at(90)) || r.From != application.FormatInstant(at(50)) {
		t.Errorf("moved as %+v", got)
	}
	if want := []string{"45", "61", "62", "70", "65"}; !slices.Equal(r.Covered, want) {
		t.Errorf("takes in %v, want what was taken in before, what waited, and the new: %v", r.Covered, want)
	}
	if !r.PushedAt.Equal(at(70)) || r.Reason != "push of nova/auth:t and 3 more" || r.Pending != nil || r.Verdict != "" {
		t.Errorf("the newest of four is at %s, for %q; %v waits", r.PushedAt, r.Reason, r.Pending)
	}
	if want := (application.Before{HistoryID: 7, Started: "started", Synced: at(50), Reconciled: "reconciled", Compared: at(49)}); r.Before != want {
		t.Errorf("before it was %+v, want %+v", r.Before, want)
	}
}

func TestAMoveThatIsAskedForForgetsNothing(t *testing.T) {
	t.Parallel()
	a := app(moved(50, application.Verified), func(a *application.Application) { a.Operation.Phase = application.Running })
	r := move.Forward(move.Now{Wall: at(90), Registry: at(90)}, a, at(90), "ada", nil).Record
	if !slices.Equal(r.Covered, []string{"45"}) || !r.Before.Active {
		t.Errorf("it takes in %v; a sync ran before: %t", r.Covered, r.Before.Active)
	}
}

func TestWhatSettlesWhileNothingMayMoveIsRemembered(t *testing.T) {
	t.Parallel()
	running := func(a *application.Application) { a.Operation.Phase = application.Running }
	got := decide(app(moved(50, application.Verified, waiting), running), 65, 70)
	p := got.Change.Record.Pending
	if got.Outcome != move.Queued || p == nil || !p.Newest.Equal(at(70)) || p.Count != 4 || !slices.Equal(p.IDs, []string{"61", "62", "65", "70"}) {
		t.Errorf("%s, and %+v waits", got.Outcome, p)
	}
	if got := decide(app(moved(50, application.Verified, waiting), running), 61.5); !got.Change.Record.Pending.Newest.Equal(at(62)) {
		t.Errorf("the newest is at %s, want %s", got.Change.Record.Pending.Newest, at(62))
	}
}

func TestARollbackForgetsNoPush(t *testing.T) {
	t.Parallel()
	got := decide(app(moved(50, "", waiting), seen, failing))
	r := got.Change.Record
	if got.Outcome != move.RolledBack || !r.Instant.Equal(at(-50)) || !r.Bad.Equal(at(50)) || r.BadMessage != "Job smoke: 500" {
		t.Fatalf("%+v", got)
	}
	if !slices.Equal(r.Covered, []string{"45"}) || r.Pending == nil || !slices.Equal(r.Pending.IDs, []string{"61", "62"}) {
		t.Errorf("it remembers %v, and %+v waits", r.Covered, r.Pending)
	}
	if want := (application.Before{HistoryID: 7, Started: "later", Synced: at(50), Reconciled: "reconciled", Compared: at(49)}); r.Before != want {
		t.Errorf("before it was %+v, want %+v", r.Before, want)
	}
	// By hand, further back: what failed stays failed.
	a := app(moved(-50, application.Verified, func(r *application.Record) { r.Kind, r.Bad = application.Rollback, at(50) }))
	if c := move.Back(move.Now{Wall: at(90), Registry: at(90)}, a, at(-100), "test", "night"); !c.Record.Bad.Equal(at(50)) {
		t.Errorf("bad is %s, want %s", c.Record.Bad, at(50))
	}
}

func TestAVerdictIsFinal(t *testing.T) {
	t.Parallel()
	// A commit at the instant fails after its images have passed.
	for _, v := range []application.Verdict{application.Verified, application.Unchanged} {
		if got := decide(app(deployed(-50), moved(50, v), failing)); got.Outcome != move.Nothing {
			t.Errorf("after %s: %+v", v, got)
		}
	}
}

func TestNoInstantIsUsedTwice(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*application.Application){
		"where as-of stands":         func(a *application.Application) { a.AsOf = at(90) },
		"which was set and set back": func(a *application.Application) { a.Record.Instant = at(90) },
		"which failed":               func(a *application.Application) { a.Record.Bad = at(90) },
	} {
		a := app(change)
		if to, again := move.Instant(move.Now{Wall: at(90.5), Registry: at(90.5)}, a, at(70)); !to.IsZero() || again.Before(at(90.9)) || again.After(at(91.1)) {
			t.Errorf("an instant %s: to %s, again at %s", name, to, again)
		}
		if to, _ := move.Instant(move.Now{Wall: at(91.5), Registry: at(91.5)}, a, at(70)); !to.Equal(at(91)) {
			t.Errorf("an instant %s: to %s, want %s", name, to, at(91))
		}
	}
}

func TestWhatWaitsIsNotHeldUp(t *testing.T) {
	t.Parallel()
	now := move.Now{Wall: at(90), Registry: at(90)}
	o := move.Options{By: "test", Quiet: 20 * time.Second}
	if got := move.Decide(now, app(moved(50, application.Verified, waiting)), batch(105, 70), o); got.Outcome != move.Nothing || !got.Again.Equal(at(105)) {
		t.Errorf("for company that is soon there: %+v", got)
	}
	if got := move.Decide(now, app(moved(50, application.Verified, waiting)), batch(1800, 70), o); got.Outcome != move.Moved || len(got.Settled) != 1 {
		t.Errorf("for a set that may never be complete: %+v", got)
	}
	// Somebody else's instant waits for no verdict of ours.
	if got := decide(app(moved(50, ""), func(a *application.Application) { a.AsOf = at(55) }), 70); got.Outcome != move.Moved {
		t.Errorf("for a verdict that can not come: %+v", got)
	}
}

// What the last sync holds is dealt with, though it is hardly older than its instant, 50 s
// after noon: a rollback brings nothing of it back.
func TestWhatTheLastSyncHoldsIsNotDeployedAgain(t *testing.T) {
	t.Parallel()
	auth := push.Repository{Account: "025434362120", Region: "ap-northeast-1", Name: "nova/auth"}
	pushed := func(digest string, seconds float64) push.Push { return push.Polled(auth, digest, "t", at(seconds)) }
	for _, tt := range []struct {
		name string
		push push.Push
		sync func(*application.Operation)
		want bool
	}{
		{"an image that it holds", pushed("sha256:a", 48), nil, true},
		{"another one", pushed("sha256:b", 48), nil, false},
		{"an image that it holds, under a tag that it may be too early for", pushed("sha256:a", 49), nil, false},
		{"an image that some resources were synced with", pushed("sha256:a", 48), func(o *application.Operation) { o.Partial = true }, false},
		{"an image of a sync whose instant is not known", pushed("sha256:a", 48), func(o *application.Operation) { o.AsOf = time.Time{} }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synced := func(a *application.Application) {
				failing(a)
				a.Operation.Images = []string{"025434362120.dkr.ecr.ap-northeast-1.amazonaws.com/nova/auth:t@sha256:a"}
				if tt.sync != nil {
					tt.sync(&a.Operation)
				}
			}
			arrived := settle.Batch{Ready: at(95), Pushes: []push.Push{tt.push}}
			now, o := move.Now{Wall: at(90), Registry: at(90)}, move.Options{By: "test", Quiet: 20 * time.Second}
			wait := func(r *application.Record) {
				r.Pending = &application.Pending{Newest: tt.push.Time, IDs: []string{tt.push.ID}, Count: 1}
			}
			judged := app(moved(50, application.SyncFailed), synced)
			if got := move.Covered(now, judged, tt.push); got != tt.want {
				t.Errorf("just arrived, it is covered: %t, want %t", got, tt.want)
			}
			if got := move.Decide(now, judged, arrived, o); (len(got.Dropped) == 1) != tt.want {
				t.Errorf("settling, %d are dropped: want that %t", len(got.Dropped), tt.want)
			}
			held := func(a *application.Application) { seen(a); synced(a); a.Settings.Hold = "x" }
			got := move.Decide(now, app(moved(50, "", wait), held), settle.Batch{}, o)
			if r := got.Change.Record; got.Outcome == move.Judged && (r.Pending == nil) != tt.want {
				t.Errorf("with the verdict %+v waits: want that %t", r.Pending, !tt.want)
			} else if tt.want && got.Outcome != move.Judged {
				t.Errorf("%+v, want a verdict", got)
			}
			got = move.Decide(now, app(moved(50, ""), seen, synced), arrived, o)
			if tt.want != (len(got.Settled) == 1) || tt.want != slices.Contains(got.Change.Record.Covered, tt.push.ID) {
				t.Errorf("settling while it is rolled back: %+v, want that it is covered: %t", got, tt.want)
			}
			if r := move.Back(now, app(moved(50, application.SyncFailed, wait), synced), at(-50), "ada", "slow").Record; (r.Pending == nil) != tt.want || tt.want != slices.Contains(r.Covered, tt.push.ID) {
				t.Errorf("after a rollback by hand %+v waits and %v is covered: want that %t", r.Pending, r.Covered, !tt.want)
			}
			more := func(r *application.Record) { wait(r); r.Pending.Count = 2 }
			if r := move.Back(now, app(moved(50, application.SyncFailed, more), synced), at(-50), "ada", "slow").Record; r.Pending == nil {
				t.Error("a push whose ID was left out is forgotten")
			}
		})
	}
}

// The rollback's sync, or a self-heal's, takes the place of the one that is known to have
// held an image, and polling tells of it again.
func TestWhatASyncHeldIsRemembered(t *testing.T) {
	t.Parallel()
	auth := push.Repository{Account: "025434362120", Region: "ap-northeast-1", Name: "nova/auth"}
	pushed := func(digest, tag string, seconds float64) push.Push {
		return push.Polled(auth, "sha256:"+digest, tag, at(seconds))
	}
	now, o := move.Now{Wall: at(90), Registry: at(90)}, move.Options{By: "test"}
	held := func(a *application.Application) {
		failing(a)
		a.Operation.Images = []string{"025434362120.dkr.ecr.ap-northeast-1.amazonaws.com/nova/auth:t@sha256:a"}
	}
	selfHeal := func(a *application.Application) { a.Operation.Partial, a.Operation.Images = true, nil }
	rolledBack := func(c application.Change) *application.Application {
		return app(func(a *application.Application) {
			a.Record, a.AsOf = c.Record, c.To
			a.Operation = application.Operation{Phase: application.Succeeded, AsOf: c.To}
		})
	}
	failed := rolledBack(move.Decide(now, app(moved(50, ""), seen, held), settle.Batch{}, o).Change)
	verified := move.Decide(now, app(moved(50, ""), seen, held, func(a *application.Application) { a.Operation.Phase = application.Succeeded }), settle.Batch{}, o)
	healed := app(func(a *application.Application) { a.Record, a.AsOf = verified.Change.Record, at(50) }, selfHeal)
	ahead := app(moved(-50, application.Verified), func(a *application.Application) { a.AsOf = at(900) }, held)
	for name, tt := range map[string]struct {
		app  *application.Application
		want bool
	}{
		"after a rollback":                                  {failed, true},
		"after another, further back":                       {rolledBack(move.Back(now, failed, at(-100), "ada", "slow")), true},
		"after a self-heal":                                 {healed, true},
		"after a self-heal and a rollback by hand":          {rolledBack(move.Back(now, healed, at(-50), "ada", "slow")), true},
		"after a rollback from an instant not come yet":     {rolledBack(move.Back(now, ahead, at(-50), "ada", "a typing error")), false},
		"after a rollback from what a self-heal alone told": {rolledBack(move.Back(now, app(moved(50, application.Verified), held, selfHeal), at(-50), "ada", "slow")), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := move.Covered(now, tt.app, pushed("a", "t", 48)); got != tt.want {
				t.Errorf("it is covered: %t, want %t", got, tt.want)
			}
			for what, p := range map[string]push.Push{"another image": pushed("b", "t", 48), "it, tagged a little before the instant": pushed("a", "u", 49), "it, tagged after the instant": pushed("a", "u", 60)} {
				if move.Covered(now, tt.app, p) {
					t.Errorf("%s is covered", what)
				}
			}
		})
	}
}
