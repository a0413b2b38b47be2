// Package check is the one small door behind which every check stands, and the
// wrappers that retry it, bound it in time and record it.
package check

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/proerror77/nova-staging/smoke/verdict"
)

// Check looks once at one thing and says what it saw. It returns soon after ctx
// ends; what it says then is not counted as a look.
type Check interface {
	Look(ctx context.Context) verdict.Finding
}

// Func is a function as a [Check].
type Func func(ctx context.Context) verdict.Finding

// Look calls f.
func (f Func) Look(ctx context.Context) verdict.Finding { return f(ctx) }

// Retry looks again until the check passes, says that its finding is final, or
// ctx ends.
type Retry struct {
	Check Check
	// Interval is the pause between two looks; the first ones are an eighth, a quarter
	// and half as long, as what is not there yet mostly comes at once. Required.
	Interval time.Duration
	// Wake starts the next look before Interval is over. Optional.
	Wake func() <-chan struct{}
	// Say is told every finding that is not the last one. Optional.
	Say func(verdict.Finding)
}

// Look gives the last finding and how often it looked.
func (r Retry) Look(ctx context.Context) (verdict.Finding, int) {
	var last verdict.Finding
	for looks := 0; ; {
		var wake <-chan struct{}
		if r.Wake != nil {
			wake = r.Wake() // before looking, so that no change is missed
		}
		if ctx.Err() != nil {
			return ended(ctx, last, looks), looks
		}
		f := Guard(func() verdict.Finding { return r.Check.Look(ctx) })
		if f.Verdict == verdict.Passed || f.Verdict == verdict.Skipped || f.Final {
			return f, looks + 1
		}
		if ctx.Err() != nil {
			if looks == 0 {
				last = f
			}
			return ended(ctx, last, looks), looks
		}
		last, looks = f, looks+1
		if r.Say != nil {
			r.Say(f)
		}
		pause := time.NewTimer(r.Interval >> max(0, 4-looks))
		select {
		case <-ctx.Done():
		case <-pause.C:
		case <-wake:
		}
		pause.Stop()
	}
}

// ended turns the last finding into that of a check that ran out of time. Where
// a look had been completed its verdict stands, and so does a first look's that
// used up the check's own time; a first look that the end of the run cut off
// decides nothing. Nor does a check that was stopped although there was time left.
func ended(ctx context.Context, last verdict.Finding, looks int) verdict.Finding {
	cause := context.Cause(ctx)
	var stop *Stop
	stopped := errors.As(cause, &stop)
	switch {
	case last.Verdict == "":
		f := verdict.Unknown("", "to be looked at", "not looked at: "+cause.Error())
		if stopped {
			f.Class = stop.Class
		}
		return f
	case stopped && !stop.TimeUp:
		last.Verdict, last.Class = verdict.Inconclusive, stop.Class
		last.Seen = "when it was stopped: " + last.Seen
		last.Details = append(last.Details, "not decided: "+stop.Why)
	case stopped && looks == 0:
		// The look was cut off: "no answer" is true of the time it had left.
		last.Verdict, last.Class = verdict.Inconclusive, stop.Class
		last.Details = append(last.Details, "not decided: "+stop.Why)
	case stopped && last.Verdict == verdict.Inconclusive && last.Class == "":
		last.Class = stop.Class
	case looks > 1:
		last.Details = append(last.Details, fmt.Sprintf("still so after %d looks, when the time for it was over", looks))
	}
	return last
}
