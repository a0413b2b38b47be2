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

// everythingIsScraped are Prometheus' expressions, each of which has a result when
// what is named is scraped, and nothing when it is not.
var everythingIsScraped = map[string]string{
	"the eight services, two Pods each": `count(count by (service) (up{service=~".+-service"} == 1) == 2) == 8`,
	"Argo CD's controller":              `up{service="argocd-application-controller"} == 1`,
	"Argo CD's repo-server":             `up{service="argocd-repo-server"} == 1`,
	"both replicas of trigger":          `count(up{service="nova-trigger"} == 1) == 2`,
}

// A deployment fails and nobody takes it back: people are told, by every way there
// is, and told again when it is well.
func TestFailureIsTold(t *testing.T) {
	const rollback = "trigger.staging.nova/rollback"
	var v verified
	testenv.Test(t, features.New("a push that fails and is not rolled back").
		Setup(step(func(ctx context.Context, t *testing.T) { v = withTrigger(ctx, t) })).
		Assess("begins with everything scraped, and no alert", step(func(ctx context.Context, t *testing.T) {
			for name, expr := range everythingIsScraped {
				if err := w.Prometheus.Until(ctx, time.Minute, expr, true); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			for _, alert := range []string{"NovaStagingNotVerified", "NovaStagingRenderFailing", "NovaTriggerDown", "NovaTriggerDeaf"} {
				need(t, w.Prometheus.Alert(ctx, alert, false))
			}
		})).
		Assess("is told to Slack, GitHub and by mail, with what smoke said, and alerts fire", step(func(ctx context.Context, t *testing.T) {
			dirty()
			need(t, w.Application.Annotate(ctx, map[string]any{rollback: "off"}))
			need(t, w.Registry.ForgetNotices(ctx))
			sha, _ := pushed(ctx, t, "feat: is down", map[string]string{"feed-service": world.SaysDown})
			bad := moved(ctx, t, v.state.Spec.Source.AsOf())
			need(t, w.Prometheus.Alert(ctx, "NovaStagingNotVerified", true))
			_, err := w.Application.Wait(ctx, 3*time.Minute, "trigger says that it failed", func(s world.State) bool {
				return strings.HasPrefix(s.Metadata.Annotations["trigger.staging.nova/verdict"], "Failed at "+bad)
			})
			need(t, err)
			for service, title := range map[string]string{
				"slack":  "nova-staging is not verified",
				"github": "staging/nova-staging: failure",
				"email":  "nova-staging: staging is not verified",
			} {
				n, err := w.Told(ctx, service, title)
				need(t, err)
				if service == "github" {
					if n.To != "proerror77/Nova@"+sha {
						t.Errorf("the commit status is on %s, want the revision %s that was rendered", n.To, sha)
					}
					continue // its description has room for the beginning only
				}
				for _, want := range []string{bad, "exit code 13", "a health endpoint or the Service's routing is wrong"} {
					if !strings.Contains(n.Text, want) {
						t.Errorf("%s lacks %q: %s", service, want, n.Text)
					}
				}
			}
			need(t, w.Prometheus.Alert(ctx, "NovaStagingSyncFailed", true))
			need(t, w.Prometheus.Alert(ctx, "NovaStagingNotVerified", true))
		})).
		Assess("and what is pushed next is told, too, and ends the alert", step(func(ctx context.Context, t *testing.T) {
			s, err := w.Application.Get(ctx)
			need(t, err)
			bad := s.Spec.Source.AsOf()
			need(t, w.Application.Annotate(ctx, map[string]any{rollback: nil}))
			need(t, w.Registry.ForgetNotices(ctx))
			sha, _ := pushed(ctx, t, "fix: is up", nil)
			asOf := moved(ctx, t, bad)
			_, err = w.Deployed(ctx, asOf)
			need(t, err)
			clean = sha
			says(ctx, t, "Verified", asOf)
			for service, title := range map[string]string{"slack": "nova-staging is verified", "github": "staging/nova-staging: success"} {
				_, err := w.Told(ctx, service, title)
				need(t, err)
			}
			need(t, w.Prometheus.Alert(ctx, "NovaStagingNotVerified", false))
			toldOnce(ctx, t)
			checkDashboard(ctx, t)
		})).
		Assess("and that trigger is gone is an alert", step(func(ctx context.Context, t *testing.T) {
			need(t, w.StopTrigger(ctx))
			need(t, w.Prometheus.Alert(ctx, "NovaTriggerDown", true))
		})).
		Teardown(withoutTrigger).
		Feature())
}

// toldOnce fails the test if somebody was told the same twice.
func toldOnce(ctx context.Context, t *testing.T) {
	t.Helper()
	notices, err := w.Registry.Notices(ctx)
	need(t, err)
	seen := map[world.Notice]bool{}
	for _, n := range notices {
		if seen[n] {
			t.Errorf("told twice: %+v", n)
		}
		seen[n] = true
	}
}

// checkDashboard fails the test unless every panel of the dashboard shows something.
func checkDashboard(ctx context.Context, t *testing.T) {
	t.Helper()
	queries, err := w.DashboardQueries()
	need(t, err)
	if len(queries) == 0 {
		t.Fatal("the dashboard has no queries")
	}
	for _, q := range queries {
		if q.Panel == "annotations" {
			continue // what happened in the window that is looked at, which may be nothing
		}
		series, err := w.Prometheus.Query(ctx, q.Expr)
		need(t, err)
		// Nothing polls ECR here: pushes are heard from the queue.
		if poller := strings.Contains(q.Expr, "nova_trigger_ecr_calls_total"); len(series) == 0 && !poller {
			t.Errorf("%s of the dashboard shows nothing for %s", q.Panel, q.Expr)
		}
	}
}
