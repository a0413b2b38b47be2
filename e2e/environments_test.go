//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/e2e-framework/pkg/features"

	"github.com/proerror77/nova-staging/e2e/world"
	"github.com/proerror77/nova-staging/internal/novaworld"
)

// The other environments choose by other policies. Argo CD renders them; one node
// has no room to run them, too.
func TestOtherEnvironmentsRender(t *testing.T) {
	testenv.Test(t, features.New("dev and prod").
		Assess("are rendered by Argo CD with their own tags, at digests", step(func(ctx context.Context, t *testing.T) {
			v := baseline(ctx, t)
			need(t, w.Tag(ctx, v.sha, "dev-latest", "1.4.0", "1.3.9", "2.0.0-rc.1"))
			for overlay, tag := range map[string]string{"dev": "dev-latest", "prod": "1.4.0"} {
				manifests, err := w.RenderOverlay(ctx, overlay, world.Now())
				need(t, err)
				for _, s := range novaworld.Services {
					digest, err := w.Digest(s, v.sha)
					need(t, err)
					want := fmt.Sprintf("nova/%s:%s@%s", s, tag, digest)
					n := 0
					for _, m := range manifests {
						if strings.Contains(m, `"kind":"Deployment"`) && strings.Contains(m, want+`"`) {
							n++
						}
					}
					if n != 1 {
						t.Errorf("%s: %d Deployments run %s, want 1", overlay, n, want)
					}
				}
			}
			v.untouched(ctx, t)
		})).
		Feature())
}
