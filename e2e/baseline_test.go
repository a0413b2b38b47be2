//go:build e2e

package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/e2e/world"
)

// verified is the commit that runs and was verified, and the Application then.
type verified struct {
	sha   string
	state world.State
	pods  map[string]bool
}

var (
	created bool
	// clean is the commit of the last verified deployment, empty when a scenario
	// has gone on from there.
	clean string
)

// baseline gives a verified deployment: the last one if nothing has happened
// since, or else a new one.
func baseline(ctx context.Context, t *testing.T) verified {
	t.Helper()
	var err error
	switch {
	case !created:
		if !w.HasSidecar(ctx) { // a walk has uninstalled it
			need(t, w.InstallSidecar(ctx))
		}
		clean, err = w.Repository.Push("feat: the first version")
		need(t, err)
		need(t, w.Build(ctx, clean, nil))
		asOf := world.Now()
		need(t, w.CreateApplication(ctx, asOf))
		created = true
		_, err = w.Deployed(ctx, asOf)
	case clean == "":
		clean, err = w.Push(ctx, "feat: another version")
	}
	if err != nil {
		clean = ""
		t.Fatal(err)
	}
	v := verified{sha: clean}
	if v.state, err = w.Application.Get(ctx); err == nil {
		v.pods, err = w.PodIDs(ctx)
	}
	need(t, err)
	return v
}

// dirty is called by scenarios that leave another state than they found.
func dirty() { clean = "" }

// gone is called by scenarios that leave no Application, or not the suite's.
func gone() { created, clean = false, "" }

// untouched fails the test unless nothing was synced since, and the very same
// Pods run.
func (v verified) untouched(ctx context.Context, t *testing.T) {
	t.Helper()
	s, err := w.Application.Get(ctx)
	need(t, err)
	if before, now := v.state.Status.OperationState.StartedAt, s.Status.OperationState.StartedAt; !now.Equal(before) {
		t.Errorf("a sync began at %s: %s", now.Format(time.TimeOnly), s)
	}
	if before, now := v.state.LastDeployment(), s.LastDeployment(); now != before {
		t.Errorf("the last deployment is number %d, before it was %d", now, before)
	}
	samePods(ctx, t, v.pods)
}

// checkSynced fails the test unless Argo CD has compared at an instant and found
// nothing to do.
func checkSynced(t *testing.T, s world.State, asOf string) {
	t.Helper()
	if got := s.Status.Sync.ComparedTo.Source.AsOf(); s.Status.Sync.Status != "Synced" || got != asOf {
		t.Errorf("compared at %s, want Synced at %s: %s", got, asOf, s)
	}
}
