package history

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"

	"github.com/go-git/go-git/v5/plumbing"
)

// maxSymbolic is how many references may point at one another, as in git.
const maxSymbolic = 5

// ref is what a reference holds: a name when it is symbolic, else an object.
type ref struct {
	target string
	id     plumbing.Hash
}

// errNoRef says that there is no such reference.
var errNoRef = errors.New("no such reference")

// errUnborn says that a symbolic reference leads to one that does not exist.
type errUnborn struct{ target string }

func (e errUnborn) Error() string { return "it points at " + e.target + ", which does not exist" }

// resolveRef follows name to an object. The error is errNoRef, an errUnborn or
// an ErrCorrupt.
func (p place) resolveRef(name string) (plumbing.Hash, error) {
	at := name
	for range maxSymbolic + 1 {
		r, err := p.readRef(at)
		switch {
		case errors.Is(err, errNoRef) && at != name:
			return plumbing.ZeroHash, errUnborn{at}
		case err != nil || r.target == "":
			return r.id, err
		}
		at = r.target
	}
	return plumbing.ZeroHash, fmt.Errorf("%w: more than %d symbolic references in a row from %s", ErrCorrupt, maxSymbolic, name)
}

// readRef reads one reference: its own file, else its line in packed-refs.
func (p place) readRef(name string) (ref, error) {
	if !validRefName(name) {
		return ref{}, errNoRef
	}
	dir := p.common
	if perWorktree(name) {
		dir = p.git
	}
	data, err := readFile(dir, name, maxSmallFile)
	switch {
	case absent(err):
		return p.packedRef(name)
	case err != nil:
		return ref{}, fmt.Errorf("read reference %s: %w", name, err)
	}
	r, ok := parseRef(string(data))
	if !ok {
		return ref{}, fmt.Errorf("read reference %s: %w: it holds neither an object nor the name of a reference", name, ErrCorrupt)
	}
	return r, nil
}

// absent tells the ways in which a path is not a file: nothing there, a
// directory there, or a file where its directory should be.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNotRegular) || errors.Is(err, syscall.ENOTDIR)
}

// parseRef reads the content of a reference's file.
func parseRef(text string) (ref, bool) {
	if target, ok := strings.CutPrefix(text, "ref:"); ok {
		target = strings.TrimSpace(target)
		return ref{target: target}, validRefName(target)
	}
	first, _, _ := strings.Cut(text, "\n")
	word, _, _ := strings.Cut(strings.TrimRight(first, "\r"), "\t") // FETCH_HEAD has more after a tab
	id, ok := parseHash(strings.TrimSpace(word))
	return ref{id: id}, ok
}

// packedRef looks for name in packed-refs, a file that may be large: it is
// read through and not kept.
func (p place) packedRef(name string) (ref, error) {
	f, err := open(p.common, "packed-refs")
	if absent(err) {
		return ref{}, errNoRef
	}
	if err != nil {
		return ref{}, fmt.Errorf("read packed-refs: %w", err)
	}
	defer f.Close()
	return searchPacked(f, name)
}

func searchPacked(f io.Reader, name string) (ref, error) {
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := lines.Bytes()
		if len(line) == 0 || line[0] == '#' || line[0] == '^' {
			continue
		}
		if len(line) < 42 || line[40] != ' ' {
			return ref{}, fmt.Errorf("read packed-refs: %w: a line is not an object and a name", ErrCorrupt)
		}
		if string(line[41:]) != name {
			continue
		}
		id, ok := parseHash(string(line[:40]))
		if !ok {
			return ref{}, fmt.Errorf("read packed-refs: %w: the object of %s is not 40 hexadecimal digits", ErrCorrupt, name)
		}
		return ref{id: id}, nil
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return ref{}, fmt.Errorf("read packed-refs: %w: a line is too long", ErrCorrupt)
	}
	if lines.Err() != nil {
		return ref{}, fmt.Errorf("read packed-refs: %w", lines.Err())
	}
	return ref{}, errNoRef
}

// perWorktree tells the references that each work tree has for itself.
func perWorktree(name string) bool {
	if !strings.HasPrefix(name, "refs/") {
		return true
	}
	for _, own := range []string{"refs/bisect/", "refs/worktree/", "refs/rewritten/"} {
		if strings.HasPrefix(name, own) {
			return true
		}
	}
	return false
}

// validRefName accepts names below refs/ by git's rules, and names such as HEAD
// or ORIG_HEAD. No other file of the repository can be asked for.
func validRefName(name string) bool {
	rest, below := strings.CutPrefix(name, "refs/")
	if !below {
		return name != "" && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == ""
	}
	if strings.Contains(name, "..") || strings.Contains(name, "@{") || strings.HasSuffix(name, ".") ||
		strings.ContainsAny(name, " ~^:?*[\\\x7f") || len(name) > 1024 {
		return false
	}
	for _, c := range []byte(name) {
		if c < 0x20 {
			return false
		}
	}
	for part := range strings.SplitSeq(rest, "/") {
		if part == "" || part[0] == '.' || strings.HasSuffix(part, ".lock") {
			return false
		}
	}
	return true
}
