package build

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// guarded is the file system that kustomize sees: read-only, confined to the
// repository, with each file checked before kustomize parses it.
type guarded struct {
	filesys.FileSystem
	dir         string
	root        string // symlinks resolved; "" for no confinement
	allowRemote bool
	failures    []error
	imageFields types.FsSlice
	configs     map[string]bool // configurations: files, by absolute path
}

var _ filesys.FileSystem = (*guarded)(nil)

var errReadOnly = errors.New("the build may not write")

func newGuarded(fs filesys.FileSystem, dir, root string, allowRemote bool) (*guarded, error) {
	g := &guarded{FileSystem: fs, dir: dir, allowRemote: allowRemote, configs: map[string]bool{}}
	if root != "" {
		var err error
		if g.root, err = filepath.EvalSymlinks(root); err != nil {
			return nil, fmt.Errorf("find the repository's root: %w", err)
		}
		if err := g.inside(dir); err != nil {
			return nil, err
		}
	}
	return g, nil
}

func unwrapPath(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func (g *guarded) err() error {
	if len(g.failures) == 0 {
		return nil
	}
	return g.failures[0]
}

func (g *guarded) refuse(err error) error {
	g.failures = append(g.failures, err)
	return err
}

// inside checks that a path, with its symlinks resolved, is in the repository.
// What does not exist is inside or outside by its name alone.
func (g *guarded) inside(path string) error {
	if g.root == "" || g.allowRemote && strings.HasPrefix(path, os.TempDir()) {
		return nil // a fetched base is built from a temporary clone
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("find %s: %w", path, err)
	}
	real, err := filepath.EvalSymlinks(abs)
	if err != nil {
		parent, parentErr := filepath.EvalSymlinks(filepath.Dir(abs))
		if parentErr != nil {
			parent = filepath.Dir(abs)
		}
		real = filepath.Join(parent, filepath.Base(abs))
	}
	if real == g.root || strings.HasPrefix(real, strings.TrimSuffix(g.root, "/")+"/") {
		return nil
	}
	rel, err := filepath.Rel(g.dir, abs)
	if err != nil {
		rel = abs
	}
	return g.refuse(fmt.Errorf("%w: the kustomization in %s reads %s; only files of the repository are read", ErrOutside, g.dir, rel))
}

func (g *guarded) ReadFile(path string) ([]byte, error) {
	if err := g.inside(path); err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err == nil {
		switch {
		case info.IsDir():
			// kustomize tries every resource as a file first; its own error is fine.
		case !info.Mode().IsRegular():
			return nil, g.refuse(fmt.Errorf("%w of %s: %s is not a regular file", ErrBuild, g.dir, g.rel(path)))
		case info.Size() > maxFile:
			return nil, g.refuse(fmt.Errorf("%w: %s is %d bytes, at most %d are read", ErrTooLarge, g.rel(path), info.Size(), maxFile))
		}
	}
	data, err := g.FileSystem.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if err := checkAliases(data); err != nil {
		return nil, g.refuse(fmt.Errorf("%w: %s %w", ErrTooLarge, g.rel(path), err))
	}
	if slices.Contains(konfig.RecognizedKustomizationFileNames(), filepath.Base(path)) {
		if err := g.kustomization(path, data); err != nil {
			return nil, g.refuse(err)
		}
	}
	if abs, err := filepath.Abs(path); err == nil && g.configs[abs] {
		g.imageFields = append(g.imageFields, imageFieldsOf(data)...)
	}
	return data, nil
}

func (g *guarded) rel(path string) string {
	base := g.root
	if base == "" {
		base = g.dir
	}
	if rel, err := filepath.Rel(base, path); err == nil {
		return rel
	}
	return path
}

func (g *guarded) Open(path string) (filesys.File, error) {
	if err := g.inside(path); err != nil {
		return nil, err
	}
	return g.FileSystem.Open(path)
}

func (g *guarded) CleanedAbs(path string) (filesys.ConfirmedDir, string, error) {
	if err := g.inside(path); err != nil {
		return "", "", err
	}
	return g.FileSystem.CleanedAbs(path)
}

func (g *guarded) ReadDir(path string) ([]string, error) {
	if err := g.inside(path); err != nil {
		return nil, err
	}
	return g.FileSystem.ReadDir(path)
}

func (g *guarded) Glob(pattern string) ([]string, error) {
	matches, err := g.FileSystem.Glob(pattern)
	if err != nil {
		return nil, err
	}
	for _, m := range matches {
		if err := g.inside(m); err != nil {
			return nil, err
		}
	}
	return matches, nil
}

func (g *guarded) Walk(path string, fn filepath.WalkFunc) error {
	if err := g.inside(path); err != nil {
		return err
	}
	return g.FileSystem.Walk(path, fn)
}

func (g *guarded) Create(string) (filesys.File, error) { return nil, g.refuse(errReadOnly) }
func (g *guarded) WriteFile(string, []byte) error      { return g.refuse(errReadOnly) }
func (g *guarded) Mkdir(string) error                  { return g.refuse(errReadOnly) }
func (g *guarded) MkdirAll(string) error               { return g.refuse(errReadOnly) }
func (g *guarded) RemoveAll(path string) error {
	if g.allowRemote && strings.HasPrefix(path, os.TempDir()) {
		return g.FileSystem.RemoveAll(path) // the clone of a fetched base
	}
	return g.refuse(errReadOnly)
}
