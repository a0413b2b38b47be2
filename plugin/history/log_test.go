package history_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/proerror77/nova-staging/plugin/history"
)

func TestLogOrder(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		parents [][]int
		depth   int
		want    []int
		reach   history.Reach
	}{
		"a single commit": {
			parents: [][]int{{}}, depth: 5, want: []int{0},
			reach: history.Reach{Looked: 1, Mainline: 1, Complete: true},
		},
		"a line is listed newest first": {
			parents: [][]int{{}, {0}, {1}, {2}}, depth: 5, want: []int{3, 2, 1, 0},
			reach: history.Reach{Looked: 4, Mainline: 4, Complete: true},
		},
		"a depth of the whole line is complete": {
			parents: [][]int{{}, {0}, {1}}, depth: 3, want: []int{2, 1, 0},
			reach: history.Reach{Looked: 3, Mainline: 3, Complete: true},
		},
		"a line is cut at depth": {
			parents: [][]int{{}, {0}, {1}, {2}}, depth: 2, want: []int{3, 2},
			reach: history.Reach{Looked: 2, Mainline: 2, DepthReached: true},
		},
		"no depth lists nothing": {
			parents: [][]int{{}, {0}}, depth: 0, want: nil,
			reach: history.Reach{DepthReached: true},
		},
		"the mainline comes before the side that was merged": {
			// 0─1─3─4, with 2 on a side of 3
			parents: [][]int{{}, {0}, {0}, {1, 2}, {3}}, depth: 10, want: []int{4, 3, 1, 0, 2},
			reach: history.Reach{Looked: 5, Mainline: 4, Complete: true},
		},
		"the newest merge's side comes first": {
			parents: [][]int{{}, {0}, {0, 1}, {2}, {2, 3}}, depth: 10, want: []int{4, 2, 0, 3, 1},
			reach: history.Reach{Looked: 5, Mainline: 3, Complete: true},
		},
		"the parents of an octopus come in their order": {
			parents: [][]int{{}, {0}, {0}, {0}, {0, 3, 1, 2}}, depth: 10, want: []int{4, 0, 3, 1, 2},
			reach: history.Reach{Looked: 5, Mainline: 2, Complete: true},
		},
		"a side is walked along its own first parents, then its own merges": {
			// The side of 6 is 5─3─1, with 4─2 merged into 5.
			parents: [][]int{{}, {0}, {0}, {1}, {2}, {3, 4}, {0, 5}}, depth: 10, want: []int{6, 0, 5, 3, 1, 4, 2},
			reach: history.Reach{Looked: 7, Mainline: 2, Complete: true},
		},
		"a side's own merges come before an older merge of the mainline": {
			// 1 is merged by 2; 3 into 4, which 5 merges.
			parents: [][]int{{}, {0}, {0, 1}, {0}, {0, 3}, {2, 4}}, depth: 10, want: []int{5, 2, 0, 4, 3, 1},
			reach: history.Reach{Looked: 6, Mainline: 3, Complete: true},
		},
		"criss-cross merges list each commit once": {
			parents: [][]int{{}, {0}, {0}, {1, 2}, {2, 1}, {3, 4}}, depth: 10, want: []int{5, 3, 1, 0, 4, 2},
			reach: history.Reach{Looked: 6, Mainline: 4, Complete: true},
		},
		"all sides together are cut at depth": {
			parents: [][]int{{}, {}, {1}, {}, {3}, {0, 2}, {5, 4}}, depth: 3, want: []int{6, 5, 0, 4, 3, 2},
			reach: history.Reach{Looked: 6, Mainline: 3, Complete: true, DepthReached: true},
		},
		"sides are walked when the mainline was cut": {
			parents: [][]int{{}, {0}, {0}, {1, 2}}, depth: 1, want: []int{3, 2},
			reach: history.Reach{Looked: 2, Mainline: 1, DepthReached: true},
		},
		"a root on a side does not complete the mainline": {
			parents: [][]int{{}, {0}, {}, {1, 2}}, depth: 2, want: []int{3, 1, 2},
			reach: history.Reach{Looked: 3, Mainline: 2, DepthReached: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			git := newRepo(t)
			names := git.graph(tc.parents)
			r := open(t, git.dir)
			l := r.Log(resolve(t, r, "main"), tc.depth)
			got := all(t, l)
			var want []string
			for _, i := range tc.want {
				want = append(want, names[i])
			}
			if diff := cmp.Diff(want, shas(got), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			tc.reach.Depth = tc.depth
			if diff := cmp.Diff(tc.reach, l.Reach()); diff != "" {
				t.Errorf("reach: -want +got\n%s", diff)
			}
			if again, err := l.Next(t.Context(), 1); len(again) > 0 || err != nil {
				t.Errorf("after the end: %v, %v", again, err)
			}
		})
	}
}

