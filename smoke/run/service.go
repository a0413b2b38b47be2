package run

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/proerror77/nova-staging/smoke/check"
	"github.com/proerror77/nova-staging/smoke/cluster"
	"github.com/proerror77/nova-staging/smoke/config"
	"github.com/proerror77/nova-staging/smoke/doom"
	"github.com/proerror77/nova-staging/smoke/identity"
	"github.com/proerror77/nova-staging/smoke/redact"
	"github.com/proerror77/nova-staging/smoke/report"
	"github.com/proerror77/nova-staging/smoke/rollout"
	"github.com/proerror77/nova-staging/smoke/routing"
	"github.com/proerror77/nova-staging/smoke/verdict"
)

// service is one service under test.
type service struct {
	*session
	conf    config.Service
	tracker *doom.Tracker

	results   map[verdict.Check]verdict.Result
	marks     map[string]string // of the Pods that were asked
	confirmed bool
	lock      sync.Mutex // guards results, which checks of one service share
}

func newService(s *session, c config.Service) *service {
	return &service{session: s, conf: c, results: map[verdict.Check]verdict.Result{}}
}

func (v *service) view() cluster.View { return v.watcher.View(v.conf.Deployment, v.conf.Service) }

func (v *service) set(r verdict.Result) {
	r.Service = v.conf.Name
	v.lock.Lock()
	v.results[r.Check] = r
	v.lock.Unlock()
	v.progress.Done(r)
}

func (v *service) list() []verdict.Result {
	v.lock.Lock()
	defer v.lock.Unlock()
	var out []verdict.Result
	for _, name := range verdict.ServiceChecks() {
		if r, ok := v.results[name]; ok {
			out = append(out, r)
		}
	}
	return out
}

func (v *service) passed(name verdict.Check) bool {
	v.lock.Lock()
	defer v.lock.Unlock()
	return v.results[name].Verdict == verdict.Passed || v.results[name].Verdict == verdict.Skipped
}

// record runs one check if it is wanted and notes its result.
func (v *service) record(ctx context.Context, name verdict.Check, limit time.Duration, wake bool, look check.Func) {
	if !v.wants(name) {
		v.set(verdict.Result{Check: name, Finding: v.skip(name), Started: time.Now()})
		return
	}
	retry := check.Retry{
		Check: look, Interval: v.Config.Defaults.Interval.Std(),
		Say: func(f verdict.Finding) { v.progress.Waiting(report.Planned{Service: v.conf.Name, Check: name}, f) },
	}
	if wake {
		retry.Wake = v.watcher.Changed
	}
	v.set(check.Record{Service: v.conf.Name, Name: name, Limit: limit, Retry: retry}.Run(ctx))
}

// run looks at everything the service has: first that it is up, then all else
// at the same time.
func (v *service) run(ctx context.Context) {
	d := v.Config.Defaults
	v.tracker = doom.NewTracker(doom.Limits{Start: d.DoomAfter.Std(), Schedule: d.UnschedulableAfter.Std()})
	until := time.Now().Add(v.conf.RolloutTimeout.Std())
	v.marks = nil
	v.record(ctx, verdict.Rollout, time.Until(until), true, v.rollout(ctx))
	if v.passed(verdict.Rollout) {
		v.record(ctx, verdict.Readiness, max(time.Until(until), time.Second), true, v.readiness(ctx))
	} else {
		v.refuse(verdict.Readiness, "the rollout is not complete")
	}
	if !v.passed(verdict.Rollout) || !v.passed(verdict.Readiness) {
		v.record(ctx, verdict.Identity, time.Second, false, v.identityOnce)
		for _, name := range []verdict.Check{verdict.Routing, verdict.Health, verdict.Metrics} {
			v.refuse(name, "the present Pods are not all up")
		}
		return
	}
	v.marks = rollout.Marks(rollout.Sort(v.view()))
	limit := d.ProbeTimeout.Std()
	var all sync.WaitGroup
	all.Go(func() { v.record(ctx, verdict.Identity, limit, true, v.identity) })
	all.Go(func() { v.record(ctx, verdict.Routing, limit, true, v.routing) })
	all.Go(func() { v.health(ctx, limit) })
	all.Go(func() { v.metrics(ctx, limit) })
	all.Wait()
}

// refuse reports a check that there is no sense in doing.
func (v *service) refuse(name verdict.Check, why string) {
	f := verdict.Unknown("", "to be looked at", "not looked at: "+why)
	if !v.wants(name) || v.off(name) {
		f = verdict.Skip("not configured")
	}
	v.set(verdict.Result{Check: name, Finding: f, Started: time.Now()})
}

// off says that the service's entry has no such endpoint.
func (v *service) off(name verdict.Check) bool {
	return (name == verdict.Health && v.conf.Healthy() == "") || (name == verdict.Metrics && v.conf.Measured() == "")
}

// seeing turns a failed finding into an inconclusive one while the API server
// can not be heard: what was last heard may be long over.
func (v *service) seeing(f verdict.Finding) verdict.Finding {
	if err := v.watcher.Err(); err != nil && f.Verdict != verdict.Skipped {
		g := verdict.Unknown(f.Target, f.Expected, "could not look: "+redact.Line(err.Error()))
		if f.Verdict == verdict.Passed {
			g.Expected = "the API server to confirm: " + f.Seen
		} else {
			g.Details = append(g.Details, "last seen: "+f.Seen)
		}
		return g
	}
	return f
}

