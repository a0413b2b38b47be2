package observability_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/proerror77/nova-staging/internal/argotest"
	"github.com/proerror77/nova-staging/internal/ecremulator"
	"github.com/proerror77/nova-staging/internal/triggertest"
	"github.com/proerror77/nova-staging/trigger/application"
)

// fault is what an alert is for.
type fault struct {
	alert, what string
	// with are alerts that may fire for it, too.
	with []string
	// begin prepares what runs. Optional: one Application.
	begin func(*stage)
	// healthy is what goes on without raising an alert. Optional: a deployment.
	healthy func(*stage)
	// inject brings the fault about, and gives what ends it. Some end by themselves.
	inject func(*stage) (lift func())
}

// polling is in place of the queue.
var polling = []string{"--queue-url", "", "--poll", "--poll-interval", "1s", "--poll-budget", "6000"}

// noPush is an event that ends a long poll and means nothing.
const noPush = `{"source":"aws.s3","detail-type":"Object Created"}`

func polls(s *stage) {
	s.API.Add(app("nova/auth"))
	s.args = polling
}

var faults = []fault{
	{
		alert: "NovaStagingSyncFailed", what: "an image that fails its smoke test",
		inject: func(s *stage) func() {
			s.Push("nova/auth", "bad1")
			s.Becomes("nova", application.Rollback, application.Verified, s.process.Log)
			return nil
		},
	},
	{
		alert: "NovaStagingFailed", what: "an image that fails, and is not rolled back", with: []string{"NovaStagingSyncFailed"},
		begin: func(s *stage) {
			a := app("nova/auth")
			a.Annotations = map[string]string{application.RollbackKey: "off"}
			s.API.Add(a)
		},
		inject: func(s *stage) func() {
			s.Push("nova/auth", "bad1")
			s.Becomes("nova", application.Deploy, application.SyncFailed, s.process.Log)
			return func() { s.Push("nova/auth", "good2") }
		},
	},
	rollbackFails(),
	{
		alert: "NovaStagingNotMovable", what: "an Application without as-of",
		inject: func(s *stage) func() {
			s.API.Add(argotest.App{Name: "no-as-of"})
			return func() { s.API.Remove("argocd", "no-as-of") }
		},
	},
	{
		alert: "NovaStagingHeld", what: "a hold that nobody ends",
		inject: func(s *stage) func() {
			s.must("hold", "-a", "nova", "--reason", "forgotten")
			return func() { s.must("release", "-a", "nova") }
		},
	},
	{
		alert: "NovaTriggerDown", what: "no process",
		inject: func(s *stage) func() {
			s.process.Stop()
			return s.watch
		},
	},
	leaseLost(),
	{
		alert: "NovaTriggerDeaf", what: "a queue that may not be read", with: []string{"NovaTriggerErrors"},
		inject: func(s *stage) func() {
			i := s.ECR.Inject(ecremulator.Fault{Kind: ecremulator.AccessDenied, Op: "ReceiveMessage"})
			s.Eventually("both receivers are refused", func() bool {
				s.Queue.Send(noPush)
				return i.Fired() >= 2
			}, s.process.Log)
			return i.Remove
		},
	},
	{
		alert: "NovaTriggerDeaf", what: "a role that may not list any more", with: []string{"NovaTriggerErrors"}, begin: polls,
		inject: func(s *stage) func() {
			return s.ECR.Inject(ecremulator.Fault{Kind: ecremulator.AccessDenied, Op: "DescribeImages"}).Remove
		},
	},
	{
		alert: "NovaTriggerDeaf", what: "a queue that is gone, while ECR is asked besides", with: []string{"NovaTriggerErrors"},
		begin: func(s *stage) {
			s.API.Add(app("nova/auth"))
			s.args = []string{"--poll", "--poll-interval", "1s", "--poll-budget", "6000"}
		},
		inject: func(s *stage) func() {
			s.ECR.DeleteQueue(s.Queue)
			for range 2 { // receivers, in a long poll each
				s.Queue.Send(noPush)
			}
			return func() { s.ECR.RestoreQueue(s.Queue) }
		},
	},
	{
		alert: "NovaTriggerBehind", what: "a service of a set that is not built",
		begin: func(s *stage) {
			a := app("nova/auth", "nova/user")
			a.Annotations = map[string]string{application.TogetherKey: "true"}
			s.API.Add(a)
			s.args = []string{"--together-max-wait", "60s"}
		},
		healthy: func(s *stage) { s.deploy("good1", "nova/auth", "nova/user") },
		inject: func(s *stage) func() {
			s.Push("nova/auth", "good2")
			return func() { s.Push("nova/user", "good2") }
		},
	},
	{
		alert: "NovaTriggerSlow", what: "a push that waits for a long sync",
		begin: func(s *stage) {
			s.Argo.SyncTime = 7 * time.Second
			s.API.Add(app("nova/auth"))
		},
		inject: func(s *stage) func() {
			s.Push("nova/auth", "good2")
			s.Eventually("the second sync is asked for", func() bool { return strings.HasSuffix(s.Record("nova").Reason, "good2") }, s.process.Log)
			s.Push("nova/auth", "good3")
			return nil
		},
	},
	{
		alert: "NovaECRThrottling", what: "a quota that is used up", with: []string{"NovaTriggerDeaf", "NovaTriggerErrors"}, begin: polls,
		inject: func(s *stage) func() {
			return s.ECR.Inject(ecremulator.Fault{Kind: ecremulator.Throttle, Op: "DescribeImages"}).Remove
		},
	},
	patchesFail(),
	{
		alert: "NovaTriggerMalformedEvents", what: "something else in the queue",
		inject: func(s *stage) func() {
			s.Queue.Send("this is not JSON")
			return nil
		},
	},
	{
		alert: "NovaTriggerClock", what: "a clock that is 40 s off", begin: polls,
		inject: func(s *stage) func() {
			s.ECR.SetClockSkew(40 * time.Second)
			return func() { s.ECR.SetClockSkew(0) }
		},
	},
}

