// Package run carries a smoke test out: what can be looked at at the same time
// is, and at the end it makes sure that those who answered are still there.
package run

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"

	"github.com/proerror77/nova-staging/internal/release"
	"github.com/proerror77/nova-staging/smoke/check"
	"github.com/proerror77/nova-staging/smoke/cluster"
	"github.com/proerror77/nova-staging/smoke/config"
	"github.com/proerror77/nova-staging/smoke/probe"
	"github.com/proerror77/nova-staging/smoke/reach"
	"github.com/proerror77/nova-staging/smoke/report"
	"github.com/proerror77/nova-staging/smoke/verdict"
)

// Runner holds what a run needs. Its fields are not changed by a run.
type Runner struct {
	// Config as loaded. Required.
	Config *config.Config
	// Checks that were chosen. Required; see config.ParseChecks.
	Checks map[verdict.Check]bool
	// Namespace to look at. Required.
	Namespace string
	// Client of the API server. Required if there are services, or if Reach
	// needs it; nil where only data stores are looked at directly.
	Client kubernetes.Interface
	// Reach makes the way to Pods; it is given the state of the namespace, by
	// which names are found. Required.
	Reach func(*cluster.Watcher) (reach.Reach, error)
	// Env gives the environment variables that hold credentials. Required.
	Env func(string) string
	// ReleaseID is the release that this run was rendered with; empty when it
	// is not known, as on a laptop.
	ReleaseID string
	// KeepGoing waits for all services even if one is doomed.
	KeepGoing bool
	// Deadline of the whole run, counted from its beginning. A part of it is
	// kept for confirming at the end. Required.
	Deadline time.Duration
	// Events says that the caller will write Events, so that the right to is asked for.
	Events bool
	// Progress is told what happens. Optional.
	Progress report.Progress
}

// Times that are not configurable.
const (
	// patience is how long the API server may not answer, at the beginning and at the end.
	patience = 20 * time.Second
	// grace is how long the other services may go on once one is doomed.
	grace = 10 * time.Second
	// rounds is how often a service may be looked at anew because its Pods
	// changed meanwhile.
	rounds = 3
)

// session is one run under way.
type session struct {
	*Runner
	watcher  *cluster.Watcher
	reach    reach.Reach
	prober   *probe.Prober
	gate     chan struct{} // bounds the targets that are asked at the same time
	release  *release.Release
	progress report.Progress
	trust    trust

	mu      sync.Mutex
	doomed  string
	give    context.CancelCauseFunc // gives the other services up
	notes   []string
	general map[verdict.Check]verdict.Result
}

// Reserve is the part of a deadline that is kept for the end: half of it for
// reading the Pods again, half for writing reports.
func Reserve(deadline time.Duration) time.Duration {
	return min(max(deadline/10, 100*time.Millisecond), 6*time.Second)
}

// Run looks at everything and reports. It ends soon after ctx does, with what
// is known by then. The cause of ctx's end should be a *check.Stop.
func (r *Runner) Run(ctx context.Context) *report.Report {
	s := &session{Runner: r, progress: r.Progress, general: map[verdict.Check]verdict.Result{}, gate: make(chan struct{}, r.Config.Defaults.Connections)}
	if s.progress == nil {
		s.progress = report.Silent{}
	}
	out := &report.Report{Namespace: r.Namespace, Started: time.Now()}
	services := make([]*service, len(r.Config.Services))
	for i, c := range r.Config.Services {
		services[i] = newService(s, c)
	}
	s.progress.Plan(r.plan())

	// The watches outlive the work, so that what comes last is still seen.
	watching, stop := context.WithCancel(ctx)
	defer stop()
	work, over := context.WithDeadlineCause(ctx, out.Started.Add(r.Deadline-Reserve(r.Deadline)), &check.Stop{
		Class: verdict.DeadlineExceeded, TimeUp: true, Why: fmt.Sprintf("the deadline of %s is over", r.Deadline),
	})
	defer over()
	if why := s.prepare(work, watching); why != nil {
		s.nothing(services, *why)
	} else {
		s.look(ctx, work, services)
	}
	if s.release != nil {
		out.Release = s.release.ID
	}
	out.Results = s.collect(services)
	out.Deployments = map[string]report.Object{}
	for _, svc := range services {
		if s.watcher == nil {
			break
		}
		if d := svc.view().Deployment; d != nil {
			out.Deployments[svc.conf.Name] = report.Object{Name: d.Name, UID: string(d.UID)}
		}
	}
	out.Notes = s.notes
	out.Duration = time.Since(out.Started)
	var cause *check.Stop
	out.Partial = work.Err() != nil && errors.As(context.Cause(work), &cause)
	out.Conclude()
	return out
}

// needsCluster says whether anything has to be asked of the API server.
func (r *Runner) needsCluster() bool { return len(r.Config.Services) > 0 || r.Client != nil }

// wants says whether a check was chosen and is configured.
func (r *Runner) wants(c verdict.Check) bool {
	if c == verdict.Release {
		c = verdict.Identity
	}
	return r.Checks[c] && r.Config.Configured(c)
}

