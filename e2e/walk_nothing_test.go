//go:build e2e

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/e2e-framework/pkg/features"

	"github.com/proerror77/nova-staging/e2e/world"
	"github.com/proerror77/nova-staging/internal/motoaccount"
	"github.com/proerror77/nova-staging/internal/novaworld"
)

// TestFromNothing goes through docs/first-image.md, in an AWS account without
// repositories and a cluster without Argo CD. It is the last scenario: what the
// suite has installed is gone. Its docker push needs a daemon on this very machine.
func TestFromNothing(t *testing.T) {
	iam := motoaccount.Start(t)
	var k *walk
	var account world.Account
	testenv.Test(t, features.New("from nothing to the first verified deployment, as docs/first-image.md has it").
		Setup(step(func(ctx context.Context, t *testing.T) {
			gone()
			need(t, w.DeleteApplication(ctx))
			need(t, w.DeleteNamespaces(ctx, "argocd", world.Namespace))
			var err error
			account, err = w.NewAccount(ctx)
			need(t, err)
			k = newWalk(ctx, t, "first-image", account)
			developers, argoCDs, err := w.NewRepository(ctx, "your-organisation/Nova")
			need(t, err)
			k.Env = append(k.Env, "LAB_REPOSITORY="+argoCDs, "LAB_PATCHES="+labPatches(account), "LAB_IAM="+iam.URL)
			k.needs(ctx, t, "git clone --quiet https://github.com/proerror77/nova-staging && git clone --quiet "+developers+" ~/Nova")
			// One small node, as everywhere in the suite.
			overlays := filepath.Join(k.Home, "Nova", "manifests", "nova", "overlays")
			need(t, os.CopyFS(filepath.Join(overlays, "staging-small"), os.DirFS(filepath.Join(w.Repository.Dir, world.Overlay))))
			// The lab's own patches of Argo CD.
			need(t, os.CopyFS(filepath.Join(k.Home, "argocd"), os.DirFS(w.Folder("argocd"))))
			// The page's kustomization sets the namespace after its patches.
			k.needs(ctx, t, "sed -i '/namespace: argocd/d' ~/argocd/probes.yaml ~/argocd/repo-server.yaml && cd nova-staging")
		})).
		Assess("images of the programs", step(func(ctx context.Context, t *testing.T) {
			k.run(ctx, t, "set")
			if said := strings.TrimSpace(k.needs(ctx, t, "echo $ACCOUNT")); said != account.ID {
				t.Fatalf("the account is %q, want %s", said, account.ID)
			}
			k.run(ctx, t, "programs")
		})).
		Assess("the sidecar", step(func(ctx context.Context, t *testing.T) {
			k.run(ctx, t, "role")
			var role struct{ PolicyNames []string }
			iam.JSON(t, &role, "iam", "list-role-policies", "--role-name", "nova-staging-generate")
			if len(role.PolicyNames) != 1 {
				t.Errorf("the role has the policies %s, want one", role.PolicyNames)
			}
			k.run(ctx, t, "sidecar")
			k.needs(ctx, t, "kubectl apply --server-side -f ~/argocd/networkpolicy.yaml")
			if !w.HasSidecar(ctx) {
				t.Fatal("the repo-server has no sidecar")
			}
		})).
		Assess("manifests, and the first push", step(func(ctx context.Context, t *testing.T) {
			k.run(ctx, t, "manifests")
			k.run(ctx, t, "push")
			explained, _ := k.run(ctx, t, "explain")
			sha := strings.TrimSpace(k.needs(ctx, t, "git -C $NOVA rev-parse HEAD"))
			build := strings.TrimSpace(k.needs(ctx, t, "echo $BUILD"))
			for _, repository := range novaworld.Repositories() {
				hasAll(t, "generate explain", explained, repository)
			}
			if n := strings.Count(explained, sha[:12]); n < len(novaworld.Services) {
				t.Errorf("%d lines name the commit %.12s, want one a service:\n%s", n, sha, explained)
			}
			hasAll(t, "generate explain", explained, novaworld.Smoke, build[:12])
		})).
		Assess("the Application shows that nothing had been pushed by its instant, and deploys nothing", step(func(ctx context.Context, t *testing.T) {
			k.needs(ctx, t, "sed -i 's|overlays/staging$|overlays/staging-small|' manifests/argocd/application/nova-staging.yaml")
			w.HelpApplication()
			k.run(ctx, t, "application")
			s, err := w.Application.Wait(ctx, time.Minute, "Argo CD complains", func(s world.State) bool {
				return s.Complaint("ComparisonError") != ""
			})
			need(t, err)
			hasAll(t, "the ComparisonError", s.Complaint("ComparisonError"), "no commit has all images", s.Spec.Source.AsOf())
			if said := k.needs(ctx, t, "kubectl get namespace nova --ignore-not-found"); said != "" {
				t.Errorf("there is a namespace already: %s", said)
			}
		})).
		Assess("deployed and verified", step(func(ctx context.Context, t *testing.T) {
			_, said := k.run(ctx, t, "deploy")
			hasAll(t, "trigger once", said, "Verified at ")
			looked, _ := k.run(ctx, t, "look")
			hasAll(t, "what is to be looked at", looked, "argocd/nova-staging", "passed: 0 failed, 0 inconclusive", account.Host()+"/nova/auth-service:", account.Host()+"/"+novaworld.Smoke+":")
			k.done(t)
		})).
		Teardown(step(func(ctx context.Context, t *testing.T) {
			gone()
			need(t, w.DeleteApplication(ctx))
		})).
		Feature())
}

// labPatches point the kustomization of the page at the lab.
func labPatches(account world.Account) string {
	text := `patches:
- target: {kind: (Deployment|StatefulSet)}
  patch: |-
    - {op: replace, path: /spec/template/spec/containers/0/imagePullPolicy, value: IfNotPresent}
- path: probes.yaml
- path: repo-server.yaml
secretGenerator:
- name: lab-credentials
  literals:`
	for _, v := range account.Env() {
		text += "\n  - " + v
	}
	return text
}
