package command_test

import (
	"strings"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/internal/argotest"
	"github.com/proerror77/nova-staging/internal/ecremulator"
	"github.com/proerror77/nova-staging/trigger/application"
)

// polling replaces the queue: later flags win.
var polling = []string{"--queue-url", "", "--poll", "--poll-interval", "1s", "--poll-budget", "6000"}

func TestPollingHearsOfPushes(t *testing.T) {
	w := newWorld(t)
	w.api.Add(argotest.App{Name: "nova", AsOf: start, Images: []string{host + "nova/auth:old", "redis:7"}})
	w.push("nova/auth", "good1") // before it starts
	w.push("nova/other", "good1")
	w.run()
	p := w.watch(polling...)
	w.becomes("nova", application.Deploy, application.Verified, p.log)
	w.push("nova/auth", "bad1")
	w.becomes("nova", application.Rollback, application.Verified, p.log)
	time.Sleep(2500 * time.Millisecond) // the bad image is still the newest
	if r := w.record("nova"); r.Kind != application.Rollback {
		t.Fatalf("polling deployed the bad image again: %+v", r)
	}
	w.push("nova/auth", "good2")
	w.becomes("nova", application.Deploy, application.Verified, p.log)
	for _, c := range w.ecr.Calls() {
		if c.Operation == "DescribeImages" && c.Repository != "nova/auth" {
			t.Errorf("%s was asked about, which nobody uses", c.Repository)
		}
	}
	if n := w.api.Count("patch applications"); n > 12 { // six writes, and some that met another's
		t.Errorf("%d patches", n)
	}
}

func TestPollingWhileECRThrottles(t *testing.T) {
	w := newWorld(t)
	w.api.Add(argotest.App{Name: "nova", AsOf: start, Images: []string{host + "nova/auth:old", host + "nova/gone:old"}})
	fault := w.ecr.Inject(ecremulator.Fault{Kind: ecremulator.Throttle, Op: "DescribeImages"})
	w.run()
	p := w.watch(polling...)
	w.push("nova/auth", "good1")
	w.eventually("it is throttled a few times", func() bool { return fault.Fired() >= 2 }, p.log)
	fault.Remove()
	w.becomes("nova", application.Deploy, application.Verified, p.log)
	if n := strings.Count(p.log.String(), "ECR throttles"); n != 1 {
		t.Errorf("the log says so %d times", n)
	}
	w.eventually("a repository that is gone is said", func() bool { return strings.Contains(p.log.String(), "nova/gone") }, p.log)
	if n := strings.Count(p.log.String(), "a repository can not be listed"); n != 1 {
		t.Errorf("the log says so %d times", n)
	}
}

func TestTheRegistrysClockIsFollowed(t *testing.T) {
	w := newWorld(t)
	const ahead = 40 * time.Second
	w.ecr.SetClockSkew(ahead)
	w.api.Add(argotest.App{Name: "nova", AsOf: start, Images: []string{host + "nova/auth:old"}})
	w.run()
	p := w.watch()
	repo := ecremulator.Must(w.registry.CreateRepository("nova/auth"))
	began := time.Now()
	w.queue.Send(ecremulator.NewEvent(repo, "PUSH", "sha256:"+strings.Repeat("a", 64), "good1", began.Add(ahead)).JSON())
	w.eventually("as-of has moved", func() bool { return w.api.AsOf("argocd", "nova") != start }, p.log)
	at, err := time.Parse(time.RFC3339, w.api.AsOf("argocd", "nova"))
	if err != nil {
		t.Fatal(err)
	}
	if d := at.Sub(began); d < ahead || d > ahead+6*time.Second {
		t.Errorf("as-of is %s after the push by our clock, want it by the registry's, %s ahead", d, ahead)
	}
	if took := time.Since(began); took > 6*time.Second {
		t.Errorf("it took %s", took)
	}
}
