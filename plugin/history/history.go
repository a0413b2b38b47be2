package history

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// Commit is what history knows of one commit.
type Commit struct {
	SHA       string    // 40 lower-case hexadecimal digits
	Committed time.Time // committer's time, in UTC
	Subject   string    // first line of the message, safe for a terminal
}

// Repository is an opened repository. It is only ever read.
type Repository struct {
	root string
	repo *git.Repository
}

// FindRoot returns the root of the work tree that encloses dir.
func FindRoot(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the repository of %s: %w", dir, err)
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return "", fmt.Errorf("find the repository of %s: %w", dir, err)
	}
	for d := abs; ; d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, ".git")); err == nil {
			return d, nil
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("find the repository of %s: %w", abs, ErrNoRepository)
		}
	}
}

// Open finds and opens the repository that encloses dir.
func Open(dir string) (*Repository, error) {
	root, err := FindRoot(dir)
	if err != nil {
		return nil, err
	}
	repo, err := git.PlainOpenWithOptions(root, &git.PlainOpenOptions{EnableDotGitCommonDir: true})
	if err != nil {
		return nil, fmt.Errorf("open the repository %s: %w", root, err)
	}
	return &Repository{root: root, repo: repo}, nil
}

// Root is the absolute path of the work tree, symbolic links resolved.
func (r *Repository) Root() string { return r.root }

// Resolve finds the commit that rev names.
func (r *Repository) Resolve(rev string) (Commit, error) {
	for _, name := range []string{rev, "refs/remotes/origin/" + rev} {
		h, err := r.repo.ResolveRevision(plumbing.Revision(name))
		if errors.Is(err, plumbing.ErrReferenceNotFound) {
			continue
		}
		if err != nil {
			return Commit{}, fmt.Errorf("resolve %q: %w", rev, err)
		}
		c, err := r.repo.CommitObject(*h)
		if err != nil {
			return Commit{}, fmt.Errorf("read commit %s: %w", h, err)
		}
		return describe(c), nil
	}
	return Commit{}, fmt.Errorf("resolve %q: %w", rev, ErrRevisionNotFound)
}

func describe(c *object.Commit) Commit {
	subject, _, _ := strings.Cut(c.Message, "\n")
	return Commit{SHA: c.Hash.String(), Committed: c.Committer.When.UTC(), Subject: subject}
}