func (v *service) rollout(ctx context.Context) check.Func {
	missing := time.Time{}
	return func(context.Context) verdict.Finding {
		view := v.view()
		f := v.seeing(rollout.Judge(v.conf.Deployment, view))
		if f.Verdict != verdict.Failed {
			return f
		}
		if d := v.doomed(ctx, view, f); d != nil {
			return *d
		}
		// After a sync the Deployment is there; if not, it will not come.
		gone := view.Deployment == nil || view.Deployment.Spec.Paused || scaledToZero(view)
		switch {
		case !gone:
			missing = time.Time{}
		case missing.IsZero():
			missing = time.Now()
		case time.Since(missing) >= v.Config.Defaults.DoomAfter.Std():
			f.Final = true
		}
		return f
	}
}

func scaledToZero(view cluster.View) bool {
	r := view.Deployment.Spec.Replicas
	return r != nil && *r == 0
}

func (v *service) readiness(ctx context.Context) check.Func {
	return func(context.Context) verdict.Finding {
		view := v.view()
		f := v.seeing(rollout.Ready(rollout.Sort(view)))
		if f.Verdict == verdict.Failed {
			if d := v.doomed(ctx, view, f); d != nil {
				return *d
			}
		}
		return f
	}
}

// doomed gives the final finding for a service that will not come up.
func (v *service) doomed(ctx context.Context, view cluster.View, f verdict.Finding) *verdict.Finding {
	sign := v.tracker.Observe(view, time.Now())
	if sign == nil {
		return nil
	}
	d := verdict.Fail("deployment/"+v.conf.Deployment, f.Expected, redact.Line(sign.String()))
	if sign.Pod != "" {
		d.Target = "pod/" + sign.Pod
	}
	d.Class, d.Hint, d.Final = verdict.Doomed, sign.Hint(), true
	d.Details = append([]string{f.Seen}, f.Details...)
	if sign.Reason == "ProgressDeadlineExceeded" {
		// The Deployment says that, its Pods say why.
		for _, other := range doom.Signs(view.Deployment, rollout.Sort(view)) {
			if other.Pod != "" {
				d.Details = append(d.Details, redact.Line(other.String()))
				if d.Logs == nil {
					d.Logs = doom.Logs(ctx, v.Client.CoreV1().Pods(v.Namespace), other)
				}
			}
		}
	} else {
		d.Logs = doom.Logs(ctx, v.Client.CoreV1().Pods(v.Namespace), *sign)
	}
	v.doom(v.conf.Name)
	return &d
}

func (v *service) identity(context.Context) verdict.Finding {
	if v.release == nil {
		f := verdict.Unknown("", "the release to compare with", "it could not be read, see release")
		f.Class, f.Final = verdict.NoRelease, true
		return f
	}
	view := v.view()
	f := v.seeing(identity.Judge{Release: *v.release, Unmanaged: v.conf.UnmanagedContainers}.Look(view))
	// Containers that are ready have their imageID: looking again changes nothing.
	f.Final = f.Verdict == verdict.Failed
	return f
}

// identityOnce looks without waiting, for a service that did not come up.
func (v *service) identityOnce(ctx context.Context) verdict.Finding {
	f := v.identity(ctx)
	f.Final = true
	if f.Verdict == verdict.Passed {
		f = verdict.Unknown("", "all Pods to be up", "what runs is as released, but not all of it is up")
	}
	return f
}

func (v *service) routing(context.Context) verdict.Finding {
	return v.seeing(routing.Judge(v.conf.Service, v.conf.Port, v.view()))
}

// provisional says that the service has results that hold only if its Pods are
// still the same.
func (v *service) provisional() bool { return v.marks != nil && !v.confirmed }

// moved says how the service's Pods differ from those that were asked; empty
// when they do not.
func (v *service) moved() string {
	view := v.view()
	if v.wants(verdict.Rollout) {
		if f := rollout.Judge(v.conf.Deployment, view); f.Verdict != verdict.Passed {
			return "the rollout is no longer complete: " + f.Seen
		}
	}
	pods := rollout.Sort(view)
	if f := rollout.Ready(pods); v.wants(verdict.Readiness) && f.Verdict != verdict.Passed {
		return "no longer all ready: " + f.Target + ": " + f.Seen
	}
	now := rollout.Marks(pods)
	for pod, mark := range v.marks {
		switch {
		case now[pod] == "":
			return pod + " was asked and is gone"
		case now[pod] != mark:
			return pod + " was replaced or has restarted while it was asked"
		}
	}
	for pod := range now {
		if v.marks[pod] == "" {
			return pod + " came while the others were asked"
		}
	}
	if v.wants(verdict.Routing) && v.passed(verdict.Routing) {
		if f := routing.Judge(v.conf.Service, v.conf.Port, view); f.Verdict != verdict.Passed {
			return "the Service no longer leads to the same Pods: " + f.Seen
		}
	}
	return ""
}

// takeBack makes what passed inconclusive, because the Pods that it was learned
// from can not be vouched for.
// If ctx has ended by a signal, or for lack of time to look anew, that is why.
func (v *service) takeBack(ctx context.Context, expected, why string) {
	v.confirmed = true
	for _, r := range v.list() {
		if r.Verdict != verdict.Passed {
			continue
		}
		r.Details = append(r.Details, "before: "+r.Seen)
		r.Verdict, r.Class = verdict.Inconclusive, stopClass(context.Cause(ctx))
		r.Expected, r.Seen = expected, redact.Line(why)
		v.set(r)
	}
}

// stopClass is the class of whatever ended a context.
func stopClass(cause error) verdict.Class {
	var stop *check.Stop
	if errors.As(cause, &stop) {
		return stop.Class
	}
	return ""
}