func (r *Runner) plan() []report.Planned {
	var plan []report.Planned
	for _, c := range r.Config.Services {
		for _, name := range verdict.ServiceChecks() {
			plan = append(plan, report.Planned{Service: c.Name, Check: name})
		}
	}
	if r.needsCluster() {
		plan = append(plan, report.Planned{Check: verdict.Access})
	}
	if len(r.Config.Services) > 0 {
		plan = append(plan, report.Planned{Check: verdict.Release})
	}
	return append(plan, report.Planned{Check: verdict.Sentinel}, report.Planned{Check: verdict.Kafka})
}

// look does all checks, and those that belong to Pods again for as long as the
// Pods change.
func (s *session) look(ctx, work context.Context, services []*service) {
	stores := work // what has no Pods of ours goes on when a service is doomed
	work, give := context.WithCancelCause(work)
	defer give(nil)
	s.give = give
	var others sync.WaitGroup
	others.Go(func() { s.sentinel(stores) })
	others.Go(func() { s.kafka(stores) })

	var all sync.WaitGroup
	for _, svc := range services {
		all.Go(func() { svc.run(work) })
	}
	all.Wait()
	s.confirm(ctx, work, services)
	others.Wait()
}

// confirm reads the Pods again. What moved while it was looked at is looked at
// again, or, when there is no time for it, taken back.
func (s *session) confirm(ctx, work context.Context, services []*service) {
	for round := 1; ; round++ {
		var open []*service
		for _, svc := range services {
			if svc.provisional() {
				open = append(open, svc)
			}
		}
		if len(open) == 0 {
			return
		}
		if err := s.reread(ctx, work); err != nil {
			because := ctx
			if stopClass(context.Cause(ctx)) == verdict.DeadlineExceeded {
				because = context.Background() // the server was not heard: more time would not have helped
			}
			for _, svc := range open {
				svc.takeBack(because, "that the same Pods still run", err.Error())
			}
			return
		}
		if s.releaseMoved() {
			for _, svc := range open {
				svc.takeBack(ctx, "release "+s.release.ID+" from beginning to end", "the release ConfigMap has changed meanwhile")
			}
			return
		}
		var moved sync.WaitGroup
		again := false
		for _, svc := range open {
			why := svc.moved()
			switch {
			case why == "":
				svc.confirmed = true
			case round == rounds || work.Err() != nil:
				svc.takeBack(work, "the same Pods from beginning to end", why)
			default:
				again = true
				moved.Go(func() { svc.run(work) })
			}
		}
		moved.Wait()
		if !again {
			return
		}
	}
}

// reread lists the Pods once more, and wants everything else to be watched. After
// an error it tries again for as long as the beginning of a run would: to give up
// sooner would undo a run that has time left. Without time left there is the part
// of the deadline kept for it.
func (s *session) reread(ctx, work context.Context) error {
	if ctx.Err() != nil {
		return fmt.Errorf("not read again: %w", context.Cause(ctx))
	}
	limit := Reserve(s.Deadline) / 2
	if end, ok := work.Deadline(); ok && work.Err() == nil {
		limit = max(limit, min(patience, time.Until(end)))
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		err := s.watcher.Reread(ctx)
		if err == nil {
			err = s.watcher.Err()
		}
		if err == nil || apierrors.IsForbidden(err) {
			return err
		}
		if check.Pause(ctx, pause); ctx.Err() != nil {
			return err
		}
	}
}

// doom notes that a service can not come up and, after some grace, gives the
// others up: the run has failed already.
func (s *session) doom(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.doomed != "" || s.KeepGoing {
		return
	}
	s.doomed = name
	time.AfterFunc(grace, func() {
		s.give(&check.Stop{
			Class: verdict.NotSeen,
			Why:   fmt.Sprintf("%s is doomed, so the run has failed already (--keep-going waits for the rest)", name),
		})
	})
}

func (s *session) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}

// done records a result of the whole run.
func (s *session) done(r verdict.Result) {
	s.mu.Lock()
	s.general[r.Check] = r
	s.mu.Unlock()
	s.progress.Done(r)
}

// nothing fills every check in that could not be begun.
func (s *session) nothing(services []*service, f verdict.Finding) {
	for _, svc := range services {
		for _, name := range verdict.ServiceChecks() {
			svc.set(s.unbegun(svc.conf.Name, name, f))
		}
	}
	for _, name := range []verdict.Check{verdict.Release, verdict.Sentinel, verdict.Kafka} {
		if _, known := s.general[name]; !known && (name != verdict.Release || len(services) > 0) {
			s.done(s.unbegun("", name, f))
		}
	}
}

func (s *session) unbegun(service string, name verdict.Check, f verdict.Finding) verdict.Result {
	if !s.wants(name) {
		f = s.skip(name)
	}
	return verdict.Result{Service: service, Check: name, Finding: f, Started: time.Now()}
}

// skip says why a check is not done.
func (s *session) skip(name verdict.Check) verdict.Finding {
	if !s.Config.Configured(name) {
		return verdict.Skip("not configured")
	}
	return verdict.Skip("not chosen with --check")
}

func (s *session) collect(services []*service) []verdict.Result {
	var out []verdict.Result
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range []verdict.Check{verdict.Access, verdict.Release} {
		if r, ok := s.general[name]; ok {
			out = append(out, r)
		}
	}
	for _, svc := range services {
		out = append(out, svc.list()...)
	}
	for _, name := range []verdict.Check{verdict.Sentinel, verdict.Kafka} {
		if r, ok := s.general[name]; ok {
			out = append(out, r)
		}
	}
	return out
}
