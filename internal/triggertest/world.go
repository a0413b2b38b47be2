package triggertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/proerror77/nova-staging/internal/argotest"
	"github.com/proerror77/nova-staging/internal/ecremulator"
	"github.com/proerror77/nova-staging/trigger/application"
	"github.com/proerror77/nova-staging/trigger/command"
)

const (
	// Account and Region are the registry's and the queue's.
	Account = "025434362120"
	Region  = "ap-northeast-1"
	// Host is what the names of the registry's images begin with.
	Host = Account + ".dkr.ecr." + Region + ".amazonaws.com/"
	// Start is an instant for Applications to begin at.
	Start = "2026-11-20T12:00:00Z"
)

// World is a cluster with Argo CD, a registry and a queue that agree. Make it with
// [New]; no two share anything.
type World struct {
	API        *argotest.Server
	Argo       *argotest.Argo
	ECR        *ecremulator.Server
	Registry   *ecremulator.Registry
	Queue      *ecremulator.Queue // gets the registry's events
	Dead       *ecremulator.Queue // its dead letters
	Kubeconfig string

	t      testing.TB
	mu     sync.Mutex
	pushes []pushed
	broken string // what rendering says
}

type pushed struct {
	repository, tag string
	at              time.Time
}

// New starts all of it until the test ends; Argo CD begins to work with
// [World.Run].
func New(t testing.TB) *World {
	t.Helper()
	w := &World{t: t, API: argotest.New(), ECR: ecremulator.Start(t)}
	t.Cleanup(w.API.Close)
	var err error
	if w.Registry, err = w.ECR.CreateRegistry(Account, Region); err != nil {
		t.Fatal(err)
	}
	w.Dead = ecremulator.Must(w.ECR.CreateQueue(Account, Region, "nova-trigger-dead", ecremulator.QueueOptions{}))
	w.Queue = ecremulator.Must(w.ECR.CreateQueue(Account, Region, "nova-trigger", ecremulator.QueueOptions{Wait: 20 * time.Second, DeadLetter: w.Dead, MaxReceives: 3}))
	w.ECR.EmitTo(w.Queue)
	if w.Kubeconfig, err = w.API.Kubeconfig(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	w.Argo = &argotest.Argo{Render: w.render, Images: w.images, Smoke: smoke, RenderTime: 30 * time.Millisecond, SyncTime: 150 * time.Millisecond}
	return w
}

// AWS leads the SDK to the emulator, whatever the machine has configured.
func (w *World) AWS() []func(*config.LoadOptions) error {
	c := w.ECR.Credentials()
	return []func(*config.LoadOptions) error{
		config.WithBaseEndpoint(w.ECR.URL), config.WithRegion(Region),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)),
		config.WithSharedConfigFiles([]string{}), config.WithSharedCredentialsFiles([]string{}),
	}
}

// Run lets Argo CD work until the test ends.
func (w *World) Run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.Argo.Run(ctx, w.API) }()
	w.t.Cleanup(func() { cancel(); <-done })
	time.Sleep(20 * time.Millisecond)
}

