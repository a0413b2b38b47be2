//go:build e2e

package e2e

import (
	"context"
	"net/http"
	"testing"
	"time"

	"sigs.k8s.io/e2e-framework/pkg/features"

	"github.com/proerror77/nova-staging/e2e/world"
)

func TestWebhook(t *testing.T) {
	var v verified
	var sha string
	testenv.Test(t, features.New("a push to the manifests' repository").
		Setup(step(func(ctx context.Context, t *testing.T) {
			v = baseline(ctx, t)
			need(t, w.Repository.Write("docs/webhook.md", time.Now().String()))
			var err error
			sha, err = w.Repository.Push("docs: told by the webhook")
			need(t, err)
		})).
		Assess("is not believed with another secret", step(func(ctx context.Context, t *testing.T) {
			status, err := w.ArgoCD.Webhook(ctx, "not the secret", v.sha, sha)
			need(t, err)
			if status < 400 {
				t.Errorf("the answer is %d, want it refused", status)
			}
			time.Sleep(3 * time.Second)
			s, err := w.Application.Get(ctx)
			need(t, err)
			if s.Status.Sync.Revision == sha {
				t.Error("Argo CD has looked at the repository all the same")
			}
		})).
		Assess("is seen at once, and touches nothing", step(func(ctx context.Context, t *testing.T) {
			status, err := w.ArgoCD.Webhook(ctx, world.WebhookSecret, v.sha, sha)
			need(t, err)
			if status != http.StatusOK {
				t.Fatalf("the answer is %d, want 200", status)
			}
			_, err = w.Application.Wait(ctx, 20*time.Second, "Argo CD has seen "+sha, func(s world.State) bool {
				return s.Status.Sync.Revision == sha && s.Status.Sync.Status == "Synced"
			})
			need(t, err)
			v.untouched(ctx, t)
		})).
		Feature())
}

// The roles of manifests/argocd/settings, by what Argo CD's server answers.
func TestRoles(t *testing.T) {
	const app = "/api/v1/applications/nova-staging"
	// A sync of a revision that there is not, and a change that changes nothing:
	// who may, gets another answer than 403, and nothing happens.
	requests := []struct {
		what, method, path string
		body               any
		may                map[string]bool
	}{
		{"see the Application", http.MethodGet, app, nil, map[string]bool{"viewer": true, "developer": true, "operator": true}},
		{"sync", http.MethodPost, app + "/sync", map[string]any{"revision": "refs/heads/no-such-branch"}, map[string]bool{"developer": true, "operator": true}},
		{"move as-of", http.MethodPatch, app, map[string]any{"name": "nova-staging", "patchType": "merge", "patch": `{"metadata": {"labels": {}}}`}, map[string]bool{"operator": true}},
		{"render other manifests", http.MethodPost, app + "/sync", map[string]any{"manifests": []string{"{}"}}, nil},
		{"delete the Application", http.MethodDelete, app + "?cascade=false", nil, nil},
		{"change the project", http.MethodPut, "/api/v1/projects/nova", map[string]any{"project": map[string]any{"metadata": map[string]any{"name": "nova"}}}, nil},
	}
	testenv.Test(t, features.New("accounts in Nova's roles").
		Assess("may do what their role says and nothing else", step(func(ctx context.Context, t *testing.T) {
			v := baseline(ctx, t)
			for _, account := range []string{"viewer", "developer", "operator", ""} {
				token, refused := "", http.StatusUnauthorized
				if account != "" {
					var err error
					token, err = w.ArgoCD.Token(ctx, account)
					need(t, err)
					refused = http.StatusForbidden
				}
				for _, r := range requests {
					status, body, err := w.ArgoCD.Do(ctx, token, r.method, r.path, r.body)
					need(t, err)
					if may := r.may[account]; may == (status == refused) {
						t.Errorf("%q may %s: %t, the answer is %d: %s", account, r.what, may, status, body)
					}
				}
			}
			v.untouched(ctx, t)
		})).
		Feature())
}
