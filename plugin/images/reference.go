package images

import (
	"fmt"
	"regexp"
	"strings"
)

// Reference is an image as a manifest has it.
type Reference struct {
	// Name without tag or digest, for example
	// "025434362120.dkr.ecr.ap-northeast-1.amazonaws.com/nova/auth-service".
	Name string
	// Tag, "" when there is none.
	Tag string
	// Digest, "sha256:…", "" when there is none.
	Digest string
}

// String is name[:tag][@digest].
func (r Reference) String() string {
	s := r.Name
	if r.Tag != "" {
		s += ":" + r.Tag
	}
	if r.Digest != "" {
		s += "@" + r.Digest
	}
	return s
}

var (
	// nameRE is [host[:port]/]path. A path in capitals is no valid one and harms
	// nobody here.
	nameRE = regexp.MustCompile(`^(?:[a-zA-Z0-9][a-zA-Z0-9._-]*(?::[0-9]+)?/)?[a-zA-Z0-9](?:[a-zA-Z0-9._/-]*[a-zA-Z0-9])?$`)
	// tagRE is what kustomize's image transformer takes for a tag and replaces,
	// the empty one and templates in braces included.
	tagRE    = regexp.MustCompile(`^[a-zA-Z0-9_.{}-]*$`)
	digestRE = regexp.MustCompile(`^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-fA-F]{32,}$`)
)

// ParseReference splits an image. The colon of a port is not that of a tag.
func ParseReference(s string) (Reference, error) {
	r, hasDigest := split(s)
	switch {
	case !nameRE.MatchString(r.Name):
		return Reference{}, fmt.Errorf("%q is not a valid name in the image %q", r.Name, s)
	case !tagRE.MatchString(r.Tag):
		return Reference{}, fmt.Errorf("%q is not a valid tag in the image %q", r.Tag, s)
	case hasDigest && !digestRE.MatchString(r.Digest):
		return Reference{}, fmt.Errorf("%q is not a valid digest in the image %q", r.Digest, s)
	}
	return r, nil
}

func split(s string) (r Reference, hasDigest bool) {
	rest, digest, hasDigest := strings.Cut(s, "@")
	r = Reference{Name: rest, Digest: digest}
	if i := strings.LastIndex(rest, ":"); i > strings.LastIndex(rest, "/") {
		r.Name, r.Tag = rest[:i], rest[i+1:]
	}
	return r, hasDigest
}
