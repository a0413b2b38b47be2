package resolve

import (
	"context"
	"sync"

	"github.com/proerror77/nova-staging/plugin/history"
)

// Log lists commits, best candidates first. *history.Log implements it.
type Log interface {
	Next(ctx context.Context, n int) ([]history.Commit, error)
	Reach() history.Reach
}

// Line is a log that several groups read at their own pace, each commit once.
// Safe for concurrent use.
type Line struct {
	mu      sync.Mutex
	log     Log
	commits []history.Commit
	ended   bool
}

// NewLine wraps a log that nothing else reads.
func NewLine(log Log) *Line { return &Line{log: log} }

// slice gives the commits lo up to hi, fewer at the end of the log.
func (l *Line) slice(ctx context.Context, lo, hi int) ([]history.Commit, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.commits) < hi && !l.ended {
		next, err := l.log.Next(ctx, hi-len(l.commits))
		l.commits = append(l.commits, next...) // a log may give commits with an error
		if err != nil {
			return nil, err
		}
		l.ended = len(next) == 0
	}
	return l.commits[min(lo, len(l.commits)):min(hi, len(l.commits))], nil
}

func (l *Line) reach() history.Reach {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.Reach()
}
