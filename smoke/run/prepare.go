package run

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/proerror77/nova-staging/internal/release"
	"github.com/proerror77/nova-staging/smoke/access"
	"github.com/proerror77/nova-staging/smoke/check"
	"github.com/proerror77/nova-staging/smoke/cluster"
	"github.com/proerror77/nova-staging/smoke/probe"
	"github.com/proerror77/nova-staging/smoke/redact"
	"github.com/proerror77/nova-staging/smoke/verdict"
)

// prepare asks for rights, begins to watch and reads the release. It gives the
// finding for all other checks when they can not be begun.
func (s *session) prepare(ctx, watching context.Context) *verdict.Finding {
	wanted := cluster.Wanted{Namespace: s.Namespace}
	services := len(s.Config.Services) > 0
	if s.Client != nil {
		wanted.Workloads = services
		wanted.Routes = services
		if services && s.wants(verdict.Release) {
			wanted.ConfigMap = s.Config.Release.Name()
		}
	}
	if s.Client == nil {
		w, err := s.Reach(nil)
		if err != nil {
			return s.unable(ctx, "a way to the servers", err)
		}
		s.reach = w
		return nil
	}
	state := cluster.NewWatcher(s.Client, wanted)
	s.watcher = state
	way, err := s.Reach(state)
	if err != nil {
		return s.unable(ctx, "a way to the Pods", err)
	}
	if len(way.Rights()) > 0 && !services {
		// Names of data stores are found through Services and Pods.
		wanted.Workloads, wanted.Routes = true, true
		state.Want(wanted)
	}
	s.reach = way
	s.prober = probe.New(way, s.Config.Defaults.Connections)
	state.Start(watching)
	rights := access.Need{
		Workloads: wanted.Workloads, Routes: wanted.Routes, ConfigMap: wanted.ConfigMap,
		Reach: way.Rights(), Events: s.Events,
	}.Rights()
	if f := s.access(ctx, rights); f != nil {
		return f
	}
	if err := state.Wait(ctx, patience); err != nil {
		return s.unable(ctx, "Deployments, Pods and Services in namespace "+s.Namespace, err)
	}
	if services && state.Empty() {
		_, err := s.Client.CoreV1().Namespaces().Get(ctx, s.Namespace, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			f := verdict.Unknown("namespace/"+s.Namespace, "a namespace with the services", "there is no such namespace")
			f.Hint = "check namespace in the config, or the kubeconfig's context"
			return &f
		}
		s.note("namespace %s holds no Deployment, Pod or Service at all: is it the right one?", s.Namespace)
	}
	if services {
		s.readRelease(ctx)
	}
	return nil
}

// unable is the finding of checks that could not be begun.
func (s *session) unable(ctx context.Context, expected string, err error) *verdict.Finding {
	f := verdict.Unknown("", expected, "could not look: "+redact.Line(err.Error()))
	if cause := context.Cause(ctx); cause != nil {
		f.Class, f.Seen = stopClass(cause), "not looked at: "+cause.Error()
		f.Details = append(f.Details, "the last error: "+redact.Line(err.Error()))
	}
	return &f
}

// access records what the API server says about our rights.
func (s *session) access(ctx context.Context, rights []access.Right) *verdict.Finding {
	start := time.Now()
	record := func(f verdict.Finding, optional bool) {
		s.done(verdict.Result{Check: verdict.Access, Finding: f, Optional: optional, Started: start, Duration: time.Since(start), Looks: 1})
	}
	var outcome access.Outcome
	var err error
	for pause := 200 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		outcome, err = access.Review(ctx, s.Client.AuthorizationV1(), s.Namespace, rights)
		if err == nil || ctx.Err() != nil || apierrors.IsUnauthorized(err) || time.Since(start) > patience {
			break
		}
		check.Pause(ctx, pause)
	}
	if err != nil {
		f := s.unable(ctx, "an API server that answers", err)
		record(*f, false)
		return f
	}
	f := outcome.Finding(s.Namespace, rights)
	record(f, outcome.Unasked != nil && len(outcome.Missing) == 0)
	if len(outcome.Missing) > 0 {
		g := verdict.Unknown("", "to be looked at", "not looked at: rights are missing, see access")
		return &g
	}
	return nil
}

// releaseWait is how long a release ConfigMap may be behind the hook.
const releaseWait = 10 * time.Second

// readRelease waits for the ConfigMap that belongs to this render.
func (s *session) readRelease(ctx context.Context) {
	name := s.Config.Release.Name()
	if !s.wants(verdict.Release) {
		s.done(verdict.Result{Check: verdict.Release, Finding: s.skip(verdict.Identity), Started: time.Now()})
		return
	}
	target := "configmap/" + name
	look := func(context.Context) verdict.Finding {
		unknown := func(expected, seen, hint string) verdict.Finding {
			f := verdict.Unknown(target, expected, seen)
			f.Class, f.Hint = verdict.NoRelease, hint
			return f
		}
		cm := s.watcher.ConfigMap(name)
		if cm == nil {
			return unknown("the ConfigMap that generate adds", "there is none named "+name+" in namespace "+s.Namespace,
				"set release.configMap in images.yaml, and the same name in the smoke config")
		}
		data, ok := cm.Data[release.DataKey]
		if !ok {
			return unknown("key "+release.DataKey, "the ConfigMap has no such key", "the ConfigMap was not written by generate")
		}
		r, err := release.Decode([]byte(data))
		if err != nil {
			return unknown("the record that generate wrote", redact.Line(err.Error()), "render again; a record changed by hand proves nothing")
		}
		if s.ReleaseID != "" && r.ID != s.ReleaseID {
			return unknown("release "+s.ReleaseID+", which this hook was rendered with", "release "+r.ID,
				"the ConfigMap is of another render: was it applied, or changed since?")
		}
		s.release = &r
		f := verdict.Pass(fmt.Sprintf("release %s, %d images", r.ID, len(r.Images)))
		if s.ReleaseID == "" {
			f.Details = append(f.Details, "the release of this run is not known (--release), so that a stale ConfigMap can not be told")
		}
		return f
	}
	s.done(check.Record{
		Name: verdict.Release, Limit: min(releaseWait, s.Config.Defaults.RolloutTimeout.Std()),
		Retry: check.Retry{Check: check.Func(look), Interval: time.Second, Wake: s.watcher.Changed},
	}.Run(ctx))
}

// releaseMoved says whether the ConfigMap has become another one meanwhile.
func (s *session) releaseMoved() bool {
	if s.release == nil {
		return false
	}
	cm := s.watcher.ConfigMap(s.Config.Release.Name())
	if cm == nil {
		return true
	}
	now, err := release.Decode([]byte(cm.Data[release.DataKey]))
	return err != nil || now.ID != s.release.ID
}
