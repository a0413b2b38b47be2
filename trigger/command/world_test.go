package command_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/internal/argotest"
	"github.com/proerror77/nova-staging/internal/ecremulator"
	"github.com/proerror77/nova-staging/trigger/application"
	"github.com/proerror77/nova-staging/trigger/command"
)

const (
	account = "025434362120"
	region  = "ap-northeast-1"
	host    = account + ".dkr.ecr." + region + ".amazonaws.com/"
	start   = "2026-11-20T12:00:00Z"
)

// world is a cluster with Argo CD, a registry and a queue that agree.
type world struct {
	t          *testing.T
	api        *argotest.Server
	argo       *argotest.Argo
	ecr        *ecremulator.Server
	registry   *ecremulator.Registry
	queue      *ecremulator.Queue
	dead       *ecremulator.Queue
	kubeconfig string

	mu     sync.Mutex
	pushes []pushed
	broken string // what rendering says
}

type pushed struct {
	repository, tag string
	at              time.Time
}

// newWorld starts all of it. Tests that call it run one at a time: the SDK reads
// the process's environment.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, api: argotest.New(), ecr: ecremulator.Start(t)}
	t.Cleanup(w.api.Close)
	for name, value := range w.ecr.Env() {
		t.Setenv(name, value)
	}
	t.Setenv("AWS_REGION", region)
	var err error
	if w.registry, err = w.ecr.CreateRegistry(account, region); err != nil {
		t.Fatal(err)
	}
	w.dead = ecremulator.Must(w.ecr.CreateQueue(account, region, "nova-trigger-dead", ecremulator.QueueOptions{}))
	w.queue = ecremulator.Must(w.ecr.CreateQueue(account, region, "nova-trigger", ecremulator.QueueOptions{DeadLetter: w.dead, MaxReceives: 3}))
	w.ecr.EmitTo(w.queue)
	if w.kubeconfig, err = w.api.Kubeconfig(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	w.argo = &argotest.Argo{Render: w.render, Smoke: smoke, RenderTime: 30 * time.Millisecond, SyncTime: 150 * time.Millisecond}
	return w
}

// run lets Argo CD work.
func (w *world) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.argo.Run(ctx, w.api) }()
	w.t.Cleanup(func() { cancel(); <-done })
	time.Sleep(20 * time.Millisecond)
}

// render is the newest tag of each repository at an instant.
func (w *world) render(_, asOf string) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken != "" {
		return "", errors.New(w.broken)
	}
	at, err := time.Parse(time.RFC3339, asOf)
	if err != nil {
		return "", err
	}
	newest := map[string]string{}
	for _, p := range w.pushes {
		if !p.at.After(at) {
			newest[p.repository] = p.tag
		}
	}
	var all []string
	for _, r := range slices.Sorted(maps.Keys(newest)) {
		all = append(all, r+":"+newest[r])
	}
	return strings.Join(all, " "), nil
}

func (w *world) breakRender(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = text
}

// smoke fails for a tag that begins with bad.
func smoke(_, render string) (string, bool) {
	for _, image := range strings.Fields(render) {
		if _, tag, _ := strings.Cut(image, ":"); strings.HasPrefix(tag, "bad") {
			return "Job has failed: health: " + image + " answers 500", false
		}
	}
	return "", true
}

// push puts an image into the registry, which tells the queue.
func (w *world) push(repository, tag string) {
	w.t.Helper()
	r := w.registry.Repository(repository)
	if r == nil {
		r = ecremulator.Must(w.registry.CreateRepository(repository))
	}
	at := time.Now()
	w.mu.Lock()
	w.pushes = append(w.pushes, pushed{repository, tag, at})
	w.mu.Unlock()
	if _, err := r.PushAt(at, ecremulator.OCIImage(repository+" "+tag), tag); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) queueURL() string { return w.ecr.URL + w.queue.Path() }

// log gathers what a process writes.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// process is trigger watch while it runs.
type process struct {
	log  *log
	stop func() int
	url  string
}

// watch starts trigger watch with quick settings; later flags win.
func (w *world) watch(args ...string) *process {
	w.t.Helper()
	l := &log{}
	ctx, cancel := context.WithCancel(context.Background())
	status := make(chan int, 1)
	all := append([]string{
		"watch", "--kubeconfig", w.kubeconfig, "--queue-url", w.queueURL(), "--settle", "300ms", "--max-wait", "3s", "--together-max-wait", "5s",
		"--queue-visibility", "3s", "--listen", "127.0.0.1:0", "--log-level", "debug", "--leader-elect=false", "--grace", "2s", "--push-times=false",
	}, args...)
	env := func(k string) string { return map[string]string{"POD_NAME": "trigger-0"}[k] }
	go func() { status <- command.Run(ctx, all, env, io.Discard, l) }()
	p := &process{log: l}
	var once sync.Once
	code := 0
	p.stop = func() int {
		once.Do(func() {
			cancel()
			select {
			case code = <-status:
			case <-time.After(20 * time.Second):
				w.t.Errorf("watch did not end; log:\n%s", l)
			}
		})
		return code
	}
	w.t.Cleanup(func() {
		p.stop()
		if w.t.Failed() && os.Getenv("TRIGGER_LOG") != "" {
			w.t.Logf("log:\n%s", l)
		}
	})
	w.eventually("watch listens", func() bool {
		m := regexp.MustCompile(`"listen":"([^"]+)"`).FindStringSubmatch(l.String())
		if m != nil {
			p.url = "http://" + m[1]
		}
		return m != nil && strings.Contains(l.String(), "applications are known")
	}, l)
	return p
}

// eventually waits for a condition.
func (w *world) eventually(what string, ok func() bool, logs ...*log) {
	w.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			for _, l := range logs {
				w.t.Logf("log:\n%s", l)
			}
			w.t.Fatalf("not within 20s: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// record of an Application.
func (w *world) record(name string) application.Record {
	w.t.Helper()
	r, err := application.ParseRecord(w.api.Annotation("argocd", name, application.RecordKey))
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// becomes waits for a verdict of a kind.
func (w *world) becomes(name string, kind application.Kind, v application.Verdict, logs ...*log) application.Record {
	w.t.Helper()
	w.eventually(fmt.Sprintf("%s is %s %s", name, kind, v), func() bool {
		r := w.record(name)
		return r.Kind == kind && r.Verdict == v
	}, logs...)
	return w.record(name)
}

// events are the reasons of the Events on an Application.
func (w *world) events(name string) []string {
	var all []string
	for _, e := range w.api.Events() {
		if e.Object == "argocd/"+name {
			all = append(all, e.Reason)
		}
	}
	return all
}

// cli runs a subcommand and gives its exit status and outputs.
func (w *world) cli(args ...string) (int, string, string) {
	w.t.Helper()
	var out, err bytes.Buffer
	env := func(k string) string { return map[string]string{"USER": "ada"}[k] }
	code := command.Run(w.t.Context(), append(args, "--kubeconfig", w.kubeconfig), env, &out, &err)
	return code, out.String(), err.String()
}

func get(t *testing.T, url string) (int, string) {
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

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

// failDeletes lets deletions fail until the returned function is called.
func (w *world) failDeletes() (lift func()) {
	i := w.ecr.Inject(ecremulator.Fault{Kind: ecremulator.Unavailable, Op: "DeleteMessageBatch"})
	return i.Remove
}
