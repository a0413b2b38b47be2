package history

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// place says where the parts of a repository are. All paths are absolute.
type place struct {
	root   string // of the work tree; of the repository itself when it is bare
	git    string // what is this work tree's own: HEAD
	common string // what all work trees share: objects, refs, config
}

// FindRoot returns the root of the work tree that encloses dir, absolute and
// with symbolic links resolved, or the repository itself when it is bare. It
// looks upwards from dir to the root of the file system, and at names only: it
// reads no repository. The error is an [ErrNoRepository] when there is none.
func FindRoot(dir string) (string, error) {
	root, _, err := find(dir)
	return root, err
}

// find returns the root of the work tree and its repository.
func find(dir string) (root, gitDir string, err error) {
	start, err := filepath.Abs(dir)
	if err == nil {
		start, err = filepath.EvalSymlinks(start)
	}
	if err != nil {
		return "", "", fmt.Errorf("find the git repository of %s: %w", dir, err)
	}
	if fi, err := os.Stat(start); err != nil || !fi.IsDir() {
		return "", "", fmt.Errorf("find the git repository of %s: %w", dir, errors.Join(err, notDir(fi)))
	}
	bare, broken := "", ""
	for d := start; ; d = filepath.Dir(d) {
		dot := filepath.Join(d, ".git")
		fi, err := os.Stat(dot)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return "", "", fmt.Errorf("find the git repository of %s: %w", dir, err)
		case fi.IsDir() && isGitDir(dot):
			return d, dot, nil
		case fi.IsDir():
			if broken == "" {
				broken = dot
			}
		default:
			target, err := followGitFile(dot)
			if err != nil {
				return "", "", fmt.Errorf("find the git repository of %s: %w", dir, err)
			}
			return d, target, nil
		}
		if bare == "" && isGitDir(d) && (exists(d, "refs") || exists(d, "packed-refs")) {
			bare = d
		}
		if d == filepath.Dir(d) {
			break
		}
	}
	switch {
	case bare != "":
		return bare, bare, nil
	case broken != "":
		return "", "", fmt.Errorf("find the git repository of %s: %w: %s lacks HEAD or objects: check that ARGOCD_REPO_SERVER_PLUGIN_TAR_EXCLUSIONS drops nothing from .git", dir, ErrNoRepository, broken)
	}
	return "", "", fmt.Errorf("find the git repository of %s: %w there or in a directory above: Argo CD sends .git along unless ARGOCD_REPO_SERVER_PLUGIN_TAR_EXCLUSIONS or manifest-generate-paths drop it", dir, ErrNoRepository)
}

func notDir(fi fs.FileInfo) error {
	if fi == nil {
		return nil
	}
	return syscall.ENOTDIR
}

func exists(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}

// isGitDir tells a repository by its HEAD and objects, or, where a work tree
// keeps its own HEAD, by the file that points at the rest. refs may be missing:
// archives tend to drop empty directories.
func isGitDir(dir string) bool {
	if _, err := os.Lstat(filepath.Join(dir, "HEAD")); err != nil {
		return false
	}
	fi, err := os.Stat(filepath.Join(dir, "objects"))
	return err == nil && fi.IsDir() || exists(dir, "commondir")
}

// followGitFile returns the repository that a work tree's or submodule's .git
// file points at.
func followGitFile(file string) (string, error) {
	data, err := readFile(filepath.Dir(file), filepath.Base(file), maxSmallFile)
	if err != nil {
		return "", err
	}
	target, ok := parseGitFile(string(data))
	if !ok {
		return "", fmt.Errorf("%w: %s is a file, but not one that says gitdir: and a path", ErrNoRepository, file)
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(filepath.Dir(file), target)
	}
	if !isGitDir(target) {
		return "", fmt.Errorf("%w: %s points at %q, which is no repository here: render a clone instead of a linked work tree", ErrNoRepository, file, target)
	}
	return filepath.Clean(target), nil
}

// parseGitFile returns the path in a .git file: "gitdir: <path>", line ends
// dropped, one line.
func parseGitFile(text string) (string, bool) {
	target, ok := strings.CutPrefix(text, "gitdir: ")
	target = strings.TrimRight(target, "\r\n")
	return target, ok && target != "" && !strings.ContainsAny(target, "\x00\n")
}

// locate finds the repository that encloses dir and all its parts.
func locate(dir string) (place, error) {
	root, gitDir, err := find(dir)
	if err != nil {
		return place{}, err
	}
	p := place{root: root, git: gitDir, common: gitDir}
	data, err := readFile(gitDir, "commondir", maxSmallFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return p, nil
	case err != nil:
		return place{}, fmt.Errorf("open the git repository of %s: %w", dir, err)
	}
	p.common = strings.TrimRight(string(data), "\r\n")
	if !filepath.IsAbs(p.common) {
		p.common = filepath.Join(gitDir, p.common)
	}
	if fi, err := os.Stat(filepath.Join(p.common, "objects")); err != nil || !fi.IsDir() {
		return place{}, fmt.Errorf("open the git repository of %s: %w: %s/commondir points at %q, which has no objects", dir, ErrNoRepository, gitDir, p.common)
	}
	return p, nil
}
