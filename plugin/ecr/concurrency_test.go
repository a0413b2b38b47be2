package ecr

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/internal/ecremulator"
)

func TestNoMoreCallsAtOnceThanAllowed(t *testing.T) {
	t.Parallel()
	for _, bound := range []int{1, 4} {
		w := newWorld(t)
		w.push(1)
		w.SetLatency(10 * time.Millisecond)
		client := connect(t, w.URL, static(w.Credentials()), quick(), Options{Concurrency: bound})
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if _, err := client.DescribeTag(t.Context(), auth, "t0"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := w.MaxInFlight(); n > bound || n < (bound+1)/2 {
			t.Errorf("%d calls at once, want %d", n, bound)
		}
	}
}

func TestACallThatNeverHadItsTurnSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Inject(ecremulator.Fault{Kind: ecremulator.Hang})
	client := connect(t, w.URL, static(w.Credentials()), quick(), Options{Concurrency: 1})
	ctx := until(t, func() bool { return w.MaxInFlight() == 1 && strings.Count(client.Pending(), "DescribeImages") == 2 })
	failures := make([]error, 2)
	var wg sync.WaitGroup
	for i := range failures {
		wg.Go(func() { _, failures[i] = client.DescribeTag(ctx, auth, "t0") })
	}
	wg.Wait()
	calls := Interrupted(errors.Join(failures...))
	turns := strings.Count(strings.Join(calls, "\n"), "waited for its turn")
	if len(calls) != 2 || turns != 1 {
		t.Errorf("interrupted %q, want one that waited for its turn", calls)
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.push(1)
	w.SetLatency(2 * time.Millisecond)
	var opened atomic.Int64
	s := httptest.NewUnstartedServer(w.Emulator)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	const atOnce = 8
	client := connect(t, s.URL, static(w.Credentials()), quick(), Options{Concurrency: atOnce})
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			for i := range 10 {
				tag := []string{"t0", "none"}[i%2] // an error's answer is read to its end, too
				if _, err := client.DescribeTag(t.Context(), auth, tag); err != nil && !errors.Is(err, ErrImageNotFound) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := opened.Load(); n > 2*atOnce { // a connection may be opened in vain while another comes free
		t.Errorf("%d connections for %d calls at once", n, atOnce)
	}
}

// huge is a repository as CI leaves it after years.
func huge(t testing.TB, n int) *world {
	t.Helper()
	w := newWorld(t)
	must(0, w.repository.SeedImages(n, func(i int) (string, time.Time) {
		return fmt.Sprintf("%040x", i), noon.Add(time.Duration(i) * time.Second)
	}))
	return w
}

// A listing is read page by page: its memory does not grow with the repository.
func TestListingAHugeRepositoryTakesBoundedMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("lists 30,000 images")
	}
	const many = 30_000
	w := huge(t, many)
	client := w.client(t)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	images, pages, grown := 0, 0, uint64(0)
	err := client.List(t.Context(), auth, func(page []Image) error {
		images += len(page)
		if pages++; pages%10 == 0 {
			grown = max(grown, heap()-min(before, heap()))
		}
		return nil
	})
	if err != nil || images != many {
		t.Fatalf("listed %d images, %v", images, err)
	}
	w.wantCalls(t, "DescribeImages", auth.Name, many/1000)
	if most := uint64(32 << 20); grown > most {
		t.Errorf("%d MiB more on the heap amid the listing, want at most %d", grown>>20, most>>20)
	}
}

func BenchmarkList100k(b *testing.B) {
	w := huge(b, 100_000)
	client := w.client(b)
	b.ReportAllocs()
	for b.Loop() {
		w.Reset()
		n := 0
		if err := client.List(b.Context(), auth, func(page []Image) error { n += len(page); return nil }); err != nil || n != 100_000 {
			b.Fatal(n, err)
		}
	}
	w.wantCalls(b, "DescribeImages", auth.Name, 100)
}

func BenchmarkFind100(b *testing.B) {
	w := newWorld(b)
	w.push(MaxBatch)
	client := w.client(b)
	tags := make([]string, MaxBatch)
	for i := range tags {
		tags[i] = fmt.Sprintf("t%d", i)
	}
	b.ReportAllocs()
	for b.Loop() {
		if found, err := client.Find(b.Context(), auth, tags); err != nil || len(found) != MaxBatch {
			b.Fatal(len(found), err)
		}
	}
}
