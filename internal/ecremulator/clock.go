package ecremulator

import (
	"sync"
	"time"
)

// Clock tells the emulator's time: when an image is pushed or pulled, and when
// credentials and registry passwords expire.
type Clock interface {
	Now() time.Time
}

// ManualClock is a Clock that stands still until it is moved. The zero value
// stands at the zero time: use [NewManualClock]. It is safe for concurrent use.
type ManualClock struct {
	mu  sync.Mutex
	now time.Time
}

// NewManualClock returns a clock that stands at now.
func NewManualClock(now time.Time) *ManualClock {
	return &ManualClock{now: now}
}

// Now returns the time the clock stands at.
func (c *ManualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Set moves the clock to now, forwards or backwards.
func (c *ManualClock) Set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

// Advance moves the clock forward by d and returns the new time.
func (c *ManualClock) Advance(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return c.now
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

// stored cuts a time to what ECR reports: UTC, whole milliseconds.
func stored(t time.Time) time.Time {
	return t.UTC().Truncate(time.Millisecond)
}
