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

func TestTriggerAndCIMayChangeNothingButAsOf(t *testing.T) {
	const parameter = "/spec/source/plugin/parameters/0/string"
	identities := map[string]world.Identity{"trigger": world.AsTrigger, "CI": world.AsCI}
	testenv.Test(t, features.New("trigger's ServiceAccount and CI's group").
		Setup(step(func(ctx context.Context, t *testing.T) {
			withTrigger(ctx, t)
			need(t, w.StopTrigger(ctx))
			need(t, w.GrantCI(ctx))
		})).
		Assess("may move as-of and write its annotations", step(func(ctx context.Context, t *testing.T) {
			for _, patch := range []string{
				`[{"op":"replace","path":"` + parameter + `","value":"2026-11-20T12:00:00Z"}]`,
				`[{"op":"add","path":"/metadata/annotations/trigger.staging.nova~1verdict","value":"Verified"}]`,
			} {
				for who, as := range identities {
					if err := w.TryPatch(ctx, as, patch); err != nil {
						t.Errorf("%s: %s is refused: %v", who, patch, err)
					}
				}
			}
		})).
		Assess("may change nothing else", step(func(ctx context.Context, t *testing.T) {
			for name, patch := range map[string]string{
				"another repository":       `[{"op":"replace","path":"/spec/source/repoURL","value":"https://github.com/evil/repo.git"}]`,
				"another revision":         `[{"op":"replace","path":"/spec/source/targetRevision","value":"evil"}]`,
				"another folder":           `[{"op":"replace","path":"/spec/source/path","value":"evil"}]`,
				"another plugin":           `[{"op":"replace","path":"/spec/source/plugin/name","value":"evil"}]`,
				"another parameter":        `[{"op":"add","path":"/spec/source/plugin/parameters/-","value":{"name":"evil","string":"x"}}]`,
				"a parameter's name":       `[{"op":"replace","path":"/spec/source/plugin/parameters/0/name","value":"evil"}]`,
				"an instant that is none":  `[{"op":"replace","path":"` + parameter + `","value":"; rm -rf /"}]`,
				"the plugin's environment": `[{"op":"add","path":"/spec/source/plugin/env","value":[{"name":"X","value":"y"}]}]`,
				"another project":          `[{"op":"replace","path":"/spec/project","value":"default"}]`,
				"another namespace":        `[{"op":"replace","path":"/spec/destination/namespace","value":"kube-system"}]`,
				"the sync policy":          `[{"op":"remove","path":"/spec/syncPolicy/automated"}]`,
				"an operation":             `[{"op":"add","path":"/operation","value":{"sync":{"revision":"evil"}}}]`,
				"a label":                  `[{"op":"add","path":"/metadata/labels/evil","value":"x"}]`,
				"a finalizer":              `[{"op":"add","path":"/metadata/finalizers","value":["resources-finalizer.argocd.argoproj.io"]}]`,
				"another's annotation":     `[{"op":"add","path":"/metadata/annotations/argocd.argoproj.io~1refresh","value":"hard"}]`,
			} {
				for who, as := range identities {
					err := w.TryPatch(ctx, as, patch)
					if err == nil {
						t.Errorf("%s: %s is allowed", who, name)
					} else if !strings.Contains(err.Error(), "trigger may") {
						t.Errorf("%s: %s is refused, but not by the admission policy: %v", who, name, err)
					}
				}
			}
		})).
		Assess("CI may read what smoke said, and nothing else", step(func(ctx context.Context, t *testing.T) {
			for _, c := range []struct {
				what []string
				may  bool
			}{
				{[]string{"list", "pods"}, true},
				{[]string{"get", "pods/log"}, true},
				{[]string{"get", "configmaps/nova-release"}, true},
				{[]string{"get", "configmaps/other"}, false},
				{[]string{"get", "secrets"}, false},
				{[]string{"create", "pods"}, false},
				{[]string{"create", "pods/exec"}, false},
				{[]string{"delete", "pods"}, false},
			} {
				if may := w.May(ctx, world.AsCI, c.what...); may != c.may {
					t.Errorf("CI may %s: %t, want %t", strings.Join(c.what, " "), may, c.may)
				}
			}
		})).
		Feature())
}

// An app of apps applies the Application from git again and again. With the
// documented ignoreDifferences it leaves the instant alone.
func TestAppOfApps(t *testing.T) {
	testenv.Test(t, features.New("an app of apps that owns the Application").
		Assess("leaves as-of alone", step(func(ctx context.Context, t *testing.T) {
			v := baseline(ctx, t)
			parent, err := w.CreateAppOfApps(ctx)
			need(t, err)
			_, err = parent.Wait(ctx, time.Minute, "the app of apps has synced", func(s world.State) bool {
				return s.Status.OperationState.Phase == "Succeeded" && s.Status.Sync.Status == "Synced"
			})
			need(t, err)
			asOf := world.Now()
			need(t, w.Application.SetAsOf(ctx, asOf))
			for _, hard := range []bool{false, true} {
				s, err := parent.Refresh(ctx, hard)
				need(t, err)
				if s.Status.Sync.Status != "Synced" {
					t.Errorf("the app of apps sees a difference: %s", s)
				}
			}
			// Even a sync of everything does not put git's instant back.
			need(t, parent.Sync(ctx))
			_, err = parent.Wait(ctx, time.Minute, "the app of apps has synced again", func(s world.State) bool {
				return s.Status.OperationState.Ended() && s.Operation == nil
			})
			need(t, err)
			s, err := w.Application.Refresh(ctx, false)
			need(t, err)
			if got := s.Spec.Source.AsOf(); got != asOf {
				t.Errorf("as-of is %s, want %s: it was put back", got, asOf)
			}
			v.untouched(ctx, t)
		})).
		Teardown(step(func(ctx context.Context, t *testing.T) { need(t, w.DeleteAppOfApps(ctx)) })).
		Feature())
}
