package resolve

import (
	"encoding/json"
	"sync"
	"testing"
	"time"
)

// memory is a Store that keeps JSON, as the real one does.
type memory struct {
	mu     sync.Mutex
	values map[string][]byte
	puts   []string
}

func (m *memory) Get(key, value any) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, _ := json.Marshal(key)
	v, ok := m.values[string(k)]
	return ok && json.Unmarshal(v, value) == nil
}

func (m *memory) Put(key, value any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, _ := json.Marshal(key)
	v, _ := json.Marshal(value)
	if m.values == nil {
		m.values = map[string][]byte{}
	}
	m.values[string(k)] = v
	m.puts = append(m.puts, string(k))
}

func TestTheSameInstantAsksNothingAgain(t *testing.T) {
	t.Parallel()
	for _, rule := range []string{"commit: {}", "commit: {}\n  together: true", `newest: {tags: '.'}`, `semver: {range: "*"}`, `tag: {name: v1.0.0}`} {
		f, store := newFake(), &memory{}
		f.push("a/b", noon.Add(-time.Minute), sha(0), "v1.0.0")
		resolve := func() Decision {
			r := &Resolver{Registry: f, AsOf: noon, Commits: lineOf(&commits{n: 3}), Cache: &Cache{Store: store, Revision: sha(0)}}
			o := one(t, r, Group{Entry: entry(t, rule), Repositories: repos(t, "a/b")})
			if o.Err != nil {
				t.Fatal(o.Err)
			}
			return o.Decisions[0]
		}
		first := resolve()
		calls := len(f.calls)
		f.images = nil // what happens in ECR later does not matter
		second := resolve()
		if len(f.calls) != calls {
			t.Errorf("%s: asked again: %v", rule, f.calls[calls:])
		}
		if !second.Cached || first.Cached || second.Image != first.Image || second.Why != first.Why {
			t.Errorf("%s: got %+v, first was %+v", rule, second, first)
		}
	}
}

func TestWhatIsNotFinalIsNotKept(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		clock time.Time
		kept  bool
	}{
		{"ECR's clock is past the instant", noon.Add(time.Second), true},
		{"ECR's clock shows the instant", noon, true},
		{"ECR's clock is behind the instant, so that more can be pushed before it", noon.Add(-time.Second), false},
		{"no answer had a time", time.Time{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, store := newFake(), &memory{}
			f.clock = tt.clock
			f.push("a/b", noon.Add(-time.Minute), sha(0))
			r := &Resolver{Registry: f, AsOf: noon, Commits: lineOf(&commits{n: 3}), Cache: &Cache{Store: store, Revision: sha(0)}}
			if o := one(t, r, Group{Entry: entry(t, "commit: {}"), Repositories: repos(t, "a/b")}); o.Err != nil {
				t.Fatal(o.Err)
			}
			if kept := len(store.puts) > 0; kept != tt.kept {
				t.Errorf("kept is %v, want %v", kept, tt.kept)
			}
		})
	}
}

func TestADecisionIsKeptUnderAllThatItDependsOn(t *testing.T) {
	t.Parallel()
	base := Cache{Revision: sha(0)}
	group := func(rule string, names ...string) Group {
		return Group{Entry: entry(t, rule), Repositories: repos(t, names...)}
	}
	keys := map[string]string{}
	add := func(what string, c Cache, g Group, asOf time.Time) {
		k, err := json.Marshal(c.key(g, asOf))
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := keys[string(k)]; ok {
			t.Errorf("%s has the same key as %s", what, other)
		}
		keys[string(k)] = what
	}
	add("the base", base, group("commit: {}", "a/b"), noon)
	add("another instant", base, group("commit: {}", "a/b"), noon.Add(time.Nanosecond))
	add("another revision", Cache{Revision: sha(1)}, group("commit: {}", "a/b"), noon)
	add("another endpoint", Cache{Revision: sha(0), Endpoint: "http://127.0.0.1:1"}, group("commit: {}", "a/b"), noon)
	add("another image", base, group("commit: {}", "a/c"), noon)
	add("another depth", base, group("commit: {depth: 5}", "a/b"), noon)
	add("another tag template", base, group(`commit: {tag: "x-{sha}"}`, "a/b"), noon)
	add("together", base, group("commit: {}\n  together: true", "a/b"), noon)
	add("together with another", base, group("commit: {}\n  together: true", "a/b", "a/c"), noon)
	add("newest", base, group("newest: {tags: a}", "a/b"), noon)
	add("newest of other tags", base, group("newest: {tags: b}", "a/b"), noon)
	add("semver", base, group(`semver: {range: "1"}`, "a/b"), noon)
	add("another range", base, group(`semver: {range: "2"}`, "a/b"), noon)
	add("prereleases", base, group(`semver: {range: "2", prerelease: true}`, "a/b"), noon)
	add("a tag", base, group("tag: {name: a}", "a/b"), noon)
	add("another tag", base, group("tag: {name: b}", "a/b"), noon)

	same, _ := json.Marshal((&Cache{Revision: sha(9)}).key(group("tag: {name: b}", "a/b"), noon.In(time.FixedZone("x", 3600))))
	if _, ok := keys[string(same)]; !ok {
		t.Error("the tag policy's key changes with the revision or the zone of the instant, on which it does not depend")
	}
}