// must runs a subcommand that succeeds.
func (s *stage) must(args ...string) {
	s.t.Helper()
	if status, _, stderr := s.CLI(args...); status != 0 {
		s.t.Fatalf("trigger %s: %d %s", strings.Join(args, " "), status, stderr)
	}
}

func rollbackFails() fault {
	return fault{
		alert: "NovaStagingRollbackFailed", what: "a data store that is gone", with: []string{"NovaStagingSyncFailed", "NovaStagingFailed"},
		begin: func(s *stage) {
			s.API.Add(app("nova/auth"))
			s.gone = &atomic.Bool{}
			s.Argo.Smoke = func(string, string) (string, bool) { return "the database is gone", !s.gone.Load() }
		},
		inject: func(s *stage) func() {
			s.gone.Store(true)
			s.Push("nova/auth", "good2")
			s.Becomes("nova", application.Rollback, application.SyncFailed, s.process.Log)
			return func() {
				s.gone.Store(false)
				s.Push("nova/auth", "good3") // what failed is not tried again
			}
		},
	}
}

// leaseLost has an API server that serves all but Leases.
func leaseLost() fault {
	return fault{
		alert: "NovaTriggerDown", what: "a Lease that can not be renewed",
		begin: func(s *stage) {
			s.API.Add(app("nova/auth"))
			s.args = []string{"--leader-elect", "--lease-namespace", "argocd", "--lease-duration", "2s", "--lease-renew-deadline", "1s", "--lease-retry-period", "200ms"}
			s.refuse(func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/leases") })
		},
		inject: func(s *stage) func() {
			s.gone.Store(true)
			return func() { s.gone.Store(false) }
		},
	}
}

// patchesFail has several Applications, each of which is tried again ever more
// slowly.
func patchesFail() fault {
	return fault{
		alert: "NovaTriggerErrors", what: "an API server that can not write", with: []string{"NovaTriggerBehind"},
		begin: func(s *stage) {
			s.API.Add(app("nova/auth"))
			for i := range 7 {
				s.API.Add(argotest.App{Name: fmt.Sprint("more-", i), AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"}})
			}
			s.refuse(func(r *http.Request) bool { return r.Method == http.MethodPatch })
		},
		inject: func(s *stage) func() {
			s.gone.Store(true)
			s.Push("nova/auth", "good2")
			return func() { s.gone.Store(false) }
		},
	}
}

// refuse lets the API server fail for some requests while gone is true.
func (s *stage) refuse(which func(*http.Request) bool) {
	s.gone = &atomic.Bool{}
	s.API.Intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if !s.gone.Load() || !which(r) {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"InternalError","code":500,"message":"etcdserver: request timed out"}`)
		return true
	}
}
