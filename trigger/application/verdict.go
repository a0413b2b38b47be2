package application

import (
	"fmt"
	"time"
)

// Judge says what Argo CD's status tells about the last move: nothing yet ("")
// or a verdict with its reason. It speaks only of the recorded instant, and only
// while that is the one in force.
func (a *Application) Judge() (Verdict, string) {
	r := a.Record
	if r.Instant.IsZero() || a.Broken != nil || !a.AsOf.Equal(r.Instant) {
		return "", ""
	}
	// The history holds full syncs that succeeded, and stays when a self-heal
	// takes the operation's place.
	for _, d := range a.History {
		if d.ID > r.Before.HistoryID && d.AsOf.Equal(r.Instant) {
			return Verified, "sync succeeded at revision " + short(d.Revision)
		}
	}
	o := a.Operation
	if o.Requested {
		return "", ""
	}
	// A sync that ran when as-of moved takes the new instant up when it is retried.
	ours := o.AsOf.Equal(r.Instant) && o.Started != "" && (r.Before.another(o) || r.Before.Active) && !o.Partial
	switch {
	case ours && o.Failed():
		return SyncFailed, o.Why()
	case ours && o.Phase == Succeeded:
		// The history entry is written with the phase; one that was cut off by a
		// limit of zero must not hide the success.
		return Verified, "sync succeeded at revision " + short(o.Revision)
	case o.Active():
		return "", ""
	}
	// A comparison at the instant that is no older than the move.
	if !a.Sync.AsOf.Equal(r.Instant) || !r.Before.comparedSince(a.Sync) {
		return "", ""
	}
	switch {
	case a.Conditions["ComparisonError"] != "":
		return RenderFailed, a.Conditions["ComparisonError"]
	case a.Sync.Status == "Synced" && o.Partial && o.AsOf.Equal(r.Instant) && r.Before.another(o):
		return "", "" // somebody deployed it past its hooks: neither unchanged nor verified
	case a.Sync.Status == "Synced" && r.Kind == Deploy && a.failedMeanwhile():
		return SyncFailed, "the render equals what runs, whose sync at " + FormatInstant(o.AsOf) + " failed: " + o.Why()
	case a.Sync.Status == "Synced" && r.Kind == Rollback && o.Failed():
		return SyncFailed, "the render equals what runs, whose sync failed, so it is not the images: " + o.Why()
	case a.Sync.Status == "Synced" && (o.Phase == Failed || o.Phase == Error):
		return Unchanged, "the render equals what runs, whose last sync failed: " + o.Why()
	case a.Sync.Status == "Synced":
		return Unchanged, "the render equals what runs"
	}
	return "", ""
}

// failedMeanwhile says whether a sync at an earlier instant failed after as-of had
// moved on from it: Argo CD may start one in that very moment, and nobody has
// judged it.
func (a *Application) failedMeanwhile() bool {
	o, b := a.Operation, a.Record.Before
	return o.Failed() && !o.AsOf.IsZero() &&
		(b.another(o) || b.Active) && !a.WasGood(o.AsOf)
}

// Stuck says in one line why no verdict comes, as far as the status tells.
func (a *Application) Stuck() string {
	switch o := a.Operation; {
	case a.Broken != nil:
		return a.Broken.Error()
	case o.Active():
		return fmt.Sprintf("a sync is %s: %s", o.Phase, o.Message)
	case o.Partial && o.AsOf.Equal(a.AsOf):
		return "the sync at this instant was one without hooks (some resources, the strategy apply, or a dry run): only a full one verifies"
	case a.Sync.AsOf.Equal(a.AsOf) && a.Sync.Status == "OutOfSync" && a.Conditions["SyncError"] != "":
		return "Argo CD does not sync: " + a.Conditions["SyncError"]
	case a.Sync.AsOf.Equal(a.AsOf) && a.Sync.Status == "OutOfSync" && !a.Automated:
		return "Argo CD sees it OutOfSync, and automated sync is off"
	case a.Sync.AsOf.Equal(a.AsOf) && a.Sync.Status == "OutOfSync":
		return "Argo CD sees it OutOfSync and has started no sync: is there a sync window?"
	}
	return "Argo CD has not compared this instant yet"
}

// LastGood is the deployment to go back to from an instant: the last in the
// history that was made at an earlier one. The history holds only successes.
func (a *Application) LastGood(bad time.Time) (Deployment, bool) {
	for i := len(a.History) - 1; i >= 0; i-- {
		if d := a.History[i]; !d.AsOf.IsZero() && d.AsOf.Before(bad) {
			return d, true
		}
	}
	return Deployment{}, false
}

// Since is the instant at which what runs was deployed: an earlier one than as-of
// when as-of was moved since and changed nothing. After a sync that failed, or
// where Argo CD has not compared yet, it is as-of.
func (a *Application) Since() time.Time {
	n := len(a.History)
	if n == 0 || a.Operation.Phase != Succeeded || a.Operation.Requested || a.Conditions["ComparisonError"] != "" ||
		a.Sync.Status != "Synced" || !a.Sync.AsOf.Equal(a.AsOf) {
		return a.AsOf
	}
	if last := a.History[n-1].AsOf; !last.IsZero() && last.Before(a.AsOf) {
		return last
	}
	return a.AsOf
}

// WasGood says whether a full sync at an instant ever succeeded.
func (a *Application) WasGood(at time.Time) bool {
	for _, d := range a.History {
		if d.AsOf.Equal(at) {
			return true
		}
	}
	return false
}

// Proved says whether the last sync tells that what runs passed its hooks.
func (a *Application) Proved() bool {
	o := a.Operation
	return o.Phase == Succeeded && (!o.Partial || a.WasGood(o.AsOf))
}

// Status is what [Record.Before] remembers.
func (a *Application) Status() Before {
	b := Before{
		Started: a.Operation.Started, Synced: a.Operation.AsOf, Active: a.Operation.Active(),
		Reconciled: a.Sync.ReconciledAt, Compared: a.Sync.AsOf,
	}
	for _, d := range a.History {
		b.HistoryID = max(b.HistoryID, d.ID)
	}
	return b
}

func short(revision string) string {
	if len(revision) == 40 {
		return revision[:12]
	}
	if revision == "" {
		return "unknown"
	}
	return revision
}
