package world

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/proerror77/nova-staging/e2e/pages"
	"github.com/proerror77/nova-staging/internal/novaworld"
)

// Desk is where a reader of the documentation sits: a shell with the programs,
// kubectl and kustomize, the cluster as its context staging, and the credentials of
// Nova's account.
type Desk struct {
	*pages.Shell
	// Home is the shell's home folder. It begins in Work.
	Home, Work string
	// Bin comes first in PATH.
	Bin string
}

// NewDesk makes one.
func (w *World) NewDesk(ctx context.Context) (*Desk, error) {
	temp, err := os.MkdirTemp(w.temp, "desk-")
	if err != nil {
		return nil, err
	}
	d := &Desk{Home: filepath.Join(temp, "home"), Work: filepath.Join(temp, "work"), Bin: filepath.Join(temp, "bin")}
	for _, dir := range []string{d.Home, d.Work, d.Bin} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return nil, err
		}
	}
	kubeconfig := filepath.Join(temp, "kubeconfig")
	if err := w.stagingContext(ctx, kubeconfig); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(d.Home, ".gitconfig"), []byte(gitConfig), 0o600); err != nil {
		return nil, err
	}
	kustomize, err := exec.LookPath(w.settings.Kustomize)
	if err != nil {
		return nil, fmt.Errorf("the pages need kustomize: %w", err)
	}
	for name, path := range map[string]string{"kubectl": w.cluster.kubectl, "kustomize": kustomize} {
		if err := os.Symlink(path, filepath.Join(d.Bin, name)); err != nil {
			return nil, err
		}
	}
	env := []string{
		"HOME=" + d.Home, "PATH=" + d.Bin + ":" + os.Getenv("PATH"), "KUBECONFIG=" + kubeconfig,
		"AWS_REGION=" + novaworld.Region, "AWS_ENDPOINT_URL_ECR=http://" + w.Registry.address,
	}
	for _, name := range slices.Sorted(maps.Keys(w.Registry.env)) {
		env = append(env, name+"="+w.Registry.env[name])
	}
	d.Shell, err = pages.NewShell(temp, d.Work, env...)
	return d, err
}

const gitConfig = `[user]
	name = Nova developer
	email = dev@nova.example.com
`

// stagingContext writes a kubeconfig whose context is named as in the pages.
func (w *World) stagingContext(ctx context.Context, file string) error {
	out, err := w.cluster.kube(ctx, "config", "view", "--raw", "--flatten", "--minify")
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte(out), 0o600); err != nil {
		return err
	}
	_, err = w.cluster.kube(ctx, "--kubeconfig="+file, "config", "rename-context", "kind-"+w.settings.Cluster, "staging")
	return err
}

// Programs builds generate, smoke and trigger, and gives their folder.
func (w *World) Programs(ctx context.Context) (string, error) {
	bin := filepath.Join(w.temp, "programs")
	_, err := command{name: "go", args: []string{"build", "-trimpath", "-buildvcs=false", "-o", bin + "/", "./cmd/..."}, dir: w.settings.Root, env: []string{"CGO_ENABLED=0"}}.run(ctx)
	return bin, err
}
