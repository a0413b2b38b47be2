package soak

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// history is a graph of commits: parents come before their children.
type history struct {
	parents [][]int
	shas    []string
}

func randomHistory(rng *rand.Rand) history {
	h := history{parents: make([][]int, 2+rng.IntN(24))}
	for i := 1; i < len(h.parents); i++ {
		near := max(0, i-1-rng.IntN(6))
		for n := range []int{1, 1, 1, 1, 2, 2, 3}[rng.IntN(7)] {
			p := near + rng.IntN(i-near)
			if n == 0 && rng.IntN(3) > 0 {
				p = i - 1
			}
			if !slices.Contains(h.parents[i], p) {
				h.parents[i] = append(h.parents[i], p)
			}
		}
	}
	return h
}

// write makes a git repository of the graph, with the last commit as HEAD. The
// world's number is in each commit, so that no two worlds share a SHA.
func (h *history) write(root string, world string, at time.Time) error {
	repository, err := git.PlainInit(root, false)
	if err != nil {
		return fmt.Errorf("create git repository: %w", err)
	}
	store := repository.Storer
	tree := store.NewEncodedObject()
	tree.SetType(plumbing.TreeObject)
	empty, err := store.SetEncodedObject(tree)
	if err != nil {
		return fmt.Errorf("write tree: %w", err)
	}
	by := object.Signature{Name: "soak", Email: "soak@nova.example.com", When: at}
	for i, parents := range h.parents {
		c := &object.Commit{Author: by, Committer: by, Message: fmt.Sprintf("%s, change %d\n", world, i), TreeHash: empty}
		for _, p := range parents {
			c.ParentHashes = append(c.ParentHashes, plumbing.NewHash(h.shas[p]))
		}
		o := store.NewEncodedObject()
		if err := c.Encode(o); err != nil {
			return fmt.Errorf("encode commit: %w", err)
		}
		hash, err := store.SetEncodedObject(o)
		if err != nil {
			return fmt.Errorf("write commit: %w", err)
		}
		h.shas = append(h.shas, hash.String())
	}
	head := filepath.Join(root, ".git", "HEAD")
	return os.WriteFile(head, []byte(h.shas[len(h.shas)-1]+"\n"), 0o644)
}

// order lists commits as the commit policy prefers them: the first-parent line,
// then the other sides of its merges, newest merge first, each at most depth.
func (h *history) order(depth int) []int {
	listed := []int{}
	line := func(tip, most int) []int {
		var own []int
		for c := tip; len(own) < most && !slices.Contains(listed, c); {
			listed, own = append(listed, c), append(own, c)
			if len(h.parents[c]) == 0 {
				break
			}
			c = h.parents[c][0]
		}
		return own
	}
	main := line(len(h.parents)-1, depth)
	var sides func(line []int)
	sides = func(on []int) {
		for _, merge := range on {
			for _, tip := range h.parents[merge][min(1, len(h.parents[merge])):] {
				sides(line(tip, len(main)+depth-len(listed)))
			}
		}
	}
	sides(main)
	return listed
}
