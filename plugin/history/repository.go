package history

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// Repository is an opened repository. It is only ever read, holds no file open
// between calls, and may be used by several goroutines at once.
type Repository struct {
	place   place
	objects *store
	shallow map[plumbing.Hash]bool // commits whose parents were not fetched
}

// Open finds the repository that encloses dir and opens it: dir or a directory
// above it that holds .git, a directory or a worktree's or submodule's file, or
// that is a bare repository. See [ErrNoRepository] and [ErrUnsupported].
func Open(dir string) (*Repository, error) {
	p, err := locate(dir)
	if err != nil {
		return nil, err
	}
	if err := checkFormat(p.common); err != nil {
		return nil, fmt.Errorf("open the git repository %s: %w", p.root, err)
	}
	shallow, err := readShallow(p.common)
	if err != nil {
		return nil, fmt.Errorf("open the git repository %s: %w", p.root, err)
	}
	objects, err := openStore(p.common)
	if err != nil {
		return nil, fmt.Errorf("open the git repository %s: %w", p.root, err)
	}
	return &Repository{place: p, objects: objects, shallow: shallow}, nil
}

// Root is the absolute path of the work tree, symbolic links resolved, or of
// the repository itself when it is bare.
func (r *Repository) Root() string { return r.place.root }

// readShallow reads the commits at which a shallow clone is cut.
func readShallow(common string) (map[plumbing.Hash]bool, error) {
	data, err := readFile(common, "shallow", maxListFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	cut := map[plumbing.Hash]bool{}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		id, ok := parseHash(line)
		switch {
		case ok:
			cut[id] = true
		case line != "":
			return nil, fmt.Errorf("read shallow: %w: a line is not 40 hexadecimal digits", ErrCorrupt)
		}
	}
	return cut, nil
}

// commit reads one commit. The store must have begun.
func (r *Repository) commit(id plumbing.Hash) (node, error) {
	data, err := r.objects.get(id, plumbing.CommitObject)
	if err != nil {
		return node{}, r.explain(id, err)
	}
	return parseCommit(id, data)
}

// explain says what it means that an object which should be there can not be
// read, and what to do.
func (r *Repository) explain(id plumbing.Hash, err error) error {
	if !errors.Is(err, errAbsent) {
		return fmt.Errorf("read object %s: %w", id, err)
	}
	if len(r.objects.lost) > 0 {
		return fmt.Errorf("%w: object %s is missing, and %s, from which the clone borrows objects, is not here: clone without --reference or --shared", ErrIncomplete, id, r.objects.lost[0])
	}
	return fmt.Errorf("%w: object %s is missing, though the clone is not marked shallow there: check that ARGOCD_REPO_SERVER_PLUGIN_TAR_EXCLUSIONS drops nothing from .git, or clone anew", ErrIncomplete, id)
}
