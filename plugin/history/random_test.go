package history_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLogOfRandomGraphs compares the order with a simple reference, and parts
// of it with git itself.
func TestLogOfRandomGraphs(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for i := range 9 {
		t.Run(fmt.Sprintf("graph %d", i), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, uint64(i)))
			parents := randomGraph(rng, 5+rng.IntN(120))
			git := newRepo(t)
			names := git.graph(parents)
			cut := map[int]bool{}
			if i%3 == 0 {
				var shallow strings.Builder
				for range 4 {
					c := rng.IntN(len(parents))
					cut[c] = len(parents[c]) > 0
					fmt.Fprintln(&shallow, names[c])
				}
				git.write(".git/shallow", shallow.String())
			}
			if i%2 == 0 {
				git.git("repack", "-adfq", "--depth=50")
			} else {
				git.unpack()
			}
			for range 6 {
				start, depth := rng.IntN(len(parents)), 1+rng.IntN(len(parents)+10)
				r := open(t, git.dir)
				l := r.Log(resolve(t, r, names[start]), depth)
				got := shas(all(t, l))
				var want []string
				listed, via := reference(parents, start, depth)
				for _, c := range listed {
					if c != start && cut[via[c]] {
						break
					}
					want = append(want, names[c])
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("seed %d, graph %d, start %d, depth %d: -want +got\n%s", seed, i, start, depth, diff)
				}
				main := strings.Fields(git.git("log", "--first-parent", "--format=%H", fmt.Sprintf("--max-count=%d", depth), names[start]))
				if reach := l.Reach(); !slices.Equal(main, got[:reach.Mainline]) {
					t.Fatalf("seed %d, graph %d, start %d, depth %d: mainline is not what git says", seed, i, start, depth)
				}
				if reach := l.Reach(); !reach.DepthReached && !reach.Shallow {
					everything := strings.Fields(git.git("rev-list", names[start]))
					slices.Sort(everything)
					slices.Sort(got)
					if !slices.Equal(everything, got) {
						t.Fatalf("seed %d, graph %d, start %d, depth %d: not all commits that git lists", seed, i, start, depth)
					}
				}
			}
		})
	}
}

func randomGraph(rng *rand.Rand, n int) [][]int {
	parents := make([][]int, n)
	for i := 1; i < n; i++ {
		count := []int{0, 1, 1, 1, 1, 2, 2, 2, 3, 5}[rng.IntN(10)]
		if count == 0 && rng.IntN(3) > 0 {
			count = 1
		}
		near := max(0, i-1-rng.IntN(8))
		for range count {
			if p := near + rng.IntN(i-near); !slices.Contains(parents[i], p) {
				parents[i] = append(parents[i], p)
			}
		}
	}
	return parents
}

// reference says the order in the plainest way, whole lists and recursion, and of
// each commit the child that led to it.
func reference(parents [][]int, start, depth int) (listed []int, via map[int]int) {
	listed, via = []int{start}, map[int]int{}
	for c := start; len(parents[c]) > 0 && len(listed) < depth; {
		via[parents[c][0]] = c
		c = parents[c][0]
		listed = append(listed, c)
	}
	mainline := slices.Clone(listed)
	var walk func(tip, child int)
	sides := func(line []int) {
		for _, merge := range line {
			for i, tip := range parents[merge] {
				if i > 0 {
					walk(tip, merge)
				}
			}
		}
	}
	walk = func(tip, child int) {
		var line []int
		for c := tip; !slices.Contains(listed, c) && len(listed) < len(mainline)+depth; {
			listed, line = append(listed, c), append(line, c)
			via[c] = child
			if len(parents[c]) == 0 {
				break
			}
			c, child = parents[c][0], c
		}
		sides(line)
	}
	sides(mainline)
	return listed, via
}
