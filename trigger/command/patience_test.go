package command

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/trigger/cluster"
)

func TestHowLongAnErrorIsEndured(t *testing.T) {
	t.Parallel()
	away := errors.New("connection refused")
	for _, tt := range []struct {
		name  string
		since time.Duration // the first error is ago; 0 for this one
		err   error
		want  bool
	}{
		{"the first", 0, away, true},
		{"for a minute", time.Minute, away, true},
		{"not for three", 3 * time.Minute, away, false},
		{"not an Application that is gone", 0, fmt.Errorf("read it: %w", cluster.ErrNotFound), false},
		{"not a right that is lost", 0, fmt.Errorf("read it: %w", cluster.ErrDenied), false},
	} {
		m := &manual{p: &program{Program: Program{Stderr: io.Discard}}, app: &applicationFlag{}}
		var failing time.Time
		if tt.since > 0 {
			failing = time.Now().Add(-tt.since)
		}
		if got := m.endures(&failing, tt.err); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
}
