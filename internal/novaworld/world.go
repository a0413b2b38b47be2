// Package novaworld makes a git repository with the Nova manifests and an ECR
// registry that agree with each other, as CI would have left them: for the
// demonstration, tests and benchmarks.
package novaworld

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/proerror77/nova-staging/internal/ecremulator"
)

const (
	// Account and Region of the registry in the manifests.
	Account = "025434362120"
	Region  = "ap-northeast-1"
	// Smoke is the repository of the smoke test's own image.
	Smoke = "nova/staging-smoke"
)

// Services are the eight Nova services.
var Services = []string{
	"auth-service", "user-service", "content-service", "feed-service",
	"media-service", "messaging-service", "search-service", "streaming-service",
}

// Repositories are the names of the services' repositories, nova/<service>.
func Repositories() []string {
	names := make([]string, len(Services))
	for i, s := range Services {
		names[i] = "nova/" + s
	}
	return names
}

// World is a repository and a registry.
type World struct {
	// Root of the git repository, whose folder manifests holds the manifests.
	Root string
	// Registry with one repository for each service, nova/<service>.
	Registry *ecremulator.Registry

	git *git.Repository
	n   int
}

// Create makes the repository in root, with the manifests copied from a folder
// and committed at the given time, and the registry's repositories in e, still
// without images.
func Create(root, manifests string, e *ecremulator.Emulator, at time.Time) (*World, error) {
	if err := os.CopyFS(filepath.Join(root, "manifests"), os.DirFS(manifests)); err != nil {
		return nil, fmt.Errorf("copy manifests: %w", err)
	}
	repository, err := git.PlainInit(root, false)
	if err != nil {
		return nil, fmt.Errorf("create git repository: %w", err)
	}
	registry, err := e.CreateRegistry(Account, Region)
	if err != nil {
		return nil, fmt.Errorf("create registry: %w", err)
	}
	w := &World{Root: root, Registry: registry, git: repository}
	for _, name := range append(Repositories(), Smoke) {
		if _, err := registry.CreateRepository(name); err != nil {
			return nil, fmt.Errorf("create repository: %w", err)
		}
	}
	tree, err := repository.Worktree()
	if err != nil {
		return nil, fmt.Errorf("open work tree: %w", err)
	}
	if err := tree.AddWithOptions(&git.AddOptions{All: true}); err != nil {
		return nil, fmt.Errorf("add manifests: %w", err)
	}
	if _, err := w.Commit(at, "chore: begin with the manifests"); err != nil {
		return nil, err
	}
	return w, nil
}

// Overlay is the folder of an environment: dev, staging or prod.
func (w *World) Overlay(environment string) string {
	return filepath.Join(w.Root, "manifests", "nova", "overlays", environment)
}

// Commit makes a commit on the main line and returns its SHA.
func (w *World) Commit(at time.Time, message string) (string, error) {
	tree, err := w.git.Worktree()
	if err != nil {
		return "", fmt.Errorf("open work tree: %w", err)
	}
	by := &object.Signature{Name: "Nova developer", Email: "dev@nova.example.com", When: at}
	hash, err := tree.Commit(message, &git.CommitOptions{Author: by, Committer: by, AllowEmptyCommits: true})
	if err != nil {
		return "", fmt.Errorf("commit %q: %w", message, err)
	}
	return hash.String(), nil
}

// Build pushes the images of a commit as CI does: the services one after the
// other, half a minute apart from start on, each tagged with the SHA, latest and
// dev-latest. No services stands for all. It returns when the last was pushed.
func (w *World) Build(sha string, start time.Time, services ...string) (time.Time, error) {
	if len(services) == 0 {
		services = Services
	}
	at := start
	for _, s := range services {
		w.n++
		repository := w.Registry.Repository("nova/" + s)
		content := ecremulator.BuildxIndex(fmt.Sprintf("%s %s %d", s, sha, w.n), "linux/amd64")
		if _, err := repository.PushAt(at, content, sha, "latest", "dev-latest"); err != nil {
			return time.Time{}, fmt.Errorf("push %s: %w", s, err)
		}
		at = at.Add(30 * time.Second)
	}
	return at.Add(-30 * time.Second), nil
}

// Release tags the images of a commit with a version, as a release does.
func (w *World) Release(sha, version string) error {
	for _, s := range Services {
		repository := w.Registry.Repository("nova/" + s)
		image, err := repository.Image(sha)
		if err != nil {
			return fmt.Errorf("release %s: %w", s, err)
		}
		if err := repository.Tag(image.Digest, version); err != nil {
			return fmt.Errorf("release %s: %w", s, err)
		}
	}
	return nil
}

// Clutter adds what real repositories hold besides images: build caches,
// signatures and attestations, all newer than the images.
func (w *World) Clutter(at time.Time) error {
	for _, s := range Services {
		repository := w.Registry.Repository("nova/" + s)
		subject := ecremulator.OCIImage("subject " + s)
		_, err := repository.PushAt(at, subject)
		_, cacheErr := repository.PushAt(at, ecremulator.BuildCache(s), "buildcache")
		_, signErr := repository.PushAt(at, ecremulator.CosignSignature(subject), ecremulator.CosignTag(subject.Digest(), "sig"))
		_, sbomErr := repository.PushAt(at, ecremulator.Referrer(subject, "application/spdx+json", []byte("{}")))
		if err := cmp.Or(err, cacheErr, signErr, sbomErr); err != nil {
			return fmt.Errorf("push what is no image to %s: %w", s, err)
		}
	}
	return nil
}

// SmokeTag is the tag of the smoke test's image: a commit of another repository.
const SmokeTag = "5a0ce7e57000000000000000000000000000c0de"

// PushSmoke pushes an image of the smoke test, tagged [SmokeTag].
func (w *World) PushSmoke(at time.Time) error {
	if _, err := w.Registry.Repository(Smoke).PushAt(at, ecremulator.BuildxIndex("smoke", "linux/amd64"), SmokeTag); err != nil {
		return fmt.Errorf("push %s: %w", Smoke, err)
	}
	return nil
}
