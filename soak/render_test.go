package soak

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/internal/ecremulator"
)

// TestMain lets more worlds be looked at than there are processors: they mostly
// wait for their faults to pass.
func TestMain(m *testing.M) {
	Generate()
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// setting reads a number from the environment.
func setting(t testing.TB, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s is %q, want a number", name, text)
	}
	return n
}

// tally is what a soak has seen.
type tally struct {
	most             int64
	renders, faulted atomic.Int64
	mu               sync.Mutex
	statuses         map[int]int
}

func (c *tally) add(o Outcome, f *Faults) {
	if f.Fired() > 0 {
		c.faulted.Add(1)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.statuses[o.Status]++
}

// TestSoakRenders renders SOAK_RENDERS times (default 200) in worlds that follow
// from SOAK_SEED (default another each time), in SOAK_WORLDS at most.
func TestSoakRenders(t *testing.T) {
	most := int64(setting(t, "SOAK_RENDERS", 200))
	worlds := setting(t, "SOAK_WORLDS", 1<<40)
	seed := setting(t, "SOAK_SEED", uint64(rand.Uint32()))
	e := ecremulator.Start(t, ecremulator.WithOpenAccess())
	e.SetPageLimit(16)
	count := &tally{most: most, statuses: map[int]int{}}
	start := time.Now()
	next := seed
	var mu sync.Mutex
	t.Run("worlds", func(t *testing.T) {
		for i := range 16 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				for count.renders.Load() < most && !t.Failed() {
					mu.Lock()
					mine, over := next, next-seed >= worlds
					if !over {
						next++
					}
					mu.Unlock()
					if over {
						return
					}
					if !live(t, mine, e, count) {
						t.Errorf("to see this world again: SOAK_SEED=%d SOAK_WORLDS=1 go test -race ./soak -run TestSoakRenders", mine)
					}
				}
			})
		}
	})
	t.Logf("seed %d: %d renders in %d worlds in %s, %d of them met faults; exit statuses %v",
		seed, min(most, count.renders.Load()), next-seed, time.Since(start).Round(time.Millisecond), count.faulted.Load(), count.statuses)
	if most >= 200 && worlds > uint64(most) && !t.Failed() && (count.statuses[0] < int(most)/4 || count.faulted.Load() < most/10 || count.statuses[6] == 0) {
		t.Errorf("the worlds are too dull to find anything in")
	}
}

// live goes through one world's life. False when something was wrong.
func live(t *testing.T, seed uint64, e *ecremulator.Server, count *tally) (ok bool) {
	t.Helper()
	root, err := os.MkdirTemp("", "nova-soak-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(root)
	w, err := New(seed, filepath.Join(root, "repository"), e)
	if err != nil {
		t.Fatal(err)
	}
	ok = true
	rng := rand.New(rand.NewPCG(seed, 2))
	cache := filepath.Join(root, "cache")
	render := func(what string, asOf time.Time, cache string, want Answer, before string) string {
		if count.renders.Add(1) > count.most {
			return before
		}
		f := w.Inject(e.Emulator, rng)
		got, err := w.Render(t.Context(), asOf, cache, f.Timeout())
		f.Remove()
		if err != nil {
			t.Fatal(err)
		}
		count.add(got, f)
		wrong := w.Check(want, got, f.Final() && (f.Fired() > 0 || got.Status == 124))
		if wrong == "" && got.Status == 0 && before != "" && got.Stdout != before {
			wrong = "other bytes than at first"
		}
		if wrong != "" {
			ok = false
			t.Errorf("world %d, %s, as of %s, under %s: %s\npolicy:\n%sstandard error:\n%s",
				seed, what, asOf.Format(time.RFC3339Nano), f, wrong, w.policy.yaml("…"), got.Stderr)
		}
		if got.Status == 0 {
			return got.Stdout
		}
		return before
	}
	type moment struct {
		asOf time.Time
		want Answer
		kept string // bytes of a render that is in the cache
		bare string // bytes of any render
	}
	var moments []*moment
	for range 3 {
		m := &moment{asOf: w.Instant()}
		m.want = w.Oracle(m.asOf)
		m.kept = render("first", m.asOf, cache, m.want, "")
		m.bare = render("again, without a cache", m.asOf, "", m.want, m.kept)
		moments = append(moments, m)
	}
	if err := w.Advance(false); err != nil {
		t.Fatal(err)
	}
	for _, m := range moments {
		if m.want.Timeless {
			render("after newer pushes, without a cache", m.asOf, "", m.want, m.bare)
		}
	}
	if err := w.Discover(); err != nil {
		t.Fatal(err)
	}
	for _, m := range moments {
		// An earlier pass may have become a refusal, and nothing else.
		if m.want.Status == 0 && w.policy.gate != "" && w.policy.kind != "tag" {
			render("after new findings, without a cache", m.asOf, "", Answer{Status: 9}, "")
		}
	}
	if err := w.Advance(true); err != nil {
		t.Fatal(err)
	}
	for _, m := range moments {
		// A tag that pointed at a later image was never final.
		if m.kept != "" && w.policy.kind != "tag" {
			render("from the cache, after tags moved", m.asOf, cache, m.want, m.kept)
		}
	}
	return ok
}
