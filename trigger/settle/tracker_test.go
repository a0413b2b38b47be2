package settle_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/trigger/push"
	"github.com/proerror77/nova-staging/trigger/settle"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

type arrival struct {
	repository, tag string
	seconds         int
}

func TestWhenPushesHaveSettled(t *testing.T) {
	t.Parallel()
	set := func(names ...string) map[push.Repository]bool {
		m := map[push.Repository]bool{}
		for _, n := range names {
			m[push.Repository{Name: n}] = true
		}
		return m
	}
	tests := []struct {
		name     string
		together map[push.Repository]bool
		arrivals []arrival
		ready    int
		have     int
	}{
		{"one push waits for quiet", nil, []arrival{{"a", "1", 0}}, 20, 0},
		{"each push waits anew", nil, []arrival{{"a", "1", 0}, {"b", "1", 15}}, 35, 0},
		{"but not beyond the maximum", nil, []arrival{{"a", "1", 0}, {"b", "1", 295}}, 300, 0},
		{"a set that is complete is ready at once", set("a", "b"), []arrival{{"a", "1", 0}, {"b", "1", 200}}, 200, 2},
		{"a set that is not waits for its own maximum", set("a", "b"), []arrival{{"a", "1", 0}}, 1800, 1},
		{"other tags do not complete a set", set("a", "b"), []arrival{{"a", "1", 0}, {"b", "2", 10}}, 1800, 1},
		{"a repository outside the set settles by itself", set("a", "b"), []arrival{{"a", "1", 0}, {"c", "1", 10}}, 30, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tr := settle.NewTracker()
			for _, a := range tt.arrivals {
				tr.Add("app", push.Push{ID: fmt.Sprint(a), Repository: push.Repository{Name: a.repository}, Tag: a.tag}, noon.Add(time.Duration(a.seconds)*time.Second), true, func() {})
			}
			b := tr.Batch("app", settle.Rules{Quiet: 20 * time.Second, MaxWait: 5 * time.Minute, Together: tt.together, TogetherMaxWait: 30 * time.Minute})
			if got := int(b.Ready.Sub(noon).Seconds()); got != tt.ready || b.Have != tt.have {
				t.Errorf("ready after %d s with %d, want %d s with %d", got, b.Have, tt.ready, tt.have)
			}
		})
	}
}

// sha is a commit's.
const sha = "9f2c4e1d0b7a6c5f3e8d7b6a5c4f3e2d1b0a9c8e"

// A push that another replica had held is heard of late.
func TestTheMaximumCountsFromWhenAPushWasFirstHeardOf(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		together map[push.Repository]bool
		ready    time.Duration
	}{
		"alone":    {nil, 5 * time.Minute},
		"together": {map[push.Repository]bool{{Name: "a"}: true, {Name: "b"}: true}, 30 * time.Minute},
	} {
		tr := settle.NewTracker()
		late := tt.ready - time.Second
		tr.Add("app", push.Push{ID: "1", Repository: push.Repository{Name: "a"}, Tag: sha, First: noon}, noon.Add(late), true, func() {})
		b := tr.Batch("app", settle.Rules{Quiet: 20 * time.Second, MaxWait: 5 * time.Minute, Together: tt.together, TogetherMaxWait: 30 * time.Minute})
		if !b.Ready.Equal(noon.Add(tt.ready)) {
			t.Errorf("%s: ready after %s, want %s", name, b.Ready.Sub(noon), tt.ready)
		}
	}
}

func TestASetIsCompletedAlsoWhenItsFirstHalfHasTakenEffect(t *testing.T) {
	t.Parallel()
	tr := settle.NewTracker()
	first := push.Push{ID: "1", Repository: push.Repository{Name: "a"}, Tag: sha}
	tr.Add("app", first, noon, true, func() {})
	tr.Take("app", []push.Push{first})
	tr.Add("app", push.Push{ID: "2", Repository: push.Repository{Name: "b"}, Tag: sha}, noon.Add(time.Minute), true, func() {})
	b := tr.Batch("app", settle.Rules{
		Quiet: time.Second, MaxWait: time.Second, TogetherMaxWait: time.Hour,
		Together: map[push.Repository]bool{{Name: "a"}: true, {Name: "b"}: true},
	})
	if !b.Ready.Equal(noon.Add(time.Minute)) || b.Have != 2 {
		t.Errorf("ready at %s with %d", b.Ready, b.Have)
	}
}

