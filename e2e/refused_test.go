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

func TestBrokenImage(t *testing.T) {
	var bad string
	testenv.Test(t, features.New("an image whose /health says that it is down").
		Setup(step(func(ctx context.Context, t *testing.T) {
			baseline(ctx, t)
			dirty()
			sha, err := w.Repository.Push("feat: broken")
			need(t, err)
			need(t, w.Build(ctx, sha, map[string]string{"feed-service": world.SaysDown}))
			_, err = w.Application.Refresh(ctx, false)
			need(t, err)
			bad = world.Now()
			need(t, w.Application.SetAsOf(ctx, bad))
		})).
		Assess("fails the sync, and Argo CD shows smoke's exit code", step(func(ctx context.Context, t *testing.T) {
			s, err := w.Application.Wait(ctx, 3*time.Minute, "the sync of "+bad+" has ended", func(s world.State) bool {
				return s.Status.OperationState.SyncResult.Source.AsOf() == bad && s.Status.OperationState.Ended()
			})
			need(t, err)
			if s.Status.OperationState.Phase != "Failed" {
				t.Errorf("want Failed: %s", s)
			}
			phase, message := s.Status.OperationState.Hook("smoke")
			if phase != "Failed" || !strings.Contains(message, "exit code 13") {
				t.Errorf("the hook smoke is %q with the message %q, want Failed with exit code 13 (health)", phase, message)
			}
		})).
		Assess("says in the Pod's termination message what was seen", step(func(ctx context.Context, t *testing.T) {
			pod, err := w.SmokePod(ctx)
			need(t, err)
			end := pod.Status.ContainerStatuses[0].State.Terminated
			if end == nil {
				t.Fatalf("the Pod %s has not ended", pod.Name)
			}
			if end.ExitCode != 13 {
				t.Errorf("exit code %d, want 13", end.ExitCode)
			}
			for _, want := range []string{"feed-service", "health", `"down"`} {
				if !strings.Contains(end.Message, want) {
					t.Errorf("the termination message lacks %q:\n%s", want, end.Message)
				}
			}
			if strings.Contains(end.Message, "auth-service") {
				t.Errorf("the termination message blames auth-service, which is well:\n%s", end.Message)
			}
		})).
		Assess("is followed by a fixed image: deployed and verified", step(func(ctx context.Context, t *testing.T) {
			sha, err := w.Push(ctx, "fix: broken")
			need(t, err)
			s, err := w.Application.Get(ctx)
			need(t, err)
			checkFullSync(t, s, s.Spec.Source.AsOf())
			need(t, w.CheckRuns(ctx, sha))
			clean = sha
		})).
		Feature())
}