// The store's values are checked against what they are kept for: a decision for
// another image must not be deployed, however it came there.
func TestWhatIsKeptForAnotherImageIsNotUsed(t *testing.T) {
	t.Parallel()
	f, store := newFake(), &memory{}
	f.push("a/b", noon.Add(-time.Minute), "v1")
	cache := &Cache{Store: store}
	g := Group{Entry: entry(t, "newest: {tags: v}"), Repositories: repos(t, "a/b")}
	other := Decision{}
	other.Name, other.Tag, other.Digest = host+"/a/c", "v9", digest("c")
	for name, kept := range map[string]any{"another image": []Decision{other}, "two": []Decision{other, other}, "none": []Decision{}} {
		store.Put(cache.key(g, noon), kept)
		r := &Resolver{Registry: f, AsOf: noon, Cache: cache}
		if o := one(t, r, g); o.Err != nil || o.Decisions[0].Tag != "v1" {
			t.Errorf("%s: got %+v, %v", name, o.Decisions, o.Err)
		}
	}
	gate := entry(t, "newest: {tags: v}\n  scan: {refuse: high}")
	d := Decision{}
	d.Digest = digest("a/bv1")
	for name, kept := range map[string]*Scan{"a refusal": {Refused: "1 HIGH", Images: []ScannedImage{{}}}, "nothing judged": {}} {
		store.Put(cache.gateKey(g.Repositories[0], gate.Scan, noon, d), kept)
		if _, ok := cache.passed(g.Repositories[0], gate.Scan, noon, d); ok {
			t.Errorf("%s passes", name)
		}
	}
}

func TestExplainingAllAsksAnew(t *testing.T) {
	t.Parallel()
	f, store := newFake(), &memory{}
	f.push("a/b", noon.Add(-time.Minute), sha(0))
	for i, all := range []bool{false, true} {
		r := &Resolver{Registry: f, AsOf: noon, Candidates: all, Commits: lineOf(&commits{n: 3}), Cache: &Cache{Store: store, Revision: sha(0)}}
		if o := one(t, r, Group{Entry: entry(t, "commit: {}"), Repositories: repos(t, "a/b")}); o.Err != nil || o.Decisions[0].Cached {
			t.Fatalf("round %d: %+v", i, o)
		}
	}
	if got := ops(f); got != "Find Describe Find Describe" {
		t.Errorf("made calls %q", got)
	}
}

func TestExplainingAllLeavesWhatIsKeptAlone(t *testing.T) {
	t.Parallel()
	f, store := newFake(), &memory{}
	f.push("a/b", noon.Add(-time.Hour), "v1")
	resolve := func(all bool) Decision {
		r := &Resolver{Registry: f, AsOf: noon, Candidates: all, Cache: &Cache{Store: store}}
		o := one(t, r, Group{Entry: entry(t, "tag: {name: v1}\n  scan: {refuse: high, allow: [missing]}"), Repositories: repos(t, "a/b")})
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		return o.Decisions[0]
	}
	first, puts := resolve(false), len(store.puts)
	// The tag moves to another image that was also pushed before the instant.
	f.images["a/b"][0].Digest = digest("other")
	if all := resolve(true); all.Digest == first.Digest {
		t.Fatal("explain --all does not show what the tag points at today")
	}
	if got := store.puts[puts:]; len(got) > 0 {
		t.Errorf("explain --all kept %q", got)
	}
	if again := resolve(false); again.Digest != first.Digest {
		t.Errorf("the instant was rendered with %s, and after explain --all it is %s", first.Digest, again.Digest)
	}
}
