package world

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// Root is the folder of this repository.
func (w *World) Root() string { return w.settings.Root }

// Folder is one of the world's layout, to be applied; see [World.layOut].
func (w *World) Folder(name string) string { return filepath.Join(w.temp, name) }

// InstallSidecar applies Argo CD with the sidecar of the suite, whatever is there,
// and waits until it runs.
func (w *World) InstallSidecar(ctx context.Context) error { return w.install(ctx) }

var sidecarLines = regexp.MustCompile(`(?ms)^components:.*?^patches:`)

// RemoveSidecar takes component and image out of the kustomization that installs
// Argo CD, applies it as the pages say, and waits for the repo-server.
func (w *World) RemoveSidecar(ctx context.Context) error {
	dir := w.Folder("without-sidecar")
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.CopyFS(dir, os.DirFS(w.Folder("install"))); err != nil {
		return err
	}
	file := filepath.Join(dir, "kustomization.yaml")
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if n := len(sidecarLines.FindAll(b, -1)); n != 1 {
		return fmt.Errorf("%s: want components and images before patches once, found %d", file, n)
	}
	if err := os.WriteFile(file, sidecarLines.ReplaceAll(b, []byte("patches:\n- path: probes.yaml")), 0o644); err != nil {
		return err
	}
	probes, err := os.ReadFile(filepath.Join(w.Folder("argocd"), "probes.yaml"))
	if err != nil {
		return err
	}
	// That kustomization sets the namespace after its patches.
	probes = bytes.ReplaceAll(probes, []byte("  namespace: argocd\n"), nil)
	if err := os.WriteFile(filepath.Join(dir, "probes.yaml"), probes, 0o644); err != nil {
		return err
	}
	if _, err := w.apply(ctx, "without-sidecar"); err != nil {
		return err
	}
	if err := w.rolledOut(ctx, "argocd", "deployment/argocd-repo-server"); err != nil {
		return err
	}
	if _, err := w.sidecar(ctx); err == nil {
		return fmt.Errorf("take the sidecar out: the repo-server still has it")
	}
	return nil
}

// HasSidecar tells whether the repo-server has it.
func (w *World) HasSidecar(ctx context.Context) bool {
	_, err := w.sidecar(ctx)
	return err == nil
}

// DeleteApplication deletes the Application and leaves what it has deployed.
func (w *World) DeleteApplication(ctx context.Context) error {
	_, err := w.cluster.kube(ctx, "-n", "argocd", "delete", "application/nova-staging", "--ignore-not-found")
	return err
}

// DeleteNamespaces deletes namespaces with all that is in them, and waits until they
// are gone.
func (w *World) DeleteNamespaces(ctx context.Context, names ...string) error {
	_, err := w.cluster.kube(ctx, append([]string{"delete", "namespace", "--ignore-not-found", "--timeout=120s"}, names...)...)
	return err
}
