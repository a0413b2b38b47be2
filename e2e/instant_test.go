//go:build e2e

package e2e

import (
	"context"
	"testing"
	"time"

	"sigs.k8s.io/e2e-framework/pkg/features"

	"github.com/proerror77/nova-staging/e2e/world"
)

func TestNothingNew(t *testing.T) {
	testenv.Test(t, features.New("nothing new").
		Assess("a hard refresh changes nothing, makes no sync and asks ECR nothing", step(func(ctx context.Context, t *testing.T) {
			v := baseline(ctx, t)
			// In a kept cluster this run's sidecar may not have rendered the instant yet.
			_, err := w.Application.Refresh(ctx, true)
			need(t, err)
			before, err := w.Registry.Calls(ctx)
			need(t, err)
			s, err := w.Application.Refresh(ctx, true)
			need(t, err)
			if s.Status.Sync.Status != "Synced" {
				t.Errorf("not Synced: %s", s)
			}
			v.untouched(ctx, t)
			after, err := w.Registry.Calls(ctx)
			need(t, err)
			if after != before {
				t.Errorf("the render at the same instant made %d calls of ECR, want 0", after-before)
			}
		})).
		Feature())
}

func TestNewImageWithoutMovingAsOf(t *testing.T) {
	testenv.Test(t, features.New("a new image, as-of not moved").
		Assess("nothing moves, also not on a hard refresh", step(func(ctx context.Context, t *testing.T) {
			v := baseline(ctx, t)
			sha, err := w.Repository.Push("feat: waits for as-of")
			need(t, err)
			need(t, w.Build(ctx, sha, nil))
			for _, hard := range []bool{false, true} {
				s, err := w.Application.Refresh(ctx, hard)
				need(t, err)
				if s.Status.Sync.Status != "Synced" || s.Status.Sync.Revision != sha {
					t.Errorf("hard refresh %t: not Synced to %s: %s", hard, sha, s)
				}
			}
			v.untouched(ctx, t)
		})).
		Feature())
}

// What goes wrong without an instant, as a warning: it is the reason for as-of.
func TestWithoutAsOf(t *testing.T) {
	var before world.State
	var sha string
	testenv.Test(t, features.New("an Application without as-of").
		Setup(step(func(ctx context.Context, t *testing.T) {
			baseline(ctx, t)
			dirty()
			var err error
			sha, err = w.Repository.Push("feat: without as-of")
			need(t, err)
			need(t, w.Build(ctx, sha, nil))
			need(t, w.Application.RemoveAsOf(ctx))
			_, err = w.Application.Refresh(ctx, false)
			need(t, err)
			before, err = w.Deployed(ctx, "")
			need(t, err)
		})).
		Assess("gets a bad image by a partial sync, without smoke and without history", step(func(ctx context.Context, t *testing.T) {
			need(t, w.Build(ctx, sha, map[string]string{"auth-service": world.SaysDown}, "auth-service"))
			_, err := w.Application.Refresh(ctx, true)
			need(t, err)
			s, err := w.Application.Wait(ctx, time.Minute, "another sync has succeeded", func(s world.State) bool {
				return s.Status.OperationState.StartedAt.After(before.Status.OperationState.StartedAt) &&
					s.Status.OperationState.Ended() && s.Status.Sync.Status == "Synced"
			})
			need(t, err)
			o := s.Status.OperationState
			if !o.Partial() || o.Phase != "Succeeded" {
				t.Errorf("want a partial sync that succeeded: %s", s)
			}
			if phase, _ := o.Hook("smoke"); phase != "" {
				t.Errorf("the hook smoke ran: %s", phase)
			}
			if was, now := before.LastDeployment(), s.LastDeployment(); now != was {
				t.Errorf("the last deployment is number %d, before it was %d: a partial sync was recorded", now, was)
			}
		})).
		Teardown(step(func(ctx context.Context, t *testing.T) {
			need(t, w.Application.AddAsOf(ctx, world.Now()))
		})).
		Feature())
}
