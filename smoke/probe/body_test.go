package probe_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/smoke/probe"
	"github.com/proerror77/nova-staging/smoke/reach"
)

// pages answers each path with a body of that many bytes.
type pages map[string]int

// direct is a way on which nothing is dialled.
type direct struct {
	reach.Reach
	pages
}

func (d direct) Transport(reach.Target) (http.RoundTripper, error) { return d.pages, nil }

func (p pages) RoundTrip(r *http.Request) (*http.Response, error) {
	body := bytes.NewReader(bytes.Repeat([]byte("x"), p[r.URL.Path]))
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(body), Request: r}, nil
}

func to(p pages) reach.Reach { return direct{pages: p} }

const mib = 1 << 20

func TestLongBodiesWaitForRoom(t *testing.T) {
	t.Parallel()
	p := probe.New(to(pages{"/small": 100 << 10, "/large": 8 * mib}), 128)
	get := func(path string, timeout time.Duration) probe.Answer {
		return p.Get(t.Context(), probe.Request{Path: path, Timeout: timeout, MaxBody: 8 * mib})
	}
	var held []probe.Answer
	for range 4 {
		a := get("/large", time.Minute)
		if a.Err != nil || len(a.Body) != 8*mib || a.TooLong {
			t.Fatalf("%d bytes, too long %t: %v", len(a.Body), a.TooLong, a.Err)
		}
		if cap(a.Body) > 9*mib {
			t.Errorf("it takes %d MiB", cap(a.Body)/mib)
		}
		held = append(held, a)
	}
	if a := get("/large", 100*time.Millisecond); a.Err == nil || !a.Unreachable || !strings.Contains(a.Err.Error(), "no room for its body among others as long within ") {
		t.Errorf("a fifth: %d bytes, unreachable %t: %v", len(a.Body), a.Unreachable, a.Err)
	}
	if a := get("/small", time.Minute); a.Err != nil || len(a.Body) != 100<<10 {
		t.Errorf("a small one: %d bytes: %v", len(a.Body), a.Err)
	}
	time.AfterFunc(50*time.Millisecond, held[0].Done)
	if a := get("/large", time.Minute); a.Err != nil || len(a.Body) != 8*mib {
		t.Errorf("a fifth, when there is room: %d bytes: %v", len(a.Body), a.Err)
	}
}

// More are held at once than there is room for at their limit.
func TestABodyTakesNoMoreRoomThanItHas(t *testing.T) {
	t.Parallel()
	p := probe.New(to(pages{"/": mib}), 128)
	for i := range 8 {
		if a := p.Get(t.Context(), probe.Request{Path: "/", Timeout: 10 * time.Second, MaxBody: 16 * mib}); a.Err != nil || len(a.Body) != mib {
			t.Fatalf("number %d: %d bytes: %v", i+1, len(a.Body), a.Err)
		}
	}
}

func TestALimitMayBeBeyondAllRoom(t *testing.T) {
	t.Parallel()
	a := probe.New(to(pages{"/": mib}), 1).Get(t.Context(), probe.Request{Path: "/", Timeout: 10 * time.Second, MaxBody: 64 * mib})
	if a.Err != nil || len(a.Body) != mib {
		t.Errorf("%d bytes: %v", len(a.Body), a.Err)
	}
}

func TestEachRequestGivesItsConnectionBack(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	p := probe.New(to(pages{"/": 1}), 1)
	for range 3 {
		if a := p.Get(ctx, probe.Request{Path: "/", Timeout: 10 * time.Second, MaxBody: 1}); a.Err != nil {
			t.Fatal(a.Err)
		}
	}
}

func TestABodyIsReadUpToItsLimit(t *testing.T) {
	t.Parallel()
	for _, max := range []int{1, 128<<10 - 2, 128<<10 - 1, 128 << 10, 128<<10 + 1, mib} {
		for _, more := range []int{-1, 0, 1, 2, 4096} {
			a := probe.New(to(pages{"/": max + more}), 1).Get(t.Context(), probe.Request{Path: "/", Timeout: time.Minute, MaxBody: int64(max)})
			if a.Err != nil || a.TooLong != (more > 0) || len(a.Body) != max+min(more, 0) {
				t.Errorf("%d bytes of at most %d: %d read, too long %t: %v", max+more, max, len(a.Body), a.TooLong, a.Err)
			}
		}
	}
}

// Pages of a MiB from 80 Pods, each looked at for a while.
func TestManyLongBodiesAreNeverHeldAtOnce(t *testing.T) {
	t.Parallel()
	p := probe.New(to(pages{"/": mib}), 128)
	var mu sync.Mutex
	held, most := 0, 0
	add := func(n int) {
		mu.Lock()
		defer mu.Unlock()
		held += n
		most = max(most, held)
	}
	var wg sync.WaitGroup
	for range 80 {
		wg.Go(func() {
			a := p.Get(t.Context(), probe.Request{Path: "/", Timeout: time.Minute, MaxBody: 8 * mib})
			defer a.Done()
			if a.Err != nil || len(a.Body) != mib {
				t.Errorf("%d bytes: %v", len(a.Body), a.Err)
			}
			add(len(a.Body))
			time.Sleep(time.Millisecond)
			add(-len(a.Body))
		})
	}
	wg.Wait()
	if most > 32*mib {
		t.Errorf("%d MiB were held at once, want at most 32", most/mib)
	}
}
