package world

import (
	"context"
	"fmt"
	"time"
)

// RenderRuns waits until generate runs in the sidecar.
func (w *World) RenderRuns(ctx context.Context) error {
	limit, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		if _, err := w.cluster.exec(limit, nil, "pgrep", "-x", "generate"); err == nil {
			return nil
		}
		select {
		case <-limit.Done():
			return fmt.Errorf("waited 30s until a render runs: none did")
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// KillSidecar kills Argo CD's plugin server in the sidecar and the render with
// it, as the kernel does for want of memory.
func (w *World) KillSidecar(ctx context.Context) error {
	_, err := w.cluster.exec(ctx, nil, "pkill", "-KILL", "-f", "argocd-cmp-server")
	return err
}

// ReplaceRepoServer deletes the repo-server's Pod and waits for the next one.
func (w *World) ReplaceRepoServer(ctx context.Context) error {
	if _, err := w.cluster.kube(ctx, "-n", "argocd", "delete", "pod", "-l", "app.kubernetes.io/name=argocd-repo-server", "--force", "--grace-period=0"); err != nil {
		return err
	}
	return w.rolledOut(ctx, "argocd", "deployment/argocd-repo-server")
}
