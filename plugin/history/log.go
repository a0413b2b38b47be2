package history

import (
	"context"
	"fmt"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
)

// Reach says how far a Log could look, so far.
type Reach struct {
	Looked       int    // commits listed
	Mainline     int    // of those, on the first-parent line of the revision
	Depth        int    // the limit that was asked for
	DepthReached bool   // there is more history, beyond Depth
	Shallow      bool   // history is cut by a shallow clone
	ShallowAt    string // the first commit met whose parents are cut off
	Complete     bool   // the root commit was reached on the mainline
}

// Log lists commits lazily, the mainline first.
type Log struct {
	repo    *Repository
	line    plumbing.Hash   // next commit of the line being walked, or zero
	side    bool            // the line is not the mainline
	merged  []plumbing.Hash // other parents met on the line being walked
	pending []plumbing.Hash // sides to walk, the next one last
	seen    map[plumbing.Hash]bool
	shallow map[plumbing.Hash]bool
	reach   Reach
	sides   int
}

// Log begins at from.
func (r *Repository) Log(from Commit, depth int) *Log {
	l := &Log{repo: r, line: plumbing.NewHash(from.SHA), seen: map[plumbing.Hash]bool{}, shallow: map[plumbing.Hash]bool{}}
	l.reach.Depth = depth
	if cut, err := r.repo.Storer.Shallow(); err == nil {
		for _, h := range cut {
			l.shallow[h] = true
		}
	}
	return l
}

// Reach says how far the log has looked.
func (l *Log) Reach() Reach { return l.reach }

// Next returns up to n further commits, fewer or none at the end.
func (l *Log) Next(ctx context.Context, n int) ([]Commit, error) {
	var out []Commit
	for len(out) < n {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		if l.line.IsZero() || l.seen[l.line] {
			slices.Reverse(l.merged)
			l.pending = append(l.pending, l.merged...)
			l.merged, l.line = nil, plumbing.ZeroHash
			if len(l.pending) == 0 {
				break
			}
			l.side = true
			l.line = l.pending[len(l.pending)-1]
			l.pending = l.pending[:len(l.pending)-1]
			continue
		}
		if l.side && l.sides >= l.reach.Depth {
			l.reach.DepthReached = true
			break
		}
		if !l.side && l.reach.Mainline >= l.reach.Depth {
			l.reach.DepthReached = true
			l.line = plumbing.ZeroHash
			continue
		}
		c, err := l.repo.repo.CommitObject(l.line)
		if err != nil {
			return out, fmt.Errorf("read commit %s: %w", l.line, err)
		}
		l.seen[l.line] = true
		out = append(out, describe(c))
		l.reach.Looked++
		if l.side {
			l.sides++
		} else {
			l.reach.Mainline++
		}
		l.line = plumbing.ZeroHash
		switch {
		case len(c.ParentHashes) == 0:
			l.reach.Complete = l.reach.Complete || !l.side
		case l.shallow[c.Hash]:
			if !l.reach.Shallow {
				l.reach.Shallow, l.reach.ShallowAt = true, c.Hash.String()
			}
		default:
			l.line = c.ParentHashes[0]
			l.merged = append(l.merged, c.ParentHashes[1:]...)
		}
	}
	return out, nil
}