func TestASetIsCompletedAlsoWhenItsFirstHalfNeedNotBeWaitedFor(t *testing.T) {
	t.Parallel()
	a, b := push.Repository{Name: "a"}, push.Repository{Name: "b"}
	rules := settle.Rules{Quiet: 20 * time.Second, Together: map[push.Repository]bool{a: true, b: true}, TogetherMaxWait: 30 * time.Minute}
	tr := settle.NewTracker()
	tr.Remember("app", push.Push{ID: "1", Repository: a, Tag: sha}, noon)
	if got := tr.Batch("app", rules); tr.Len() != 0 || !got.Ready.IsZero() {
		t.Errorf("%d wait, until %s", tr.Len(), got.Ready)
	}
	tr.Add("app", push.Push{ID: "2", Repository: b, Tag: sha}, noon.Add(time.Minute), true, nil)
	if got := tr.Batch("app", rules); !got.Ready.Equal(noon.Add(time.Minute)) {
		t.Errorf("ready at %s, want as soon as the second half is there", got.Ready)
	}
}

func TestATagThatEverySetHasCompletesNone(t *testing.T) {
	t.Parallel()
	rules := settle.Rules{
		Quiet: 20 * time.Second, MaxWait: 5 * time.Minute, TogetherMaxWait: 30 * time.Minute,
		Together: map[push.Repository]bool{{Name: "a"}: true, {Name: "b"}: true},
	}
	for _, tt := range []struct {
		name string
		tags [][]string // of each build
	}{
		{"latest beside each commit", [][]string{{"latest", sha}, {"latest", strings.Replace(sha, "9", "a", 1)}, {"latest", strings.Replace(sha, "9", "b", 1)}}},
		{"latest alone", [][]string{{"latest"}, {"latest"}, {"latest"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tr, at := settle.NewTracker(), noon
			for build, tags := range tt.tags {
				for i, repository := range []string{"a", "b"} {
					for j, tag := range tags {
						at = at.Add(time.Second)
						tr.Add("app", push.Push{ID: fmt.Sprint(at), Repository: push.Repository{Name: repository}, Tag: tag, Digest: fmt.Sprint(build, repository)}, at, true, func() {})
						b := tr.Batch("app", rules)
						if got, want := !b.Ready.After(at), i == 1 && j == len(tags)-1; got != want {
							t.Errorf("build %d is complete with %s:%s: %t (%d of %d)", build, repository, tag, got, b.Have, b.Want)
						}
					}
					at = at.Add(time.Minute)
				}
				tr.Take("app", tr.Batch("app", rules).Pushes)
			}
		})
	}
}

func TestATagHeardOfWhenItsSetHasTakenEffectWaitsForNoOther(t *testing.T) {
	t.Parallel()
	tr := settle.NewTracker()
	rules := settle.Rules{
		Quiet: 20 * time.Second, MaxWait: 5 * time.Minute, TogetherMaxWait: 30 * time.Minute,
		Together: map[push.Repository]bool{{Name: "a"}: true, {Name: "b"}: true},
	}
	for _, repository := range []string{"a", "b"} {
		tr.Add("app", push.Push{ID: repository, Repository: push.Repository{Name: repository}, Tag: sha, Digest: repository}, noon, true, func() {})
	}
	tr.Take("app", tr.Batch("app", rules).Pushes)
	late := noon.Add(5 * time.Second)
	tr.Add("app", push.Push{ID: "late", Repository: push.Repository{Name: "b"}, Tag: "latest", Digest: "b"}, late, true, func() {})
	if b := tr.Batch("app", rules); !b.Ready.Equal(late) {
		t.Errorf("ready at %s, want %s: it is an image of the set before", b.Ready, late)
	}
}

func TestEveryDeliveryIsDoneOnce(t *testing.T) {
	t.Parallel()
	tr := settle.NewTracker()
	n := 0
	p := push.Push{ID: "1", Tag: "x"}
	if !tr.Add("app", p, noon, true, func() { n++ }) || tr.Add("app", p, noon, true, func() { n++ }) {
		t.Error("the second of the same is not new")
	}
	tr.Take("app", []push.Push{p})
	tr.Take("app", []push.Push{p})
	if n != 2 || tr.Len() != 0 {
		t.Errorf("done %d times, %d left", n, tr.Len())
	}
	tr.Add("gone", p, noon, true, func() { n++ })
	tr.Forget("gone")
	if n != 3 {
		t.Error("an Application that is gone keeps its messages")
	}
}
