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
	nameRE   = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9._:/-]*[a-zA-Z0-9])?$`)
	tagRE    = regexp.MustCompile(`^[\w][\w.-]{0,127}$`)
	digestRE = regexp.MustCompile(`^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-fA-F]{32,}$`)
)

// ParseReference splits an image. The colon of a port is not that of a tag.
func ParseReference(s string) (Reference, error) {
	rest, digest, hasDigest := strings.Cut(s, "@")
	r := Reference{Name: rest, Digest: digest}
	if i := strings.LastIndex(rest, ":"); i > strings.LastIndex(rest, "/") {
		r.Name, r.Tag = rest[:i], rest[i+1:]
		if !tagRE.MatchString(r.Tag) {
			return Reference{}, fmt.Errorf("image %q: %q is not a valid tag", s, r.Tag)
		}
	}
	if hasDigest && !digestRE.MatchString(digest) {
		return Reference{}, fmt.Errorf("image %q: %q is not a valid digest", s, digest)
	}
	if !nameRE.MatchString(r.Name) {
		return Reference{}, fmt.Errorf("image %q: %q is not a valid name", s, r.Name)
	}
	return r, nil
}
