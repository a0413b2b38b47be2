package history

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
)

// Log lists the commits that lead to a revision, newest first, in an order
// that puts every state the branch itself was in before any that it was not:
//
//  1. The revision, then its first parent, that one's first parent and so on:
//     the mainline. It ends at the root, at the cut of a shallow clone, or
//     after depth commits.
//  2. Only then the other sides of the merges on the mainline, the newest merge
//     first and the parents of one merge in their order: each side along its
//     own first-parent line, followed by the sides of the merges on that line.
//     All sides together are at most depth commits.
//
// No commit is listed twice; a line ends where it meets a listed commit. Where a
// shallow clone is cut the whole log ends: what comes next is not known, and what
// comes after that must not be taken for it. The order depends on the commits alone, not on their dates or how they are
// stored. A commit is read when it is listed, so twenty commits cost twenty
// reads. A Log remembers at most twice depth names.
//
// A Log is for one goroutine at a time; several Logs of one Repository may be
// used at once.
type Log struct {
	repo    *Repository
	depth   int
	bad     error         // from is no commit
	next    plumbing.Hash // of the line being walked
	more    bool          // there is a next
	child   plumbing.Hash // whose parent next is; zero at the beginning
	onSide  bool          // the line is not the mainline
	sides   int           // commits listed on sides
	merged  []side        // met on the line being walked
	pending []side        // to be walked, the next one last
	seen    map[plumbing.Hash]bool
	reach   Reach
}

// side is where the other side of a merge begins.
type side struct{ tip, merge plumbing.Hash }

// Log lists the commits that lead to from, which is one of this repository's.
// A depth below 1 lists nothing.
func (r *Repository) Log(from Commit, depth int) *Log {
	l := &Log{repo: r, depth: depth, seen: map[plumbing.Hash]bool{}, reach: Reach{Depth: depth}}
	if l.next, l.more = parseHash(from.SHA); !l.more {
		l.bad = fmt.Errorf("read history of %q: %w: give a commit that Resolve returned", from.SHA, ErrRevisionNotFound)
	}
	return l
}

// Next returns up to n further commits, and fewer or none once the log is at
// its end. Like an io.Reader it may return commits together with an error; the
// next call then continues after them. Between commits it looks whether ctx is
// done. A missing commit is an [ErrIncomplete], unless the repository is
// shallow there: that is an end, which [Log.Reach] tells.
func (l *Log) Next(ctx context.Context, n int) ([]Commit, error) {
	l.repo.objects.begin()
	defer l.repo.objects.end()
	if l.bad != nil {
		return nil, l.bad
	}
	var list []Commit
	for len(list) < n && l.advance() {
		if err := ctx.Err(); err != nil {
			return list, fmt.Errorf("read history: %w", err)
		}
		c, err := l.read()
		if err != nil {
			return list, err
		}
		list = append(list, c)
	}
	return list, nil
}

// advance makes next the commit to list, or returns false at the end.
func (l *Log) advance() bool {
	for {
		used := l.reach.Mainline
		if l.onSide {
			used = l.sides
		}
		switch fresh := l.more && !l.seen[l.next]; {
		case fresh && used < l.depth && l.repo.shallow[l.child]:
			l.reach.Shallow, l.reach.ShallowAt = true, l.child.String()
			return false
		case fresh && used < l.depth:
			return true
		case fresh:
			l.reach.DepthReached = true
			if l.onSide || l.depth < 1 {
				return false
			}
		}
		// The line is at its end: go on with the first side of its newest merge.
		slices.Reverse(l.merged)
		l.pending = append(l.pending, l.merged...)
		l.merged, l.more, l.onSide = l.merged[:0], false, true
		if len(l.pending) == 0 {
			return false
		}
		last := len(l.pending) - 1
		l.next, l.child, l.more = l.pending[last].tip, l.pending[last].merge, true
		l.pending = l.pending[:last]
	}
}

// read reads the next commit and moves on to its first parent.
func (l *Log) read() (Commit, error) {
	n, err := l.repo.commit(l.next)
	switch {
	case err != nil && l.child.IsZero():
		return Commit{}, fmt.Errorf("read history: %w", err)
	case errors.Is(err, ErrIncomplete):
		return Commit{}, fmt.Errorf("read history: parent of commit %s: %w", l.child, err)
	case err != nil:
		return Commit{}, fmt.Errorf("read history beyond commit %s: %w", l.child, err)
	}
	id := l.next
	l.seen[id] = true
	l.child, l.more = id, false
	l.reach.Looked++
	if l.onSide {
		l.sides++
	} else {
		l.reach.Mainline++
	}
	if len(n.parents) == 0 {
		l.reach.Complete = l.reach.Complete || !l.onSide
		return n.Commit, nil
	}
	l.next, l.more = n.parents[0], true
	for _, tip := range n.parents[1:] {
		l.merged = append(l.merged, side{tip: tip, merge: id})
	}
	return n.Commit, nil
}
