//go:build e2e

package e2e

import (
	"context"
	"testing"

	"sigs.k8s.io/e2e-framework/pkg/features"

	"github.com/proerror77/nova-staging/e2e/world"
)

func TestRepoServerDies(t *testing.T) {
	for _, c := range []struct {
		name string
		kill func(context.Context) error
	}{
		{"the sidecar is killed in the middle of a render", func(ctx context.Context) error { return w.KillSidecar(ctx) }},
		{"the repo-server's Pod is replaced in the middle of a render", func(ctx context.Context) error { return w.ReplaceRepoServer(ctx) }},
	} {
		testenv.Test(t, features.New(c.name).
			Assess("the instant is rendered all the same", step(func(ctx context.Context, t *testing.T) {
				v := baseline(ctx, t)
				// A render that hangs at ECR, so that it is there to be killed.
				need(t, w.Registry.Fault(ctx, "hang"))
				asOf := world.Now()
				need(t, w.Application.SetAsOf(ctx, asOf))
				need(t, w.RenderRuns(ctx))
				need(t, c.kill(ctx))
				need(t, w.Registry.Repair(ctx))
				// What Argo CD's own next comparison does, some minutes later.
				s, err := w.Application.Refresh(ctx, true)
				need(t, err)
				checkSynced(t, s, asOf)
				v.untouched(ctx, t)
				need(t, w.CheckRuns(ctx, v.sha))
			})).
			Teardown(step(func(ctx context.Context, t *testing.T) { need(t, w.Registry.Repair(ctx)) })).
			Feature())
	}
}