// render is the newest tag of each repository at an instant.
func (w *World) render(_, asOf string) (string, error) {
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

// images are the references in a render, as generate pins them, of the repositories that
// an Application's images have been in.
func (w *World) images(app, render string) (references []string) {
	ran, _, _ := unstructured.NestedStringSlice(w.API.Get("argocd", app), "status", "summary", "images")
	for _, image := range strings.Fields(render) {
		repository, tag, _ := strings.Cut(image, ":")
		if !slices.ContainsFunc(ran, func(i string) bool { return strings.HasPrefix(i, Host+repository+":") }) {
			continue
		}
		if i, err := w.Registry.Repository(repository).Image(tag); err == nil {
			references = append(references, Host+image+"@"+i.Digest)
		}
	}
	return references
}

// BreakRender lets every render fail with a text; empty mends it.
func (w *World) BreakRender(text string) {
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

// Push puts an image into the registry, which tells the queue. A tag that begins
// with bad fails the smoke test.
func (w *World) Push(repository, tag string) {
	w.t.Helper()
	r := w.Registry.Repository(repository)
	if r == nil {
		r = ecremulator.Must(w.Registry.CreateRepository(repository))
	}
	at := time.Now()
	w.mu.Lock()
	w.pushes = append(w.pushes, pushed{repository, tag, at})
	w.mu.Unlock()
	if _, err := r.PushAt(at, ecremulator.OCIImage(repository+" "+tag), tag); err != nil {
		w.t.Fatal(err)
	}
}

// Tag puts another tag on an image that was pushed, which tells the queue.
func (w *World) Tag(repository, old, tag string) {
	w.t.Helper()
	r := w.Registry.Repository(repository)
	image, err := r.Image(old)
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	w.pushes = append(w.pushes, pushed{repository, tag, time.Now()})
	w.mu.Unlock()
	if err := r.Tag(image.Digest, tag); err != nil {
		w.t.Fatal(err)
	}
}

// QueueURL is the queue's.
func (w *World) QueueURL() string { return w.ECR.URL + w.Queue.Path() }

// FailDeletes lets deletions fail until the returned function is called.
func (w *World) FailDeletes() (lift func()) {
	return w.ECR.Inject(ecremulator.Fault{Kind: ecremulator.Unavailable, Op: "DeleteMessageBatch"}).Remove
}

// Eventually waits for a condition, a minute at most; then it fails the test with the
// logs.
func (w *World) Eventually(what string, ok func() bool, logs ...*Log) {
	w.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			for _, l := range logs {
				w.t.Logf("log:\n%s", l)
			}
			w.t.Fatalf("not within a minute: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Syncing waits until a sync runs of what an Application in namespace argocd has been
// moved to from an instant.
func (w *World) Syncing(name, from string, logs ...*Log) {
	w.t.Helper()
	w.Eventually("a sync is under way", func() bool {
		o := w.API.Get("argocd", name)
		phase, _, _ := unstructured.NestedString(o, "status", "operationState", "phase")
		return phase == "Running" && w.API.AsOf("argocd", name) != from
	}, logs...)
}

// Remembered waits until pushes wait in the record of an Application in namespace
// argocd, and no message is left.
func (w *World) Remembered(name string, logs ...*Log) {
	w.t.Helper()
	w.Eventually("the push is remembered and its message deleted", func() bool {
		return w.Record(name).Pending != nil && w.Queue.Len() == 0
	}, logs...)
}

// Record of an Application in namespace argocd.
func (w *World) Record(name string) application.Record {
	w.t.Helper()
	r, err := application.ParseRecord(w.API.Annotation("argocd", name, application.RecordKey))
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// Becomes waits for a verdict of a kind.
func (w *World) Becomes(name string, kind application.Kind, v application.Verdict, logs ...*Log) application.Record {
	w.t.Helper()
	w.Eventually(fmt.Sprintf("%s is %s %s", name, kind, v), func() bool {
		r := w.Record(name)
		return r.Kind == kind && r.Verdict == v
	}, logs...)
	return w.Record(name)
}

// Events are the reasons of the Events on an Application.
func (w *World) Events(name string) []string {
	var all []string
	for _, e := range w.API.Events() {
		if e.Object == "argocd/"+name {
			all = append(all, e.Reason)
		}
	}
	return all
}

// CLI runs a subcommand and gives its exit status and outputs.
func (w *World) CLI(args ...string) (status int, stdout, stderr string) {
	w.t.Helper()
	var out, err bytes.Buffer
	status = command.Run(w.t.Context(), command.Program{
		Args: append(args, "--kubeconfig", w.Kubeconfig), Env: env("USER", "ada"), AWS: w.AWS(), Stdout: &out, Stderr: &err,
	})
	return status, out.String(), err.String()
}

// env is an environment of one variable.
func env(name, value string) func(string) string {
	return func(k string) string {
		if k == name {
			return value
		}
		return ""
	}
}

// NotifyLate reads the Application's annotations as Argo CD's notifications
// controller does before it sends a message. What is returned writes all of them
// back, as that does afterwards, without asking what has changed meanwhile.
func (w *World) NotifyLate(name string) (write func()) {
	read := maps.Clone(argotest.Annotations(w.API.Get("argocd", name)))
	return func() {
		w.API.Update("argocd", name, func(o map[string]any) {
			now := argotest.Annotations(o)
			maps.Copy(now, read)
			now["notified.notifications.argoproj.io"] = "{}"
		})
	}
}
