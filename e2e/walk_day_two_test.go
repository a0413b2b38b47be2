//go:build e2e

package e2e

import (
	"context"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/e2e-framework/pkg/features"

	"github.com/proerror77/nova-staging/e2e/world"
)

// TestDayTwo goes through docs/operations.md, and the README's commands for moving
// the instant. What changes from one deployment to the next is smoke's own image:
// a full sync, which restarts no service.
func TestDayTwo(t *testing.T) {
	var (
		k           *walk
		first, last string // instants of verified deployments, with different images
		before      int    // the first one's number
		running     map[string]bool
	)
	// at fails the test unless as-of stands at an instant that is deployed in full.
	at := func(ctx context.Context, t *testing.T, asOf string) {
		t.Helper()
		s, err := w.Deployed(ctx, asOf)
		need(t, err)
		checkFullSync(t, s, asOf)
	}
	asOf := func(ctx context.Context, t *testing.T) string {
		t.Helper()
		s, err := w.Application.Get(ctx)
		need(t, err)
		return s.Spec.Source.AsOf()
	}
	testenv.Test(t, features.New("day two, as docs/operations.md has it").
		Setup(step(func(ctx context.Context, t *testing.T) {
			// Not as-of: an instant with nothing new makes no deployment.
			state := baseline(ctx, t).state
			history := state.Status.History
			first, before = history[len(history)-1].Source.AsOf(), state.LastDeployment()
			dirty()
			k = newWalk(ctx, t, "day-two", w.NovaAccount())
			need(t, w.GrantCI(ctx))
			k.Env = append(k.Env, "LAB_TRIGGER="+w.Folder("trigger"))
			k.needs(ctx, t, "git clone --quiet "+w.Repository.URL+" clone && cd clone && mkdir old new")
			k.bring(ctx, t, k.Bin, filepath.Join(k.Work, "clone", "old"), filepath.Join(k.Work, "clone", "new"))
			running = podIDs(ctx, t)
		})).
		Assess("trigger is installed, and says where it stands", step(func(ctx context.Context, t *testing.T) {
			k.run(ctx, t, "trigger")
			need(t, w.Drained(ctx, time.Minute))
			k.run(ctx, t, "upgrade trigger")
			// Deployed before a person acts, or trigger would move as-of somewhere in between.
			_, err := w.PushSmoke(ctx)
			need(t, err)
			s, err := w.Application.Wait(ctx, 2*time.Minute, "trigger has deployed smoke's new image", func(s world.State) bool {
				return s.Spec.Source.AsOf() > first && s.LastDeployment() > before &&
					strings.HasPrefix(s.Metadata.Annotations["trigger.staging.nova/verdict"], "Verified at "+s.Spec.Source.AsOf())
			})
			need(t, err)
			last = s.Spec.Source.AsOf()
			at(ctx, t, last)
		})).
		Assess("nothing new is deployed, and the image rolled back, with the verbs of the README", step(func(ctx context.Context, t *testing.T) {
			_, said := k.run(ctx, t, "verbs")
			hasAll(t, "the verbs", said, "Unchanged at ", "held: demo")
			hasAll(t, "trigger status", k.needs(ctx, t, "trigger status -o json"), `"hold": "demo`)
			if now := asOf(ctx, t); now != first {
				t.Fatalf("as-of was rolled back to %s, want %s, before %s", now, first, last)
			}
			at(ctx, t, first)
		})).
		Assess("hold and release", step(func(ctx context.Context, t *testing.T) {
			k.run(ctx, t, "hold")
			s, err := w.Application.Get(ctx)
			need(t, err)
			if hold, held := s.Metadata.Annotations["trigger.staging.nova/hold"]; held {
				t.Errorf("it is held still: %s", hold)
			}
		})).
		Assess("the instant is set by hand", step(func(ctx context.Context, t *testing.T) {
			k.needs(ctx, t, "LAB_INSTANT="+last)
			k.run(ctx, t, "by hand")
			at(ctx, t, last)
			stdout, _ := k.run(ctx, t, "status")
			hasAll(t, "where it stands", stdout, "argocd/nova-staging", last, "nova/auth-service")
			lines := strings.Split(strings.TrimSpace(stdout), "\n")
			if f := strings.Fields(lines[len(lines)-1]); len(f) != 3 || f[1] != last || len(f[2]) != 40 {
				t.Errorf("the last line of the history is %q, want time, %s and a revision", lines[len(lines)-1], last)
			}
		})).
		Assess("a role is rotated: verified without touching anything", step(func(ctx context.Context, t *testing.T) {
			k.run(ctx, t, "restart trigger")
			_, said := k.run(ctx, t, "verify")
			hasAll(t, "trigger once", said, "Unchanged at ")
			if now := asOf(ctx, t); now == last {
				t.Error("as-of has not moved: nothing new was rendered")
			}
		})).
		Assess("a rollback goes back from what runs, also after that", step(func(ctx context.Context, t *testing.T) {
			_, said := k.run(ctx, t, "rollback")
			hasAll(t, "trigger rollback", said, "Verified at "+first, "login is slow")
			at(ctx, t, first)
		})).
		Assess("an upgrade of generate: compared, held, applied, forced", step(func(ctx context.Context, t *testing.T) {
			stdout, _ := k.run(ctx, t, "compare")
			hasAll(t, "the comparison", stdout, "same")
			k.run(ctx, t, "hold at night")
			k.run(ctx, t, "restart")
			before := asOf(ctx, t)
			_, said := k.run(ctx, t, "upgrade")
			hasAll(t, "trigger once --force", said, "Verified at ")
			if asOf(ctx, t) == before {
				t.Error("as-of has not moved, though it was forced")
			}
			k.run(ctx, t, "smoke")
		})).
		Assess("at 3 a.m.", step(func(ctx context.Context, t *testing.T) {
			stdout, _ := k.run(ctx, t, "first look")
			hasAll(t, "the first look", stdout, "argocd/nova-staging", "auth-service-", "passed")
			k.run(ctx, t, "events")
			stdout, _ = k.run(ctx, t, "message")
			hasAll(t, "the operation's message", stdout, "success")
			k.needs(ctx, t, "LAB_INSTANT="+last)
			k.run(ctx, t, "rollback to")
			_, said := k.run(ctx, t, "rollback and hold")
			hasAll(t, "trigger rollback", said, "Verified at "+first)
			s, err := w.Application.Get(ctx)
			need(t, err)
			hasAll(t, "the hold", s.Metadata.Annotations["trigger.staging.nova/hold"], "night")
			k.run(ctx, t, "stop trigger")
		})).
		Assess("all that has restarted no Pod of Nova", step(func(ctx context.Context, t *testing.T) {
			samePods(ctx, t, running)
		})).
		Assess("uninstalled, Nova goes on running in the same Pods", step(func(ctx context.Context, t *testing.T) {
			gone()
			asked := images(ctx, t)
			k.run(ctx, t, "without trigger")
			k.needs(ctx, t, "kubectl -n argocd wait --for=delete pod -l app.kubernetes.io/name=nova-trigger --timeout=40s")
			if said := k.needs(ctx, t, "kubectl get all,validatingadmissionpolicies -A -l app.kubernetes.io/name=nova-trigger -o name"); said != "" {
				t.Errorf("trigger has left\n%s", said)
			}
			if err := w.TryPatch(ctx, world.AsCI, `[{"op":"replace","path":"/spec/source/repoURL","value":"https://github.com/evil/repo.git"}]`); err == nil || !strings.Contains(err.Error(), "trigger may") {
				t.Errorf("without trigger's policy CI may read another repository: %v", err)
			}
			// The suite's own overlay adds to smoke's config, which goes with smoke.
			k.needs(ctx, t, "git pull --quiet && sed -i '/^configMapGenerator:/,/probes.yaml/d' "+world.Overlay+"/kustomization.yaml")
			k.run(ctx, t, "tags")
			s, err := w.Application.Refresh(ctx, false)
			need(t, err)
			if now := podIDs(ctx, t); !maps.Equal(now, running) {
				t.Errorf("the tags in git have replaced Pods: %s", s)
			}
			k.run(ctx, t, "without plugin")
			syncedWithoutPlugin(ctx, t)
			k.run(ctx, t, "without Job")
			if said := k.needs(ctx, t, "kubectl -n nova get configmap,job -o name"); strings.Contains(said, "nova-release") || strings.Contains(said, "smoke") {
				t.Errorf("there is still\n%s", said)
			}
			// And back, with smoke; then away again.
			k.run(ctx, t, "plugin again")
			k.needs(ctx, t, "git revert --no-edit HEAD && git push -q")
			_, err = w.Application.Refresh(ctx, false)
			need(t, err)
			_, err = w.Application.Wait(ctx, 2*time.Minute, "smoke has passed with the plugin again", func(s world.State) bool {
				phase, _ := s.Status.OperationState.Hook("smoke")
				return phase == "Succeeded" && s.Status.OperationState.Phase == "Succeeded" && s.Status.Sync.Status == "Synced"
			})
			need(t, err)
			samePods(ctx, t, running)
			k.needs(ctx, t, "git revert --no-edit HEAD && git push -q")
			_, err = w.Application.Refresh(ctx, false)
			need(t, err)
			k.run(ctx, t, "without plugin")
			syncedWithoutPlugin(ctx, t)
			k.run(ctx, t, "without Job")
			if stdout, _ := k.run(ctx, t, "others"); stdout != "" {
				t.Errorf("there are Applications with the plugin: %s", stdout)
			}
			need(t, w.RemoveSidecar(ctx))
			if _, err := w.Application.Refresh(ctx, true); err != nil {
				t.Error(err)
			}
			if stdout, _ := k.run(ctx, t, "finalizers"); stdout != "" {
				t.Errorf("there are finalizers: %s", stdout)
			}
			k.run(ctx, t, "without Application")
			samePods(ctx, t, running)
			if diff := cmp.Diff(asked, images(ctx, t)); diff != "" {
				t.Errorf("the Deployments ask for other images (-before +after):\n%s", diff)
			}
			k.done(t)
		})).
		Teardown(step(func(ctx context.Context, t *testing.T) {
			gone()
			need(t, w.StopTrigger(ctx)) // the walk may have ended before it was uninstalled
			need(t, w.DeleteApplication(ctx))
		})).
		Feature())
}

// syncedWithoutPlugin waits until Argo CD's own kustomize has rendered, and fails the
// test unless its sync succeeded.
func syncedWithoutPlugin(ctx context.Context, t *testing.T) {
	t.Helper()
	s, err := w.Application.Wait(ctx, time.Minute, "Argo CD's own kustomize is Synced and Healthy", func(s world.State) bool {
		return s.Status.Sync.Status == "Synced" && s.Status.Health.Status == "Healthy" &&
			s.Status.Sync.ComparedTo.Source.AsOf() == "" && s.Status.OperationState.Ended()
	})
	need(t, err)
	if s.Status.OperationState.Phase != "Succeeded" {
		t.Errorf("the sync without the plugin: %s", s)
	}
}

// images are what the Pods' templates ask for, by Deployment.
func images(ctx context.Context, t *testing.T) map[string]string {
	t.Helper()
	list, err := w.Kube.AppsV1().Deployments(world.Namespace).List(ctx, metav1.ListOptions{})
	need(t, err)
	found := map[string]string{}
	for _, d := range list.Items {
		found[d.Name] = d.Spec.Template.Spec.Containers[0].Image
	}
	return found
}
