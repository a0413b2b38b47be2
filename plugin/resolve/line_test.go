package resolve

import (
	"context"
	"errors"
	"testing"

	"github.com/proerror77/nova-staging/plugin/history"
)

func TestALineThatCouldNotBeReadSkipsNoCommit(t *testing.T) {
	t.Parallel()
	log := &stumbling{commits: commits{n: 10}, at: 3}
	line := NewLine(log)
	if _, err := line.slice(t.Context(), 0, 5); err == nil {
		t.Fatal("the first read succeeded")
	}
	// Another group reads the same line, and what it decides may be kept.
	got, err := line.slice(t.Context(), 0, 5)
	if err == nil && got[0].SHA != sha(0) {
		t.Errorf("the line begins with %s after a failed read, want %s or the failure", got[0].SHA, sha(0))
	}
}

// stumbling is a log that fails once, and has read some commits by then.
type stumbling struct {
	commits
	at     int
	failed bool
}

func (s *stumbling) Next(ctx context.Context, n int) ([]history.Commit, error) {
	if s.failed {
		return s.commits.Next(ctx, n)
	}
	s.failed = true
	some, _ := s.commits.Next(ctx, s.at)
	return some, errors.New("too many open files")
}
