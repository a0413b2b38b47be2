package world

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/go-git/go-git/v5"
	gitconfig "github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// Repository is a developer's clone of the repository that Argo CD reads.
type Repository struct {
	// Dir is its work tree, URL where it pushes to.
	Dir, URL string

	git  *git.Repository
	tree *git.Worktree
}

// newRepository makes a repository in dir that pushes to url.
func newRepository(dir, url string) (*Repository, error) {
	r, err := git.PlainInitWithOptions(dir, &git.PlainInitOptions{InitOptions: git.InitOptions{DefaultBranch: "refs/heads/main"}})
	if err != nil {
		return nil, fmt.Errorf("create the repository: %w", err)
	}
	if _, err := r.CreateRemote(&gitconfig.RemoteConfig{Name: "origin", URLs: []string{url}}); err != nil {
		return nil, err
	}
	tree, err := r.Worktree()
	if err != nil {
		return nil, err
	}
	return &Repository{Dir: dir, URL: url, git: r, tree: tree}, nil
}

// Write writes a file of the work tree; Push commits it.
func (r *Repository) Write(path, content string) error {
	full := filepath.Join(r.Dir, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		return err
	}
	return os.WriteFile(full, []byte(content), 0o644)
}

// Push commits all that was written, or nothing, and pushes to main. It returns
// the commit's SHA.
func (r *Repository) Push(message string) (string, error) {
	if err := r.tree.AddWithOptions(&git.AddOptions{All: true}); err != nil {
		return "", err
	}
	by := &object.Signature{Name: "Nova developer", Email: "dev@nova.example.com", When: time.Now()}
	hash, err := r.tree.Commit(message, &git.CommitOptions{Author: by, AllowEmptyCommits: true})
	if err != nil {
		return "", err
	}
	// Forced: with E2E_KEEP the server has an earlier run's history.
	err = r.git.Push(&git.PushOptions{RefSpecs: []gitconfig.RefSpec{"+refs/heads/main:refs/heads/main"}})
	if err != nil && !errors.Is(err, git.NoErrAlreadyUpToDate) {
		return "", fmt.Errorf("push to the git server: %w", err)
	}
	return hash.String(), nil
}

// Read reads a file of the work tree.
func (r *Repository) Read(path string) (string, error) {
	b, err := os.ReadFile(filepath.Join(r.Dir, path))
	return string(b), err
}

// NewRepository makes an empty repository at the git server, such as
// example/deployments, and gives its address for a developer and for Argo CD.
func (w *World) NewRepository(ctx context.Context, name string) (developers, argoCDs string, err error) {
	path := name + ".git"
	if _, err := w.cluster.kube(ctx, "-n", "lab", "exec", "deployment/git", "--", "sh", "-ec",
		"rm -rf /git/"+path+" && git init --quiet --bare --initial-branch=main /git/"+path+" && git -C /git/"+path+" config http.receivepack true"); err != nil {
		return "", "", err
	}
	return w.gitAddress + path, gitInCluster + path, nil
}