func TestLogTellsWhatGitTells(t *testing.T) {
	t.Parallel()
	git := newRepo(t)
	git.commit("one")
	git.commit("two\nlines of a subject\n\nand a body")
	git.commit("Größe: 大きさ 📦")
	r := open(t, git.dir)
	var got []string
	for _, c := range all(t, r.Log(resolve(t, r, "HEAD"), 10)) {
		got = append(got, c.SHA+" "+c.Committed.Format("2006-01-02T15:04:05-07:00")+" "+c.Subject)
	}
	want := git.git("-c", "log.showSignature=false", "log", "--format=%H %cd %s", "--date=format-local:%Y-%m-%dT%H:%M:%S+00:00")
	if diff := cmp.Diff(strings.Split(want, "\n"), got); diff != "" {
		t.Errorf("-git +got\n%s", diff)
	}
}

func TestLogEndsAtTheCutOfAShallowClone(t *testing.T) {
	t.Parallel()
	origin := newRepo(t)
	names := origin.graph([][]int{{}, {0}, {1}, {2}, {3}})
	dir := t.TempDir()
	origin.git("clone", "-q", "--depth=3", "file://"+origin.dir, dir)
	r := open(t, dir)
	l := r.Log(resolve(t, r, "HEAD"), 10)
	got := shas(all(t, l))
	if want := []string{names[4], names[3], names[2]}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	want := history.Reach{Looked: 3, Mainline: 3, Depth: 10, Shallow: true, ShallowAt: names[2]}
	if diff := cmp.Diff(want, l.Reach()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if s := l.Reach().String(); !strings.Contains(s, names[2]) || !strings.Contains(s, "remove `depth`") {
		t.Errorf("reach says %q, without where the cut is and what to do", s)
	}
	if _, err := r.Resolve(names[0]); !errors.Is(err, history.ErrRevisionNotFound) || !strings.Contains(err.Error(), "remove `depth`") {
		t.Errorf("resolve a commit beyond the cut: %v", err)
	}
}

func TestAShallowCloneGivesTheBeginningOfTheWholeLog(t *testing.T) {
	t.Parallel()
	origin := newRepo(t)
	// The mainline is 7─6─4─2─0; 5─3─1 is a side that 6 merges. A clone that ends
	// at 4 has 5, too, which in the whole history comes after 0.
	names := origin.graph([][]int{{}, {0}, {0}, {1}, {2}, {3}, {4, 5}, {6}})
	whole := open(t, origin.dir)
	order := shas(all(t, whole.Log(resolve(t, whole, "HEAD"), 10)))
	for depth, want := range map[int]int{1: 1, 2: 2, 3: 3, 4: 4, 5: 8} {
		dir := t.TempDir()
		origin.git("clone", "-q", fmt.Sprintf("--depth=%d", depth), "file://"+origin.dir, dir)
		r := open(t, dir)
		l := r.Log(resolve(t, r, "HEAD"), 10)
		got := shas(all(t, l))
		if !slices.Equal(got, order[:want]) {
			t.Errorf("depth %d: got %v, want the first %d of %v", depth, got, want, names)
		}
		if reach := l.Reach(); reach.Shallow != (want < len(order)) {
			t.Errorf("depth %d: reach is %+v", depth, reach)
		}
	}
}

func TestLogReadsNoFartherThanAsked(t *testing.T) {
	t.Parallel()
	git := newRepo(t)
	names := git.graph([][]int{{}, {0}, {1}, {2}, {3}})
	git.unpack()
	git.remove(loose(names[1]))
	r := open(t, git.dir)
	l := r.Log(resolve(t, r, "main"), 10)
	some, err := l.Next(t.Context(), 3)
	if err != nil || len(some) != 3 {
		t.Fatalf("three commits: %v, %v", some, err)
	}
	if reach := l.Reach(); reach.Looked != 3 || reach.Complete || reach.DepthReached {
		t.Errorf("reach is %+v", reach)
	}
	for range 2 { // the error stays
		more, err := l.Next(t.Context(), 1)
		if !errors.Is(err, history.ErrIncomplete) || len(more) > 0 {
			t.Fatalf("beyond the missing commit: %v, %v", more, err)
		}
		for _, part := range []string{names[1], names[2], "not marked shallow", "TAR_EXCLUSIONS"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q lacks %q", err, part)
			}
		}
	}
}

