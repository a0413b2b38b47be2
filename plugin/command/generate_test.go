package command

import (
	"context"
	"testing"
	"time"
)

// Found by the soak: a deadline that passed in the last moment was reported as a
// cancellation, with another exit status.
func TestARenderThatIsCompleteTooLateSaysWhy(t *testing.T) {
	t.Parallel()
	expired, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	cancelled, stop := context.WithCancel(t.Context())
	stop()
	for name, c := range map[string]struct {
		ctx    context.Context
		status int
	}{
		"in time":            {t.Context(), exitOther}, // no error fits no class
		"after the deadline": {expired, 124},
		"after a signal":     {cancelled, 130},
	} {
		err := late(c.ctx)
		if got := exitStatus(err); got != c.status || (err == nil) != (name == "in time") {
			t.Errorf("%s: exit status %d of error %v, want %d", name, got, err, c.status)
		}
	}
}
