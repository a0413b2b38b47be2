//go:build e2e

package e2e

import (
	"context"
	"testing"
	"time"

	"sigs.k8s.io/e2e-framework/pkg/features"

	"github.com/proerror77/nova-staging/e2e/world"
)

func TestStores(t *testing.T) {
	var v verified
	testenv.Test(t, features.New("Redis Sentinel and Kafka").
		Assess("are looked at by smoke, for real", step(func(ctx context.Context, t *testing.T) {
			v = baseline(ctx, t)
			dirty()
			asOf, began := world.Now(), time.Now()
			need(t, w.Application.SetPath(ctx, world.StoresOverlay, asOf))
			s, err := w.Verified(ctx, asOf, began)
			need(t, err)
			checkFullSync(t, s, asOf)
			stores(ctx, t, "ok")
		})).
		Assess("and not any more, when they are not asked for: the services run on in the same Pods", step(func(ctx context.Context, t *testing.T) {
			asOf := world.Now()
			need(t, w.Application.SetPath(ctx, world.Overlay, asOf))
			s, err := w.Deployed(ctx, asOf)
			need(t, err)
			checkFullSync(t, s, asOf)
			stores(ctx, t, "skipped")
			samePods(ctx, t, v.pods)
			clean = v.sha
		})).
		Teardown(step(func(ctx context.Context, t *testing.T) {
			if clean == "" { // it has not come so far
				need(t, w.Application.SetPath(ctx, world.Overlay, world.Now()))
			}
		})).
		Feature())
}

// stores fails the test unless smoke said that of both stores.
func stores(ctx context.Context, t *testing.T, want string) {
	t.Helper()
	for _, check := range []string{"redis-sentinel", "kafka"} {
		verdict, err := w.SmokeVerdict(ctx, check)
		need(t, err)
		if verdict != want {
			t.Errorf("smoke's check %s: %q, want %s", check, verdict, want)
		}
	}
}
