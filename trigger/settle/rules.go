// Package settle waits until pushes to an Application have come to rest: for a
// quiet time, for at most a maximum, or until a set is complete.
package settle

import (
	"time"

	"github.com/proerror77/nova-staging/trigger/push"
)

// Rules say when pushes have settled.
type Rules struct {
	// Quiet is how long nothing new must have been pushed.
	Quiet time.Duration
	// MaxWait ends the waiting, counted from the first push.
	MaxWait time.Duration
	// Together are the repositories that get one tag each. Pushes to these wait
	// until the set is complete, for at most TogetherMaxWait. Optional.
	Together map[push.Repository]bool
	// TogetherMaxWait is as MaxWait for them.
	TogetherMaxWait time.Duration
}

// burst is the time between the first and the last of some pushes.
type burst struct{ first, last time.Time }

func (b *burst) add(first, last time.Time) {
	if b.first.IsZero() || first.Before(b.first) {
		b.first = first
	}
	if last.After(b.last) {
		b.last = last
	}
}

func (b burst) ready(quiet, most time.Duration) time.Time {
	if b.first.IsZero() {
		return time.Time{}
	}
	return earlier(b.last.Add(quiet), b.first.Add(most))
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
