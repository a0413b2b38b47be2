package world

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RenderRuns waits until generate runs in the sidecar.
func (w *World) RenderRuns(ctx context.Context) error {
	return until(ctx, 30*time.Second, "a render runs", func(ctx context.Context) (bool, string) {
		_, err := w.cluster.exec(ctx, nil, "pgrep", "-x", "generate")
		return err == nil, "none"
	})
}

// KillSidecar kills Argo CD's plugin server in the sidecar and the render with
// it, as the kernel does for want of memory, and waits until it serves again.
func (w *World) KillSidecar(ctx context.Context) error {
	before, err := w.sidecar(ctx)
	if err != nil {
		return err
	}
	if _, err := w.cluster.exec(ctx, nil, "pkill", "-KILL", "-f", "argocd-cmp-server"); err != nil {
		return err
	}
	if err := until(ctx, 90*time.Second, "the sidecar runs again", func(ctx context.Context) (bool, string) {
		now, err := w.sidecar(ctx)
		return err == nil && now.RestartCount > before.RestartCount && now.State.Running != nil, fmt.Sprintf("%+v (%v)", now.State, err)
	}); err != nil {
		return err
	}
	// It has no probe; it serves its socket at once.
	time.Sleep(2 * time.Second)
	return nil
}

// sidecar is the state of generate's container.
func (w *World) sidecar(ctx context.Context) (corev1.ContainerStatus, error) {
	list, err := w.Kube.CoreV1().Pods("argocd").List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=argocd-repo-server"})
	if err != nil {
		return corev1.ContainerStatus{}, err
	}
	for _, p := range list.Items {
		for _, c := range p.Status.ContainerStatuses {
			if c.Name == "nova-generate" && p.DeletionTimestamp == nil {
				return c, nil
			}
		}
	}
	return corev1.ContainerStatus{}, fmt.Errorf("find the sidecar: no Pod of the repo-server has it")
}

// ReplaceRepoServer deletes the repo-server's Pod and waits for the next one.
func (w *World) ReplaceRepoServer(ctx context.Context) error {
	if _, err := w.cluster.kube(ctx, "-n", "argocd", "delete", "pod", "-l", "app.kubernetes.io/name=argocd-repo-server", "--force", "--grace-period=0"); err != nil {
		return err
	}
	return w.rolledOut(ctx, "argocd", "deployment/argocd-repo-server")
}
