package world

import (
	"context"
	"os"
	"path/filepath"
	"strings"
)

// CommitBackOverlay is where the old pipeline writes image tags to.
const CommitBackOverlay = "k8s/infrastructure/overlays/staging"

// LayOutCommitBack fills the work tree of a repository with what the old pipeline
// deploys from: the eight services, without images.yaml and smoke.
func (w *World) LayOutCommitBack(tree string) error {
	nova := filepath.Join(w.settings.Root, "manifests", "nova")
	overlay := filepath.Join(tree, CommitBackOverlay)
	if err := os.CopyFS(filepath.Join(overlay, "..", "..", "base"), os.DirFS(filepath.Join(nova, "base"))); err != nil {
		return err
	}
	if err := os.CopyFS(overlay, os.DirFS(filepath.Join(w.settings.Root, "e2e", "manifests", "commit-back"))); err != nil {
		return err
	}
	for _, file := range []string{"environment.yaml", "resources.yaml", "resourcequota.yaml"} {
		b, err := os.ReadFile(filepath.Join(nova, "overlays", "staging", file))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(overlay, file), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// ApplyCommitBack applies the Application of the old pipeline: it renders with Argo
// CD's own kustomize whatever tags git has.
func (w *World) ApplyCommitBack(ctx context.Context, repository string) error {
	w.HelpApplication()
	_, err := command{
		name: w.cluster.kubectl, args: []string{"apply", "-f", "-"}, env: []string{"KUBECONFIG=" + w.cluster.kubeconfig},
		stdin: []byte(strings.ReplaceAll(commitBackApplication, "REPOSITORY", repository)),
	}.run(ctx)
	return err
}

const commitBackApplication = `apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: nova-staging, namespace: argocd}
spec:
  project: default
  source:
    repoURL: REPOSITORY
    targetRevision: main
    path: ` + CommitBackOverlay + `
  destination: {server: https://kubernetes.default.svc, namespace: nova}
  syncPolicy:
    automated: {prune: true, selfHeal: true}
    syncOptions: [CreateNamespace=true]
`