func TestLogStopsWhenTheContextIsDone(t *testing.T) {
	t.Parallel()
	git := newRepo(t)
	git.graph([][]int{{}, {0}, {1}})
	r := open(t, git.dir)
	l := r.Log(resolve(t, r, "main"), 10)
	ctx, cancel := context.WithCancel(t.Context())
	if some, err := l.Next(ctx, 1); len(some) != 1 || err != nil {
		t.Fatal(some, err)
	}
	cancel()
	if some, err := l.Next(ctx, 1); len(some) != 0 || !errors.Is(err, context.Canceled) {
		t.Fatal(some, err)
	}
	if rest := all(t, l); len(rest) != 2 {
		t.Errorf("afterwards %d commits, want the other 2", len(rest))
	}
}

func TestLogOfACommitThatIsNotThere(t *testing.T) {
	t.Parallel()
	git := newRepo(t)
	git.commit("one")
	for sha, want := range map[string]error{
		strings.Repeat("1", 40): history.ErrIncomplete,
		strings.Repeat("0", 40): history.ErrIncomplete,
		"":                      history.ErrRevisionNotFound,
		"main":                  history.ErrRevisionNotFound,
	} {
		some, err := open(t, git.dir).Log(history.Commit{SHA: sha}, 3).Next(t.Context(), 1)
		if len(some) > 0 || !errors.Is(err, want) {
			t.Errorf("%q: %v, %v, want %v", sha, some, err, want)
		}
	}
}

func TestSeveralLogsAtOnce(t *testing.T) {
	t.Parallel()
	git := newRepo(t)
	names := git.graph([][]int{{}, {0}, {0}, {1, 2}, {3}})
	r := open(t, git.dir)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			head, err := r.Resolve("main")
			if err != nil {
				t.Error(err)
				return
			}
			l := r.Log(head, 10)
			for range len(names) {
				if some, err := l.Next(t.Context(), 1); len(some) != 1 || err != nil {
					t.Error(some, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestReachSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for want, reach := range map[string]history.Reach{
		"looked at 0 commits, 0 on the mainline":                                {},
		"looked at 1 commit, 1 on the mainline, which is all there is":          {Looked: 1, Mainline: 1, Depth: 9, Complete: true},
		"looked at 9 commits, 5 on the mainline; there are more beyond depth 5": {Looked: 9, Mainline: 5, Depth: 5, DepthReached: true},
		"looked at 2 commits, 2 on the mainline; the clone is shallow and ends at a: fetch more history: remove `depth` from the Argo CD repository secret": {Looked: 2, Mainline: 2, Depth: 5, Shallow: true, ShallowAt: "a"},
	} {
		if got := reach.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
