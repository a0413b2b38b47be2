package build

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"
)

func TestCaptureGivesWhatWasPrintedAndRestores(t *testing.T) {
	stderr, writer := os.Stderr, log.Writer()
	got := capture(func() {
		fmt.Fprintln(os.Stderr, "# Warning: a")
		log.Println("b")
		log.Println("b")
		fmt.Fprint(os.Stderr, "\n  c")
	})
	if want := []string{"# Warning: a", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	func() {
		defer func() {
			if v := recover(); fmt.Sprint(v) != "it is over\n" {
				t.Errorf("recovered %v", v)
			}
		}()
		capture(func() { log.Fatal("it is over") })
		t.Error("log.Fatal returned")
	}()
	if os.Stderr != stderr || log.Writer() != writer {
		t.Error("something is left changed")
	}
}

func TestCaptureTakesMoreThanAPipeHolds(t *testing.T) {
	got := capture(func() {
		for i := range 20_000 {
			fmt.Fprintln(os.Stderr, "warning", i%3)
		}
	})
	if len(got) != 3 {
		t.Errorf("got %d lines", len(got))
	}
}

func TestTheFenceLetsOthersThrough(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	defer (&fence{guard: newGuarded(nil, place{}, "")}).install()()
	resp, err := http.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
}

func TestWatchMemoryReportsABuildThatTakesTooMuch(t *testing.T) {
	// Not parallel: it changes the limit of the process.
	ballast := make([]byte, 256<<20)
	before := setMemoryLimit(200 << 20)
	defer setMemoryLimit(before)
	bloated, stop := watchMemory()
	defer stop()
	select {
	case most := <-bloated:
		if most != 200<<20 {
			t.Errorf("got %d", most)
		}
	case <-time.After(10 * time.Second):
		t.Error("nothing was reported")
	}
	runtime.KeepAlive(ballast)
}

func TestEveryEstimateIsAboveAThirdOfTheValues(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "a", "[a,b,c]", "{a,b,c}", "- a\n- b\n", "- - - - a\n", "a: b\n", "? a\n: b\n", "-\n-\n", "[[],[],{}]", "{a: {b: {c: d}}}", `{"a":"b"}`, "a:\n b:\n  c:\n", "[a: ,b: ]"} {
		checkEstimate(t, []byte(s))
	}
}
