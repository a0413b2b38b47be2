package world

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/proerror77/nova-staging/e2e/pages"
	"github.com/proerror77/nova-staging/internal/novaworld"
)

// Desk is where a reader of the documentation sits: a shell with the programs,
// the tools that the pages ask for, the cluster as its context staging, and the
// credentials of an account.
type Desk struct {
	*pages.Shell
	// Home is the shell's home folder. It begins in Work.
	Home, Work string
	// Bin comes first in PATH.
	Bin string
}

// NewDesk makes one.
func (w *World) NewDesk(ctx context.Context, account Account) (*Desk, error) {
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
	out, err := openOutside(w.running, w.Registry.address, w.settings.ArgoCD)
	if err != nil {
		return nil, err
	}
	docker, err := out.plain(account.Host())
	if err != nil {
		return nil, err
	}
	trusted, kubeconfig := filepath.Join(temp, "trusted.pem"), filepath.Join(temp, "kubeconfig")
	if err := os.WriteFile(trusted, out.trusted(), 0o600); err != nil {
		return nil, err
	}
	if err := w.stagingContext(ctx, kubeconfig); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(d.Home, ".gitconfig"), []byte(fmt.Sprintf(gitConfig, w.settings.Root)), 0o600); err != nil {
		return nil, err
	}
	if err := w.equip(d.Bin); err != nil {
		return nil, err
	}
	env := []string{
		"HOME=" + d.Home, "PATH=" + d.Bin + ":" + os.Getenv("PATH"), "KUBECONFIG=" + kubeconfig,
		"AWS_REGION=" + novaworld.Region, "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=",
		"AWS_CONFIG_FILE=" + filepath.Join(temp, "none"), "AWS_SHARED_CREDENTIALS_FILE=" + filepath.Join(temp, "none"),
		"LAB_DOCKER=" + docker, "LAB_DOCKER_HOST=" + account.Host(), "LAB_HOME=" + os.Getenv("HOME"),
		"DOCKER_BUILDKIT=0", "KO_DEFAULTPLATFORMS=linux/" + runtime.GOARCH,
	}
	env = append(env, account.Env()...)
	for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
		env = append(env, name+"="+out.proxy)
	}
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		env = append(env, name+"=127.0.0.1,localhost")
	}
	for _, name := range []string{"SSL_CERT_FILE", "AWS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "REQUESTS_CA_BUNDLE"} {
		env = append(env, name+"="+trusted)
	}
	// Go's caches are found by HOME.
	goEnv, err := command{name: "go", args: []string{"env", "GOPATH", "GOMODCACHE", "GOCACHE"}}.run(ctx)
	if err != nil {
		return nil, err
	}
	for i, value := range strings.Fields(goEnv) {
		env = append(env, []string{"GOPATH", "GOMODCACHE", "GOCACHE"}[i]+"="+value)
	}
	d.Shell, err = pages.NewShell(temp, d.Work, env...)
	return d, err
}

// gitConfig: a person, and this repository under its address at GitHub.
const gitConfig = `[user]
	name = Nova developer
	email = dev@nova.example.com
[init]
	defaultBranch = main
[safe]
	directory = *
[url "file://%[1]s"]
	insteadOf = https://github.com/proerror77/nova-staging
	insteadOf = https://github.com/proerror77/nova-staging.git
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

// Programs builds generate, smoke and trigger, once, and gives their folder.
func (w *World) Programs(ctx context.Context) (string, error) {
	bin := filepath.Join(w.temp, "programs")
	if _, err := os.Stat(filepath.Join(bin, "trigger")); err == nil {
		return bin, nil
	}
	_, err := command{name: "go", args: []string{"build", "-trimpath", "-buildvcs=false", "-o", bin + "/", "./cmd/..."}, dir: w.settings.Root, env: []string{"CGO_ENABLED=0"}}.run(ctx)
	return bin, err
}
