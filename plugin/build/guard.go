package build

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// guarded is the file system that kustomize sees: read-only, confined to the
// repository, with each file checked before kustomize parses it.
type guarded struct {
	filesys.FileSystem
	place       place
	clones      string // where kustomize clones to, when it may; else ""
	allowRemote bool
	failures    []error
	last        string // the last file read, for a failure that names none

	// kustomizations are the kustomization files by resolved path, each with the
	// folder that its paths are relative to: the file may be a symlink to one of
	// another name in another folder.
	kustomizations map[string]string
	configurations map[string]bool // files under configurations:, by resolved path, or fetched
	imageFields    types.FsSlice
	ownSchema      bool // some kustomization sets kustomize's global OpenAPI schema
}

var _ filesys.FileSystem = (*guarded)(nil)

var errReadOnly = errors.New("the build may not write")

func newGuarded(fs filesys.FileSystem, p place, clones string) *guarded {
	return &guarded{
		FileSystem: fs, place: p, clones: clones, allowRemote: clones != "",
		kustomizations: map[string]string{}, configurations: map[string]bool{},
	}
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

// inside gives a path with its symlinks resolved, and refuses one that is not in
// the repository.
func (g *guarded) inside(path string) (string, error) {
	real, err := resolve(path)
	if err != nil {
		return "", err
	}
	if g.place.root == "" || within(real, g.place.root) || g.clones != "" && within(real, g.clones) {
		return real, nil
	}
	named := g.place.rel(path)
	if target := g.place.rel(real); target != named {
		named += ", which leads to " + target
	}
	return "", g.refuse(fmt.Errorf("%w: the build of %s reads %s; only files of the repository are read", ErrOutside, g.place.name(), named))
}

func (g *guarded) ReadFile(path string) ([]byte, error) {
	real, err := g.inside(path)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(real); err == nil {
		switch {
		case info.IsDir():
			// kustomize tries every resource as a file first; its own error is fine.
		case !info.Mode().IsRegular():
			return nil, g.refuse(fmt.Errorf("%w of %s: %s is not a regular file", ErrBuild, g.place.name(), g.place.rel(real)))
		case info.Size() > maxFile:
			return nil, g.refuse(fmt.Errorf("%w: %s is %d bytes, at most %d are read", ErrTooLarge, g.place.rel(real), info.Size(), maxFile))
		}
	}
	data, err := g.FileSystem.ReadFile(real)
	if err != nil {
		return nil, err
	}
	g.last = g.place.rel(real)
	if err := g.check(g.last, real, data); err != nil {
		return nil, g.refuse(err)
	}
	return data, nil
}

// fetched is the key of whatever came over HTTP.
const fetched = "http"

// check looks at a file before kustomize does. key is its resolved path, or
// fetched.
func (g *guarded) check(name, key string, data []byte) error {
	if err := checkYAML(data); err != nil {
		return fmt.Errorf("%w: %s %w", ErrTooLarge, name, err)
	}
	if folder, ok := g.kustomizations[key]; ok {
		if err := g.kustomization(name, folder, data); err != nil {
			return err
		}
	}
	if g.configurations[key] {
		g.imageFields = append(g.imageFields, imageFieldsOf(data)...)
	}
	g.imageFields = append(g.imageFields, transformerFields(data)...)
	return nil
}

func (g *guarded) Open(path string) (filesys.File, error) {
	real, err := g.inside(path)
	if err != nil {
		return nil, err
	}
	return g.FileSystem.Open(real)
}

// CleanedAbs is what kustomize calls with every path before it reads it.
func (g *guarded) CleanedAbs(path string) (filesys.ConfirmedDir, string, error) {
	real, err := g.inside(path)
	if err != nil {
		return "", "", err
	}
	if slices.Contains(konfig.RecognizedKustomizationFileNames(), filepath.Base(path)) {
		g.kustomizations[real] = filepath.Dir(path)
	}
	return g.FileSystem.CleanedAbs(path)
}

func (g *guarded) IsDir(path string) bool {
	real, err := g.inside(path)
	return err == nil && g.FileSystem.IsDir(real)
}

func (g *guarded) Exists(path string) bool {
	real, err := g.inside(path)
	return err == nil && g.FileSystem.Exists(real)
}

func (g *guarded) ReadDir(path string) ([]string, error) {
	real, err := g.inside(path)
	if err != nil {
		return nil, err
	}
	return g.FileSystem.ReadDir(real)
}

func (g *guarded) Glob(pattern string) ([]string, error) {
	matches, err := g.FileSystem.Glob(pattern)
	if err != nil {
		return nil, err
	}
	for _, m := range matches {
		if _, err := g.inside(m); err != nil {
			return nil, err
		}
	}
	return matches, nil
}

func (g *guarded) Walk(path string, fn filepath.WalkFunc) error {
	real, err := g.inside(path)
	if err != nil {
		return err
	}
	return g.FileSystem.Walk(real, fn)
}

func (g *guarded) Create(string) (filesys.File, error) { return nil, g.refuse(errReadOnly) }
func (g *guarded) WriteFile(string, []byte) error      { return g.refuse(errReadOnly) }
func (g *guarded) Mkdir(string) error                  { return g.refuse(errReadOnly) }
func (g *guarded) MkdirAll(string) error               { return g.refuse(errReadOnly) }

// RemoveAll lets kustomize remove a clone, and a clone that it did not get to
// make: it then asks to remove a path that never was.
func (g *guarded) RemoveAll(path string) error {
	if g.clones != "" && path != g.clones && within(path, g.clones) {
		return g.FileSystem.RemoveAll(path)
	}
	if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return g.refuse(errReadOnly)
}
