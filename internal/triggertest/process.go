package triggertest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/trigger/command"
)

// Process is trigger watch while it runs.
type Process struct {
	Log *Log
	URL string // of board and metrics
	// Stop ends it and gives its exit status; a second time only that.
	Stop func() int
}

// Watch starts trigger watch with quick settings until the test ends; later flags
// win.
func (w *World) Watch(args ...string) *Process {
	w.t.Helper()
	l := &Log{}
	ctx, cancel := context.WithCancel(context.Background())
	status := make(chan int, 1)
	all := append([]string{
		"watch", "--kubeconfig", w.Kubeconfig, "--queue-url", w.QueueURL(), "--settle", "300ms", "--max-wait", "3s", "--together-max-wait", "5s",
		"--queue-visibility", "3s", "--listen", "127.0.0.1:0", "--log-level", "debug", "--leader-elect=false", "--grace", "2s", "--push-times=false",
	}, args...)
	go func() {
		status <- command.Run(ctx, command.Program{Args: all, Env: env("POD_NAME", "trigger-0"), AWS: w.AWS(), Stdout: io.Discard, Stderr: l})
	}()
	p := &Process{Log: l}
	var once sync.Once
	code := 0
	p.Stop = func() int {
		once.Do(func() {
			cancel()
			select {
			case code = <-status:
			case <-time.After(time.Minute):
				w.t.Errorf("watch did not end; log:\n%s", l)
			}
		})
		return code
	}
	w.t.Cleanup(func() {
		p.Stop()
		if w.t.Failed() && os.Getenv("TRIGGER_LOG") != "" {
			w.t.Logf("log:\n%s", l)
		}
	})
	w.Eventually("watch listens", func() bool {
		m := regexp.MustCompile(`"listen":"([^"]+)"`).FindStringSubmatch(l.String())
		if m != nil {
			p.URL = "http://" + m[1]
		}
		return m != nil && strings.Contains(l.String(), "applications are known")
	}, l)
	return p
}

// Log gathers what a process writes. Safe for concurrent use.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is all that was written.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Get gives an answer's status and body.
func Get(t testing.TB, url string) (int, string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(data)
}

// Decode reads a JSON document.
func Decode[T any](t testing.TB, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}
