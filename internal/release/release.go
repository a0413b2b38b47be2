// Package release is the record that generate leaves beside the manifests and
// that smoke and people read: which image each name was resolved to.
//
// The record is a function of the resolved images alone. It holds neither the
// instant nor the git revision, so that moving the instant without a new image
// changes nothing in the render.
package release

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	// APIVersion of the record.
	APIVersion = "staging.nova/v1alpha1"
	// Kind of the record.
	Kind = "Release"
	// DataKey is the key of the ConfigMap's data that holds the record as JSON.
	DataKey = "release.json"
	// Annotation names the release that a hook was rendered with. generate puts
	// it on the Pod template of every Argo CD hook, where the downward API can
	// hand it to the container; it equals [Release.ID] of the same render.
	Annotation = "staging.nova/release"
)

// Image is one resolved image.
type Image struct {
	// Name is the image's name without tag or digest, as the manifests have it,
	// for example "025434362120.dkr.ecr.ap-northeast-1.amazonaws.com/nova/auth-service".
	Name string `json:"name"`
	// Tag that was chosen, for example a commit's SHA.
	Tag string `json:"tag"`
	// Digest that Tag pointed at: "sha256:" and 64 hexadecimal digits.
	Digest string `json:"digest"`
	// Policy that chose it: commit, newest, semver or tag.
	Policy string `json:"policy"`
	// Commit that the image was built from, 40 hexadecimal digits. Empty for
	// every policy but commit.
	Commit string `json:"commit,omitempty"`
	// PushedAt is when ECR received the manifest (imagePushedAt), in UTC.
	PushedAt time.Time `json:"pushedAt"`
}

// Ref is the pinned reference, name:tag@digest.
func (i Image) Ref() string { return i.Name + ":" + i.Tag + "@" + i.Digest }

// Release is the set of images that one render resolved.
type Release struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// ID is 16 hexadecimal digits over Images and Pinned: equal sets have equal IDs.
	ID string `json:"id"`
	// Images sorted by name, each name once.
	Images []Image `json:"images"`
	// Pinned are the references that the manifests themselves give with a digest,
	// name[:tag]@digest, sorted, each once: the render left them as they are.
	Pinned []string `json:"pinned,omitempty"`
}

// New makes the record of resolved images and of references that were pinned
// already. The order of neither matters.
func New(images []Image, pinned ...string) Release {
	sorted := slices.Clone(images)
	slices.SortFunc(sorted, func(a, b Image) int { return cmp.Compare(a.Name, b.Name) })
	for i := range sorted {
		sorted[i].PushedAt = sorted[i].PushedAt.UTC()
	}
	pinned = slices.Compact(slices.Sorted(slices.Values(pinned)))
	return Release{APIVersion: APIVersion, Kind: Kind, ID: id(sorted, pinned), Images: sorted, Pinned: pinned}
}

// id hashes what runs (name, tag, digest), not how it was chosen.
func id(sorted []Image, pinned []string) string {
	h := sha256.New()
	for _, i := range sorted {
		fmt.Fprintln(h, i.Ref())
	}
	for _, ref := range pinned {
		fmt.Fprintln(h, "pinned", ref)
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// Encode gives the record as indented JSON with a final newline.
func (r Release) Encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return nil, fmt.Errorf("encode release: %w", err)
	}
	return b.Bytes(), nil
}

var digestRE = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// Decode reads a record that [Release.Encode] wrote. It refuses another kind,
// an image without name or digest, a name given twice, and an ID that does not
// belong to the images: a record edited by hand proves nothing.
func Decode(data []byte) (Release, error) {
	var r Release
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return Release{}, fmt.Errorf("decode release: %w", err)
	}
	if d.More() {
		return Release{}, errors.New("decode release: more than one JSON value")
	}
	if r.APIVersion != APIVersion || r.Kind != Kind {
		return Release{}, fmt.Errorf("decode release: found %s %s, want %s %s", r.APIVersion, r.Kind, APIVersion, Kind)
	}
	seen := map[string]bool{}
	for _, i := range r.Images {
		switch {
		case i.Name == "":
			return Release{}, errors.New("decode release: an image without a name")
		case seen[i.Name]:
			return Release{}, fmt.Errorf("decode release: image %s is listed twice", i.Name)
		case !digestRE.MatchString(i.Digest):
			return Release{}, fmt.Errorf("decode release: image %s has digest %q, want sha256: and 64 hexadecimal digits", i.Name, i.Digest)
		}
		seen[i.Name] = true
	}
	for _, ref := range r.Pinned {
		// Any algorithm: it is the manifests' text, and smoke knows what to make of it.
		if name, digest, _ := strings.Cut(ref, "@"); name == "" || digest == "" {
			return Release{}, fmt.Errorf("decode release: %q is not pinned, want name@digest", ref)
		}
	}
	if want := New(r.Images, r.Pinned...).ID; r.ID != want {
		return Release{}, fmt.Errorf("decode release: the id is %q but these images have id %q: the record was changed after the render", r.ID, want)
	}
	return r, nil
}
