package settle

import (
	"cmp"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/proerror77/nova-staging/trigger/push"
)

// Tracker holds the pushes to each Application that have not taken effect yet.
// Safe for concurrent use. Make it with [NewTracker].
type Tracker struct {
	mu   sync.Mutex
	apps map[string]*waiting
}

// waiting is what one Application waits for.
type waiting struct {
	items map[string]*item // by the push's ID
	// tags remembers which repositories got a commit's tag, also of pushes that have
	// taken effect: a set may be completed by later ones.
	tags []tagged
}

type item struct {
	push    push.Push
	arrived time.Time
	first   time.Time
	done    []func()
}

type tagged struct {
	tag  string
	in   map[push.Repository]string // the image's digest
	last time.Time
}

// commitRE fits a tag that is a commit's SHA: it names one set for good. Any other,
// such as latest, may have been given to every set before.
var commitRE = regexp.MustCompile(`^[0-9a-f]{40}$`)

// maxTags bounds the memory of tags of an Application.
const maxTags = 64

// NewTracker makes an empty tracker.
func NewTracker() *Tracker { return &Tracker{apps: map[string]*waiting{}} }

// Add puts a push among those that an Application waits for, and says whether it
// is new. One that is there already is kept once; done is called for each time.
// together says that its tag is to be remembered, for a set.
func (t *Tracker) Add(app string, p push.Push, now time.Time, together bool, done func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.of(app)
	if together {
		w.remember(p, now)
	}
	if i := w.items[p.ID]; i != nil {
		i.done = append(i.done, done)
		return false
	}
	first := now
	if !p.First.IsZero() && p.First.Before(now) {
		first = p.First
	}
	w.items[p.ID] = &item{push: p, arrived: now, first: first, done: []func(){done}}
	return true
}

// Remember remembers the tag of a push that an Application need not wait for, for the
// set that later ones complete.
func (t *Tracker) Remember(app string, p push.Push, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.of(app).remember(p, now)
}

func (t *Tracker) of(app string) *waiting {
	w := t.apps[app]
	if w == nil {
		w = &waiting{items: map[string]*item{}}
		t.apps[app] = w
	}
	return w
}

func (w *waiting) remember(p push.Push, now time.Time) {
	if !commitRE.MatchString(p.Tag) {
		return
	}
	i := slices.IndexFunc(w.tags, func(t tagged) bool { return t.tag == p.Tag })
	if i < 0 {
		if len(w.tags) == maxTags {
			oldest := slices.IndexFunc(w.tags, func(t tagged) bool {
				return t.last.Equal(slices.MinFunc(w.tags, func(a, b tagged) int { return a.last.Compare(b.last) }).last)
			})
			w.tags = slices.Delete(w.tags, oldest, oldest+1)
		}
		w.tags = append(w.tags, tagged{tag: p.Tag, in: map[push.Repository]string{}})
		i = len(w.tags) - 1
	}
	w.tags[i].in[p.Repository] = p.Digest
	w.tags[i].last = now
}

// Batch is what an Application waits for.
type Batch struct {
	// Pushes in the order of their times.
	Pushes []push.Push
	// Ready is when they have settled, zero when there are none.
	Ready time.Time
	// First and Last are when the first and the last arrived.
	First, Last time.Time
	// Have and Want count the repositories of the set that is most complete.
	// Zero without a set.
	Have, Want int
}

// Batch gives what an Application waits for, by its rules.
func (t *Tracker) Batch(app string, r Rules) Batch {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.apps[app]
	if w == nil || len(w.items) == 0 {
		return Batch{}
	}
	var all, alone, together burst
	var b Batch
	for _, i := range w.items {
		b.Pushes = append(b.Pushes, i.push)
		all.add(i.arrived, i.arrived)
		if r.Together[i.push.Repository] {
			together.add(i.first, i.arrived)
		} else {
			alone.add(i.first, i.arrived)
		}
	}
	slices.SortFunc(b.Pushes, func(a, b push.Push) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID))
	})
	b.First, b.Last = all.first, all.last
	b.Ready = alone.ready(r.Quiet, r.MaxWait)
	if !together.first.IsZero() {
		b.Ready = earlier(b.Ready, together.first.Add(r.TogetherMaxWait))
		if at := w.completed(r.Together, &b); !at.IsZero() {
			b.Ready = earlier(b.Ready, at)
		}
	}
	return b
}

// completed is when the set became complete under one tag, by a push that is
// still waiting; zero when it is not.
func (w *waiting) completed(set map[push.Repository]bool, b *Batch) time.Time {
	b.Want = len(set)
	in, last := map[string]map[push.Repository]bool{}, map[string]time.Time{}
	for _, i := range w.items {
		if !set[i.push.Repository] {
			continue
		}
		tag := w.setOf(i.push)
		if in[tag] == nil {
			in[tag] = map[push.Repository]bool{}
		}
		in[tag][i.push.Repository] = true
		if i.arrived.After(last[tag]) {
			last[tag] = i.arrived
		}
	}
	for _, t := range w.tags {
		for repo := range t.in {
			if in[t.tag] != nil && set[repo] { // else all of it has taken effect
				in[t.tag][repo] = true
			}
		}
	}
	var first time.Time
	for tag, repos := range in {
		b.Have = max(b.Have, len(repos))
		if len(repos) == len(set) {
			first = earlier(first, last[tag])
		}
	}
	return first
}

// setOf is the tag that tells which set a push belongs to: the commit's that the
// image has, if it was heard of, else its own.
func (w *waiting) setOf(p push.Push) string {
	if p.Digest == "" || commitRE.MatchString(p.Tag) {
		return p.Tag
	}
	for _, t := range slices.Backward(w.tags) {
		if t.in[p.Repository] == p.Digest {
			return t.tag
		}
	}
	return p.Tag
}

// Take removes pushes, which have taken effect or need none, and calls their
// done.
func (t *Tracker) Take(app string, pushes []push.Push) {
	t.mu.Lock()
	w := t.apps[app]
	var done []func()
	if w != nil {
		for _, p := range pushes {
			if i := w.items[p.ID]; i != nil {
				done = append(done, i.done...)
				delete(w.items, p.ID)
			}
		}
	}
	t.mu.Unlock()
	for _, f := range done {
		if f != nil {
			f()
		}
	}
}

// Forget drops an Application that is gone, and calls done for all it waited
// for.
func (t *Tracker) Forget(app string) {
	t.mu.Lock()
	w := t.apps[app]
	delete(t.apps, app)
	t.mu.Unlock()
	if w == nil {
		return
	}
	for _, i := range w.items {
		for _, f := range i.done {
			if f != nil {
				f()
			}
		}
	}
}

// Len counts the pushes that wait.
func (t *Tracker) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, w := range t.apps {
		n += len(w.items)
	}
	return n
}
