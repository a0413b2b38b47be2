package build

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// place is where a build happens, and names paths for people: from the
// repository's root, since Argo CD renders in a folder whose own name says
// nothing and changes each time.
type place struct {
	given string // the kustomization's folder as the caller named it
	dir   string // the same, absolute, symlinks resolved
	root  string // the repository's root, likewise; "" for no confinement
}

func newPlace(dir, root string) (place, error) {
	p := place{given: filepath.Clean(dir)}
	var err error
	if p.dir, err = resolve(dir); err != nil {
		return p, err
	}
	if root != "" {
		if p.root, err = resolve(root); err != nil {
			return p, err
		}
	}
	return p, nil
}

// resolve gives an absolute path with its symlinks resolved, as far as it exists.
func resolve(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	for head, tail := abs, ""; ; head, tail = filepath.Dir(head), filepath.Join(filepath.Base(head), tail) {
		real, err := filepath.EvalSymlinks(head)
		if err == nil {
			return filepath.Join(real, tail), nil
		}
		if !errors.Is(err, os.ErrNotExist) || head == filepath.Dir(head) {
			return "", err
		}
		// What does not exist may still be a symlink that leads elsewhere.
		if target, err := os.Readlink(head); err == nil {
			if !filepath.IsAbs(target) {
				target = filepath.Join(filepath.Dir(head), target)
			}
			real, err := resolve(target)
			return filepath.Join(real, tail), err
		}
	}
}

func within(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, strings.TrimSuffix(folder, "/")+"/")
}

// name of the kustomization's folder in messages.
func (p place) name() string {
	if p.root != "" {
		return p.rel(p.dir)
	}
	return p.given
}

// rel names a path from the root, or from the kustomization when there is none.
func (p place) rel(path string) string {
	base := p.root
	if base == "" {
		base = p.dir
	}
	rel, err := filepath.Rel(base, path)
	if err != nil || strings.Count(rel, "../") == strings.Count(base, "/") && base != "/" {
		return path // nothing in common
	}
	return rel
}

// abs is the path of a name that rel gave.
func (p place) abs(name string) string {
	base := p.root
	if base == "" {
		base = p.dir
	}
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(base, name)
}

// clean replaces the absolute paths in a message of kustomize.
func (p place) clean(text string) string {
	base := p.root
	if base == "" {
		base = p.dir
	}
	if base == "/" {
		return text
	}
	text = WithoutFolder(text, base, ".")
	if p.root != "" {
		return text
	}
	up := ".."
	for dir := filepath.Dir(base); filepath.Dir(dir) != "/" && dir != "/"; dir = filepath.Dir(dir) {
		text = replaceFolder(text, dir, up+"/", up)
		up = "../" + up
	}
	return text
}

// WithoutFolder names paths below an absolute folder from that folder on, and the
// folder itself as said. A path that has the same text somewhere else, as a/nova/b
// has that of /nova, is none of them.
func WithoutFolder(text, folder, itself string) string {
	return replaceFolder(text, folder, "", itself)
}

// replaceFolder replaces a folder where it begins a path, with the slash after it,
// and where it is the whole path.
func replaceFolder(text, folder, below, itself string) string {
	var b strings.Builder
	done := 0 // of text
	for {
		i := strings.Index(text[done:], folder)
		if i < 0 {
			return b.String() + text[done:]
		}
		at := done + i
		b.WriteString(text[done:at])
		done = at + len(folder)
		rest := text[done:]
		begins := at == 0 || !pathRE.MatchString(text[at-1:at])
		switch {
		case begins && strings.HasPrefix(rest, "/"):
			b.WriteString(below)
			done++
		case begins && (rest == "" || strings.ContainsRune("'\"`:;,)] \n", rune(rest[0]))):
			b.WriteString(itself)
		default:
			b.WriteString(folder)
		}
	}
}

// pathRE is what a path goes on with.
var pathRE = regexp.MustCompile(`[\w./~-]`)
