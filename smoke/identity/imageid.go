// Package identity judges whether the image that runs is the image that was
// released: what the template asks for, what the release says, what the
// runtime reports. It compares digests only; tags prove nothing.
package identity

import (
	"regexp"
	"strings"
)

// Reference is an image reference in its parts.
type Reference struct {
	Name   string // without tag and digest, as written
	Tag    string
	Digest string // "sha256:…", empty when the reference is not pinned
}

// ParseReference splits name[:tag][@digest]. It takes any text; what is not
// there stays empty.
func ParseReference(s string) Reference {
	var r Reference
	s, r.Digest, _ = strings.Cut(s, "@")
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.Contains(s[i:], "/") {
		s, r.Tag = s[:i], s[i+1:]
	}
	r.Name = s
	return r
}

// Normal is the name with Docker Hub's short forms written out.
func Normal(name string) string {
	first, _, more := strings.Cut(name, "/")
	switch {
	case !more:
		return "docker.io/library/" + name
	case !strings.ContainsAny(first, ".:") && first != "localhost":
		return "docker.io/" + name
	case first == "index.docker.io":
		return "docker.io/" + strings.TrimPrefix(name, "index.docker.io/")
	}
	return name
}

var digestRE = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// ImageID is what a runtime reports for a running container, understood.
type ImageID struct {
	// Name of the repository; empty when the runtime gave none.
	Name string
	// Digest of a manifest or an index; empty when the runtime gave none.
	Digest string
	// Why says what is wrong with the ID when Digest is empty.
	Why string
}

// ParseImageID understands containerStatuses[].imageID of containerd, CRI-O
// and the Docker shim. A bare digest is that of the image's config, which no
// registry resolves and no release names.
func ParseImageID(s string) ImageID {
	if s == "" {
		return ImageID{Why: "the runtime has not reported an imageID"}
	}
	rest := s
	if _, after, ok := strings.Cut(s, "://"); ok {
		rest = after
	}
	if digestRE.MatchString(rest) {
		return ImageID{Why: "the runtime reports the digest of the image's config, not that of a manifest"}
	}
	name, digest, ok := strings.Cut(rest, "@")
	switch {
	case !ok:
		return ImageID{Why: "the runtime reports no digest"}
	case !digestRE.MatchString(digest):
		return ImageID{Why: "the runtime reports a digest that is not sha256 and 64 hexadecimal digits"}
	case imported(name):
		return ImageID{Why: "the image was imported into the node, not pulled: its digest was made up there"}
	}
	return ImageID{Name: ParseReference(name).Name, Digest: digest}
}

// importRE is the name that containerd's import gives, "import-2026-11-22".
var importRE = regexp.MustCompile(`^(?:docker\.io/library/)?import-\d{4}-\d{2}-\d{2}$`)

func imported(name string) bool { return importRE.MatchString(name) }
