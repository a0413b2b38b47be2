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
	testenv.Test(t, features.New("Redis Sentinel and Kafka").
		Assess("are looked at by smoke, for real", step(func(ctx context.Context, t *testing.T) {
			baseline(ctx, t)
			dirty()
			asOf, began := world.Now(), time.Now()
			need(t, w.Application.SetPath(ctx, world.StoresOverlay, asOf))
			s, err := w.Verified(ctx, asOf, began)
			need(t, err)
			checkFullSync(t, s, asOf)
			for _, check := range []string{"redis-sentinel", "kafka"} {
				verdict, err := w.SmokeVerdict(ctx, check)
				need(t, err)
				if verdict != "ok" {
					t.Errorf("smoke's check %s: %q, want ok", check, verdict)
				}
			}
		})).
		Teardown(step(func(ctx context.Context, t *testing.T) {
			need(t, w.Application.SetPath(ctx, world.Overlay, world.Now()))
		})).
		Feature())
}
