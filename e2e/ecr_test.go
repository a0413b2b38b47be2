//go:build e2e

package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/e2e-framework/pkg/features"

	"github.com/proerror77/nova-staging/e2e/world"
)

// complains waits until Argo CD shows generate's reason, and checks that it is
// one line and that nothing runs otherwise than before.
func complains(ctx context.Context, t *testing.T, v verified, want ...string) {
	t.Helper()
	s, err := w.Application.Wait(ctx, 90*time.Second, "Argo CD shows the reason", func(s world.State) bool {
		return strings.Contains(s.Complaint("ComparisonError"), want[0])
	})
	need(t, err)
	message := s.Complaint("ComparisonError")
	for _, text := range want {
		if !strings.Contains(message, text) {
			t.Errorf("the condition lacks %q: %s", text, message)
		}
	}
	// generate's part comes last; what Argo CD puts before it is Argo CD's.
	_, own, found := strings.Cut(message, "generate: ")
	if own = strings.TrimSpace(own); !found || strings.Contains(own, "\n") {
		t.Errorf("generate's reason is not one line: %q", message)
	}
	if s.Status.Sync.Status != "Unknown" {
		t.Errorf("sync status %s, want Unknown", s.Status.Sync.Status)
	}
	v.untouched(ctx, t)
}

func TestECRFails(t *testing.T) {
	for _, c := range []struct{ name, fault, want string }{
		{"ECR down", "cut-connection", "gave up at the deadline"},
		{"ECR throttled", "throttle", "ThrottlingException"},
		{"credentials expired", "expired-token", "credentials"},
	} {
		var v verified
		var asOf string
		testenv.Test(t, features.New(c.name).
			Setup(step(func(ctx context.Context, t *testing.T) {
				v = baseline(ctx, t)
				need(t, w.Registry.Fault(ctx, c.fault))
				asOf = world.Now()
				need(t, w.Application.SetAsOf(ctx, asOf))
			})).
			Assess("Argo CD shows one line, and what runs is untouched", step(func(ctx context.Context, t *testing.T) {
				_, err := w.Application.Refresh(ctx, true)
				need(t, err)
				complains(ctx, t, v, c.want)
			})).
			Assess("back again: it recovers", step(func(ctx context.Context, t *testing.T) {
				need(t, w.Registry.Repair(ctx))
				s, err := w.Application.Refresh(ctx, true)
				need(t, err)
				checkSynced(t, s, asOf)
				v.untouched(ctx, t)
			})).
			Teardown(step(func(ctx context.Context, t *testing.T) { need(t, w.Registry.Repair(ctx)) })).
			Feature())
	}
}

func TestECRFailsWithNewImages(t *testing.T) {
	testenv.Test(t, features.New("ECR down when new images wait").
		Assess("an alert fires, and they are deployed when it is back", step(func(ctx context.Context, t *testing.T) {
			v := baseline(ctx, t)
			dirty()
			sha, err := w.Repository.Push("feat: waits for ECR")
			need(t, err)
			need(t, w.Build(ctx, sha, nil))
			need(t, w.Registry.Fault(ctx, "unavailable"))
			asOf := world.Now()
			need(t, w.Application.SetAsOf(ctx, asOf))
			_, err = w.Application.Refresh(ctx, true)
			need(t, err)
			complains(ctx, t, v, "gave up at the deadline")
			need(t, w.Prometheus.Alert(ctx, "NovaStagingRenderFailing", true))
			need(t, w.Registry.Repair(ctx))
			_, err = w.Application.Refresh(ctx, true)
			need(t, err)
			_, err = w.Deployed(ctx, asOf)
			need(t, err)
			need(t, w.CheckRuns(ctx, sha))
			clean = sha
			need(t, w.Prometheus.Alert(ctx, "NovaStagingRenderFailing", false))
		})).
		Teardown(step(func(ctx context.Context, t *testing.T) { need(t, w.Registry.Repair(ctx)) })).
		Feature())
}

func TestRepositoryMissing(t *testing.T) {
	const kustomization = "manifests/nova/overlays/staging-small/kustomization.yaml"
	var v verified
	var good string
	testenv.Test(t, features.New("an image whose repository does not exist").
		Setup(step(func(ctx context.Context, t *testing.T) {
			v = baseline(ctx, t)
			var err error
			good, err = w.Repository.Read(kustomization)
			need(t, err)
			need(t, w.Repository.Write(kustomization, good+`
images:
- name: 025434362120.dkr.ecr.ap-northeast-1.amazonaws.com/nova/search-service
  newName: 025434362120.dkr.ecr.ap-northeast-1.amazonaws.com/nova/serach-service
`))
			_, err = w.Repository.Push("feat: a typo")
			need(t, err)
		})).
		Assess("Argo CD shows one line that names it, and what runs is untouched", step(func(ctx context.Context, t *testing.T) {
			_, err := w.Application.Refresh(ctx, true)
			need(t, err)
			complains(ctx, t, v, "nova/serach-service", "repository not found")
		})).
		Assess("corrected: it recovers", step(func(ctx context.Context, t *testing.T) {
			need(t, w.Repository.Write(kustomization, good))
			_, err := w.Repository.Push("fix: the typo")
			need(t, err)
			s, err := w.Application.Refresh(ctx, true)
			need(t, err)
			if s.Status.Sync.Status != "Synced" || s.Complaint("ComparisonError") != "" {
				t.Errorf("not Synced: %s", s)
			}
			v.untouched(ctx, t)
		})).
		Feature())
}
