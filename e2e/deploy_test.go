//go:build e2e

package e2e

import (
	"context"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/e2e-framework/pkg/features"

	"github.com/proerror77/nova-staging/e2e/world"
	"github.com/proerror77/nova-staging/internal/novaworld"
)

// checkFullSync fails the test unless the last operation synced everything, with
// smoke's hook, and was recorded.
func checkFullSync(t *testing.T, s world.State, asOf string) {
	t.Helper()
	o := s.Status.OperationState
	if o.Phase != "Succeeded" || o.Partial() {
		t.Errorf("the sync is not a full one that succeeded: %s", s)
	}
	if phase, message := o.Hook("smoke"); phase != "Succeeded" {
		t.Errorf("the hook smoke is %q (%s), want Succeeded", phase, message)
	}
	if n := len(s.Status.History); n == 0 || s.Status.History[n-1].Source.AsOf() != asOf {
		t.Errorf("the last history entry is not of the instant %s: %+v", asOf, s.Status.History)
	}
}

func TestFirstDeployment(t *testing.T) {
	var v verified
	testenv.Test(t, features.New("the first deployment").
		Setup(step(func(ctx context.Context, t *testing.T) { v = baseline(ctx, t) })).
		Assess("is one full sync, verified by smoke, with a history entry", step(func(_ context.Context, t *testing.T) {
			checkFullSync(t, v.state, v.state.Spec.Source.AsOf())
		})).
		Assess("runs every image at its resolved digest", step(func(ctx context.Context, t *testing.T) {
			need(t, w.CheckRuns(ctx, v.sha))
		})).
		Feature())
}

func TestNewImages(t *testing.T) {
	var v verified
	var sha, asOf string
	testenv.Test(t, features.New("new images, and as-of moved").
		Setup(step(func(ctx context.Context, t *testing.T) {
			v = baseline(ctx, t)
			dirty()
		})).
		Assess("is one full sync, verified by smoke", step(func(ctx context.Context, t *testing.T) {
			defer w.Patient()()
			var err error
			sha, err = w.Repository.Push("feat: new version")
			need(t, err)
			need(t, w.Build(ctx, sha, nil))
			_, err = w.Application.Refresh(ctx, false)
			need(t, err)
			asOf = world.Now()
			s, err := w.MoveAndVerify(ctx, asOf)
			need(t, err)
			checkFullSync(t, s, asOf)
			if before, now := v.state.LastDeployment(), s.LastDeployment(); now != before+1 {
				t.Errorf("the last deployment went from number %d to %d, want one more", before, now)
			}
		})).
		Assess("runs the new digests", step(func(ctx context.Context, t *testing.T) {
			need(t, w.CheckRuns(ctx, sha))
		})).
		Assess("ran smoke after the new Pods had come", step(func(ctx context.Context, t *testing.T) {
			smoke, err := w.SmokePod(ctx)
			need(t, err)
			pods, err := w.Pods(ctx)
			need(t, err)
			for _, p := range pods {
				if smoke.CreationTimestamp.Before(&p.CreationTimestamp) {
					t.Errorf("smoke began at %s, before the Pod %s", smoke.CreationTimestamp, p.Name)
				}
			}
			clean = sha
		})).
		Feature())
}

func TestDocumentationOnly(t *testing.T) {
	var v verified
	testenv.Test(t, features.New("a commit without images").
		Setup(step(func(ctx context.Context, t *testing.T) { v = baseline(ctx, t) })).
		Assess("is compared and changes nothing", step(func(ctx context.Context, t *testing.T) {
			need(t, w.Repository.Write("docs/notes.md", "Written at "+world.Now()+"\n"))
			sha, err := w.Repository.Push("docs: notes")
			need(t, err)
			s, err := w.Application.Refresh(ctx, false)
			need(t, err)
			if s.Status.Sync.Revision != sha || s.Status.Sync.Status != "Synced" {
				t.Errorf("compared to %s, want Synced to %s: %s", s.Status.Sync.Revision, sha, s)
			}
			v.untouched(ctx, t)
		})).
		Feature())
}

func TestTogether(t *testing.T) {
	var v verified
	var sha string
	testenv.Test(t, features.New("services that belong together").
		Setup(step(func(ctx context.Context, t *testing.T) {
			v = baseline(ctx, t)
			dirty()
			var err error
			sha, err = w.Repository.Push("feat: all eight")
			need(t, err)
		})).
		Assess("with seven of eight pushed, nothing moves", step(func(ctx context.Context, t *testing.T) {
			need(t, w.Build(ctx, sha, nil, novaworld.Services[:7]...))
			asOf := world.Now()
			need(t, w.Application.SetAsOf(ctx, asOf))
			s, err := w.Application.Refresh(ctx, false)
			need(t, err)
			checkSynced(t, s, asOf)
			v.untouched(ctx, t)
		})).
		Assess("with the eighth, all move", step(func(ctx context.Context, t *testing.T) {
			need(t, w.Build(ctx, sha, nil, novaworld.Services[7]))
			asOf := world.Now()
			s, err := w.MoveAndVerify(ctx, asOf)
			need(t, err)
			checkFullSync(t, s, asOf)
			need(t, w.CheckRuns(ctx, sha))
			clean = sha
		})).
		Feature())
}

func TestReleaseRecord(t *testing.T) {
	testenv.Test(t, features.New("the record of the release").
		Assess("names the digests that run", step(func(ctx context.Context, t *testing.T) {
			v := baseline(ctx, t)
			cm, err := w.Kube.CoreV1().ConfigMaps(world.Namespace).Get(ctx, "nova-release", metav1.GetOptions{})
			need(t, err)
			if err := w.CheckRecord(cm.Data["release.json"], v.sha); err != nil {
				t.Error(err)
			}
		})).
		Feature())
}
