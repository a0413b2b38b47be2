//go:build e2e

package e2e

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/e2e-framework/pkg/features"

	"github.com/proerror77/nova-staging/e2e/world"
	"github.com/proerror77/nova-staging/internal/novaworld"
)

// TestMigration goes through docs/migration.md: from the pipeline that commits tags to
// generate, trigger and smoke, step by step, and then all the way back.
func TestMigration(t *testing.T) {
	var (
		k       *walk
		before  map[string]any  // the Application's spec
		running map[string]bool // the services' Pods
	)
	// commit commits and pushes what a reader has written.
	commit := func(ctx context.Context, t *testing.T, message string) {
		t.Helper()
		k.needs(ctx, t, "git add -A && git commit -qm '"+message+"' && git push -q")
	}
	// ci is the old pipeline up to step 6: it builds a commit, and commits its tags.
	ci := func(ctx context.Context, t *testing.T, message string, tags bool) (sha string) {
		t.Helper()
		k.needs(ctx, t, "git commit -qm '"+message+"' --allow-empty && git push -q")
		sha = strings.TrimSpace(k.needs(ctx, t, "git rev-parse HEAD"))
		need(t, w.Build(ctx, sha, nil))
		if !tags {
			return sha
		}
		var images []string
		for _, s := range novaworld.Services {
			images = append(images, "nova/"+s+"="+w.NovaAccount().Host()+"/nova/"+s+":"+sha)
		}
		k.needs(ctx, t, "(cd $dir && kustomize edit set image "+strings.Join(images, " ")+")")
		commit(ctx, t, "chore(staging): update image tags")
		return sha
	}
	// tags are what the Deployments ask for, without digests.
	tags := func(ctx context.Context, t *testing.T) []string {
		t.Helper()
		var found []string
		for _, image := range slices.Sorted(maps.Values(images(ctx, t))) {
			tag, _, _ := strings.Cut(image, "@")
			found = append(found, tag)
		}
		return found
	}
	// of is what the Deployments ask for at a commit.
	of := func(sha string) []string {
		var want []string
		for _, s := range novaworld.Services {
			want = append(want, w.NovaAccount().Host()+"/nova/"+s+":"+sha)
		}
		slices.Sort(want)
		return want
	}
	runs := func(ctx context.Context, t *testing.T, sha string) {
		t.Helper()
		if diff := cmp.Diff(of(sha), tags(ctx, t)); diff != "" {
			t.Errorf("images (-want +got):\n%s", diff)
		}
	}
	// settled waits until Argo CD has compared the newest commit, and all is well.
	settled := func(ctx context.Context, t *testing.T) world.State {
		t.Helper()
		head := strings.TrimSpace(k.needs(ctx, t, "git rev-parse HEAD"))
		_, err := w.Application.Refresh(ctx, false)
		need(t, err)
		s, err := w.Application.Wait(ctx, 2*time.Minute, "all is Synced and Healthy at "+head, func(s world.State) bool {
			return s.Status.Sync.Status == "Synced" && s.Status.Sync.Revision == head && s.Status.Health.Status == "Healthy" && s.Status.OperationState.Ended() &&
				s.Status.Sync.ComparedTo.Source.AsOf() == s.Spec.Source.AsOf()
		})
		need(t, err)
		if s.Status.OperationState.Phase != "Succeeded" {
			t.Fatalf("the last sync: %s", s)
		}
		return s
	}
	// same fails the test if a service has been restarted.
	same := func(ctx context.Context, t *testing.T) {
		t.Helper()
		samePods(ctx, t, running)
	}
	var first, moved, last string // commits that run
	testenv.Test(t, features.New("from committing tags to git, and back, as docs/migration.md has it").
		Setup(step(func(ctx context.Context, t *testing.T) {
			gone()
			need(t, w.DeleteApplication(ctx))
			if w.HasSidecar(ctx) {
				need(t, w.RemoveSidecar(ctx))
			}
			k = newWalk(ctx, t, "migration", w.NovaAccount())
			k.bring(ctx, t, k.Bin)
			developers, argoCDs, err := w.NewRepository(ctx, "your-organisation/Nova")
			need(t, err)
			k.needs(ctx, t, "git clone -q "+developers+" Nova && cd Nova")
			need(t, w.LayOutCommitBack(filepath.Join(k.Work, "Nova")))
			k.needs(ctx, t, "dir="+world.CommitBackOverlay+"; git add -A; git commit -qm 'feat: staging'; git push -q")
			first = ci(ctx, t, "feat: built by the old pipeline", true)
			need(t, w.ApplyCommitBack(ctx, argoCDs))
			settled(ctx, t)
			runs(ctx, t, first)
		})).
		Assess("1: with the sidecar installed nothing changes", step(func(ctx context.Context, t *testing.T) {
			running = podIDs(ctx, t)
			k.run(ctx, t, "before")
			var err error
			before, err = w.Application.Spec(ctx)
			need(t, err)
			need(t, w.InstallSidecar(ctx))
			settled(ctx, t)
			same(ctx, t)
		})).
		Assess("2: both would deploy the same", step(func(ctx context.Context, t *testing.T) {
			need(t, os.WriteFile(filepath.Join(k.Work, "Nova", world.CommitBackOverlay, "images.yaml"), []byte(k.text(t, "images.yaml")), 0o644))
			commit(ctx, t, "feat(staging): images.yaml")
			settled(ctx, t)
			same(ctx, t)
			compared, _ := k.run(ctx, t, "compare")
			hasAll(t, "the comparison", compared, "same")
			explained, _ := k.run(ctx, t, "explain")
			hasAll(t, "generate explain", explained, first[:12])
		})).
		Assess("3: the plugin renders, and tag commits deploy nothing", step(func(ctx context.Context, t *testing.T) {
			k.run(ctx, t, "plugin")
			// Without a hook Argo CD may add a partial sync at once.
			s := settled(ctx, t)
			if last := s.Status.History[len(s.Status.History)-1]; last.Source.AsOf() != s.Spec.Source.AsOf() {
				t.Errorf("the last full sync is that of %q: %s", last.Source.AsOf(), s)
			}
			runs(ctx, t, first)
			for name, image := range images(ctx, t) {
				if !strings.Contains(image, "@sha256:") {
					t.Errorf("%s is not pinned: %s", name, image)
				}
			}
			moved = ci(ctx, t, "feat: one more", true)
			if after := settled(ctx, t); after.LastDeployment() != s.LastDeployment() {
				t.Errorf("the tag commit was deployed: %s", after)
			}
			_, said := k.run(ctx, t, "move")
			hasAll(t, "trigger once", said, "Verified at ")
			settled(ctx, t)
			runs(ctx, t, moved)
		})).
		Assess("4: pushes move it", step(func(ctx context.Context, t *testing.T) {
			running = podIDs(ctx, t)
			_, said := k.run(ctx, t, "once")
			hasAll(t, "trigger once without a push", said, "Unchanged at ")
			k.run(ctx, t, "label")
			k.run(ctx, t, "look only")
			status := k.needs(ctx, t, "trigger status")
			hasAll(t, "trigger status", status, "argocd/nova-staging")
		})).
		Assess("5: smoke decides", step(func(ctx context.Context, t *testing.T) {
			k.needs(ctx, t, "cp -r "+filepath.Join(w.Root(), "manifests/nova/overlays/staging/smoke")+" $dir/smoke")
			r := k.do(ctx, t, k.text(t, "smoke"))
			if r.Status != 5 {
				t.Errorf("smoke without a release: exit status %d, want 5:\n%s%s", r.Status, r.Stdout, r.Stderr)
			}
			hasAll(t, "smoke without a release", r.Stdout, "release: ", "nova-release")
			k.needs(ctx, t, "echo 'release: {configMap: nova-release}' >>$dir/images.yaml")
			commit(ctx, t, "feat(staging): the release in the cluster")
			settled(ctx, t)
			k.run(ctx, t, "smoke")
			same(ctx, t)
			k.needs(ctx, t, `(cd $dir && kustomize edit add resource smoke && kustomize edit set image nova/staging-smoke=`+w.NovaAccount().Host()+`/nova/staging-smoke
				sed -i 's|^images:$|&\n- match: '`+w.NovaAccount().Host()+`'/nova/staging-smoke\n  newest: {tags: "^[0-9a-f]{40}$"}|' images.yaml)`)
			commit(ctx, t, "feat(staging): smoke decides")
			s := settled(ctx, t)
			if phase, message := s.Status.OperationState.Hook("smoke"); phase != "Succeeded" {
				t.Errorf("the hook: %s %s", phase, message)
			}
			same(ctx, t)
		})).
		Assess("6: CI stops committing", step(func(ctx context.Context, t *testing.T) {
			last = ci(ctx, t, "feat: no tag is committed", false)
			settled(ctx, t)
			_, said := k.run(ctx, t, "once")
			hasAll(t, "trigger once", said, "Verified at ")
			runs(ctx, t, last)
			running = podIDs(ctx, t)
		})).
		Assess("7: cleaned up", step(func(ctx context.Context, t *testing.T) {
			k.needs(ctx, t, "sed -i '/newTag:/d' $dir/kustomization.yaml")
			commit(ctx, t, "chore(staging): no tags")
			k.needs(ctx, t, "sed \"s|https://github.com/proerror77/Nova.git|$(kubectl -n argocd get application nova-staging -o jsonpath='{.spec.source.repoURL}')|\" "+
				filepath.Join(w.Root(), "manifests/argocd/application/project.yaml")+" >project.yaml")
			k.run(ctx, t, "project")
			settled(ctx, t)
			same(ctx, t)
		})).
		Assess("and back: 7 and 6, with the tags that run", step(func(ctx context.Context, t *testing.T) {
			k.needs(ctx, t, "rm project.yaml && git revert --no-edit HEAD")
			k.run(ctx, t, "tags")
			k.run(ctx, t, "without project")
			settled(ctx, t)
			same(ctx, t)
		})).
		Assess("and back: 5 and 4, hook and label", step(func(ctx context.Context, t *testing.T) {
			k.needs(ctx, t, "(cd $dir && kustomize edit remove resource smoke)")
			commit(ctx, t, "revert: smoke decides")
			settled(ctx, t)
			k.run(ctx, t, "without label")
			same(ctx, t)
		})).
		Assess("and back: 3 to 1, the same images by Argo CD's own kustomize", step(func(ctx context.Context, t *testing.T) {
			k.run(ctx, t, "without plugin")
			settled(ctx, t)
			runs(ctx, t, last)
			k.needs(ctx, t, "git rm -q $dir/images.yaml")
			commit(ctx, t, "revert: images.yaml")
			need(t, w.RemoveSidecar(ctx))
			k.run(ctx, t, "all the way back")
			settled(ctx, t)
			runs(ctx, t, last)
			after, err := w.Application.Spec(ctx)
			need(t, err)
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("the Application's spec (-before +after):\n%s", diff)
			}
			if s := k.needs(ctx, t, "kubectl -n argocd get application nova-staging -o json | jq -c '[.metadata.labels, .metadata.annotations] | tostring'"); strings.Contains(s, "staging.nova") {
				t.Errorf("labels and annotations are left: %s", s)
			}
			last = ci(ctx, t, "feat: the old pipeline deploys again", true)
			if s := settled(ctx, t); len(s.Status.History) < 5 {
				t.Errorf("Argo CD has lost its history: %s", s)
			}
			runs(ctx, t, last)
			k.done(t)
		})).
		Teardown(step(func(ctx context.Context, t *testing.T) { need(t, w.DeleteApplication(ctx)) })).
		Feature())
}
