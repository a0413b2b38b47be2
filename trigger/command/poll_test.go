package command_test

import (
	"strings"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/internal/argotest"
	"github.com/proerror77/nova-staging/internal/ecremulator"
	"github.com/proerror77/nova-staging/internal/triggertest"
	"github.com/proerror77/nova-staging/trigger/application"
)

// polling replaces the queue: later flags win.
var polling = []string{"--queue-url", "", "--poll", "--poll-interval", "1s", "--poll-budget", "6000"}

func TestPollingHearsOfPushes(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old", "redis:7"}})
	w.Push("nova/auth", "good1") // before it starts
	w.Push("nova/other", "good1")
	w.Run()
	p := w.Watch(polling...)
	w.Becomes("nova", application.Deploy, application.Verified, p.Log)
	w.Push("nova/auth", "bad1")
	w.Becomes("nova", application.Rollback, application.Verified, p.Log)
	time.Sleep(2500 * time.Millisecond) // the bad image is still the newest
	if r := w.Record("nova"); r.Kind != application.Rollback {
		t.Fatalf("polling deployed the bad image again: %+v", r)
	}
	w.Push("nova/auth", "good2")
	w.Becomes("nova", application.Deploy, application.Verified, p.Log)
	for _, c := range w.ECR.Calls() {
		if c.Operation == "DescribeImages" && c.Repository != "nova/auth" {
			t.Errorf("%s was asked about, which nobody uses", c.Repository)
		}
	}
	if n := w.API.Count("patch applications"); n > 12 { // six writes, and some that met another's
		t.Errorf("%d patches", n)
	}
}

func TestPollingWhileECRThrottles(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old", triggertest.Host + "nova/gone:old"}})
	fault := w.ECR.Inject(ecremulator.Fault{Kind: ecremulator.Throttle, Op: "DescribeImages"})
	w.Run()
	p := w.Watch(polling...)
	w.Push("nova/auth", "good1")
	w.Eventually("it is throttled a few times", func() bool { return fault.Fired() >= 2 }, p.Log)
	fault.Remove()
	w.Becomes("nova", application.Deploy, application.Verified, p.Log)
	if n := strings.Count(p.Log.String(), "ECR throttles"); n != 1 {
		t.Errorf("the log says so %d times", n)
	}
	w.Eventually("a repository that is gone is said", func() bool { return strings.Contains(p.Log.String(), "nova/gone") }, p.Log)
	if n := strings.Count(p.Log.String(), "a repository can not be listed"); n != 1 {
		t.Errorf("the log says so %d times", n)
	}
}

func TestTheRegistrysClockIsFollowed(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	const ahead = 40 * time.Second
	w.ECR.SetClockSkew(ahead)
	w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"}})
	w.Run()
	p := w.Watch()
	repo := ecremulator.Must(w.Registry.CreateRepository("nova/auth"))
	began := time.Now()
	w.Queue.Send(ecremulator.NewEvent(repo, "PUSH", "sha256:"+strings.Repeat("a", 64), "good1", began.Add(ahead)).JSON())
	w.Eventually("as-of has moved", func() bool { return w.API.AsOf("argocd", "nova") != triggertest.Start }, p.Log)
	at, err := time.Parse(time.RFC3339, w.API.AsOf("argocd", "nova"))
	if err != nil {
		t.Fatal(err)
	}
	if d := at.Sub(began); d < ahead || d > ahead+time.Since(began)+time.Second {
		t.Errorf("as-of is %s after the push by our clock, want it by the registry's, %s ahead", d, ahead)
	}
}

func TestWhetherPushesCanBeHeardIsSaidBySource(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.Run()
	p := w.Watch("--poll", "--poll-interval", "1s", "--poll-budget", "6000")
	up := func(source string) func() bool {
		return func() bool {
			_, page := triggertest.Get(t, p.URL+"/metrics")
			return strings.Contains(page, `nova_trigger_source_up{source="`+source+`"} 1`+"\n")
		}
	}
	w.Eventually("with nothing to ask ECR about nothing is missed", up("ecr"), p.Log)
	w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"}})
	w.Push("nova/auth", "good1") // ends a long poll
	w.Eventually("the queue is read", up("queue"), p.Log)
	denied := w.ECR.Inject(ecremulator.Fault{Kind: ecremulator.AccessDenied, Op: "DescribeImages"})
	w.Eventually("ECR refuses every repository", func() bool { return !up("ecr")() }, p.Log)
	if !up("queue")() {
		t.Error("the queue is said to be lost with ECR")
	}
	denied.Remove()
	w.Eventually("ECR tells again", up("ecr"), p.Log)
	p.Stop()
}
