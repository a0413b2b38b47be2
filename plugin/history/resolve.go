package history

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

const (
	minAbbreviation = 4  // hexadecimal digits, as in git
	maxTags         = 64 // annotated tags in a row
	deepen          = "fetch more history: remove `depth` from the Argo CD repository secret"
)

// namespaces are where a short name is looked for, in git's order. The last one
// is this package's: the clones of Argo CD have no local branches.
var namespaces = []string{"%s", "refs/%s", "refs/tags/%s", "refs/heads/%s", "refs/remotes/%s", "refs/remotes/%s/HEAD", "refs/remotes/origin/%s"}

// Resolve finds the commit that rev names: a SHA, full or abbreviated to at
// least four digits; HEAD; a tag, annotated or not; a branch, local or, as in
// "main" or "origin/main", of a remote; or a full name such as refs/pull/7/head.
// Where one name means several things git's order decides, tags before
// branches, and names before abbreviations.
func (r *Repository) Resolve(rev string) (Commit, error) {
	r.objects.begin()
	defer r.objects.end()
	id, err := r.lookUp(rev)
	if err != nil {
		return Commit{}, fmt.Errorf("resolve %q in %s: %w", rev, r.place.root, err)
	}
	n, err := r.peel(id)
	if err != nil {
		return Commit{}, fmt.Errorf("resolve %q in %s: %w", rev, r.place.root, err)
	}
	return n.Commit, nil
}

// lookUp returns the object that rev names, a commit or a tag.
func (r *Repository) lookUp(rev string) (plumbing.Hash, error) {
	if id, ok := parseHash(rev); ok {
		_, err := r.objects.kind(id)
		if errors.Is(err, errAbsent) {
			return id, r.notFound()
		}
		return id, err
	}
	for _, format := range namespaces {
		id, err := r.place.resolveRef(strings.Replace(format, "%s", rev, 1))
		var unborn errUnborn
		switch {
		case err == nil:
			return id, nil
		case errors.As(err, &unborn) && rev == "HEAD":
			return id, fmt.Errorf("%w: %w: %w", ErrRevisionNotFound, ErrNoCommits, err)
		case !errors.Is(err, errNoRef) && !errors.As(err, &unborn):
			return id, err
		}
	}
	if len(rev) >= minAbbreviation && len(rev) < 40 && isHex(rev) {
		return r.lengthen(strings.ToLower(rev))
	}
	if strings.ContainsAny(rev, "~^:") || strings.Contains(rev, "@{") {
		return plumbing.ZeroHash, fmt.Errorf("%w: only names and SHAs are understood, not expressions", ErrRevisionNotFound)
	}
	return plumbing.ZeroHash, r.notFound()
}

// notFound adds what the user can do.
func (r *Repository) notFound() error {
	if len(r.shallow) > 0 {
		return fmt.Errorf("%w: the clone is shallow: %s", ErrRevisionNotFound, deepen)
	}
	return ErrRevisionNotFound
}

// lengthen finds the one commit or tag whose name begins with the digits.
func (r *Repository) lengthen(digits string) (plumbing.Hash, error) {
	all, err := r.objects.withPrefix(digits)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	var fit []plumbing.Hash
	for _, id := range all {
		kind, err := r.objects.kind(id)
		if err != nil {
			return plumbing.ZeroHash, err
		}
		if kind == plumbing.CommitObject || kind == plumbing.TagObject {
			fit = append(fit, id)
		}
	}
	switch len(fit) {
	case 0:
		return plumbing.ZeroHash, r.notFound()
	case 1:
		return fit[0], nil
	}
	slices.SortFunc(fit, func(a, b plumbing.Hash) int { return bytes.Compare(a[:], b[:]) })
	names := make([]string, 0, 3)
	for _, id := range fit[:min(len(fit), cap(names))] {
		names = append(names, id.String())
	}
	if len(fit) > len(names) {
		names = append(names, "…")
	}
	return plumbing.ZeroHash, fmt.Errorf("%w: %d commits or tags begin so (%s): give more digits", ErrAmbiguous, len(fit), strings.Join(names, ", "))
}

// peel follows annotated tags to the commit.
func (r *Repository) peel(id plumbing.Hash) (node, error) {
	for range maxTags {
		kind, err := r.objects.kind(id)
		if err != nil {
			return node{}, r.explain(id, err)
		}
		switch kind {
		case plumbing.CommitObject:
			return r.commit(id)
		case plumbing.TagObject:
			data, err := r.objects.get(id, plumbing.TagObject)
			if err != nil {
				return node{}, r.explain(id, err)
			}
			line, _, _ := bytes.Cut(data, []byte("\n"))
			target, ok := header(line, "object")
			if !ok {
				return node{}, fmt.Errorf("read tag %s: %w: it does not begin with an object", id, ErrCorrupt)
			}
			id = target
		default:
			return node{}, fmt.Errorf("%w: %s is a %s, not a commit", ErrRevisionNotFound, id, kind)
		}
	}
	return node{}, fmt.Errorf("%w: more than %d tags in a row", ErrCorrupt, maxTags)
}
