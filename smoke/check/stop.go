package check

import (
	"context"
	"time"

	"github.com/proerror77/nova-staging/smoke/verdict"
)

// Stop is the cause of a context that ended for a reason other than the time
// of the check itself: a signal, the deadline of the run, a doomed neighbour.
type Stop struct {
	Class verdict.Class
	Why   string
	// TimeUp says that no time was left: what had been seen until then stands.
	// Otherwise a check that was under way is not decided.
	TimeUp bool
}

func (s *Stop) Error() string { return s.Why }

// Record runs a check with retry and a time limit and writes down the result.
type Record struct {
	Service string
	Name    verdict.Check
	Retry   Retry
	// Limit bounds the whole check, all looks together. Required.
	Limit time.Duration
	// Now gives the time. Optional, default time.Now.
	Now func() time.Time
}

// Run looks until the check is decided or its limit is over.
func (r Record) Run(ctx context.Context) verdict.Result {
	now := r.Now
	if now == nil {
		now = time.Now
	}
	start := now()
	ctx, cancel := context.WithTimeout(ctx, r.Limit)
	defer cancel()
	f, looks := r.Retry.Look(ctx)
	return verdict.Result{
		Service: r.Service, Check: r.Name, Finding: f,
		Started: start, Duration: now().Sub(start), Looks: looks,
	}
}

// Pause waits for d or for ctx to end.
func Pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
