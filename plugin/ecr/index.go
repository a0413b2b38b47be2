package ecr

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
)

// Part is an image that is pulled when a digest is: the digest's own, or one
// that an index lists for a platform.
type Part struct {
	// Digest of the image, "sha256:…".
	Digest string
	// Platform, for example "linux/arm64". Empty for an image that no index lists.
	Platform string
}

// maxParts bounds what an index may list: each part costs a call.
const maxParts = 64

// Index is true for a manifest that lists others.
func (m Manifest) Index() bool {
	var doc struct {
		MediaType string            `json:"mediaType"`
		Manifests []json.RawMessage `json:"manifests"`
	}
	_ = json.Unmarshal([]byte(m.Body), &doc) // no JSON is no index by its content
	return isIndex(cmp.Or(m.MediaType, doc.MediaType)) || len(doc.Manifests) > 0
}

// Parts lists the images that can be pulled by the manifest's digest: itself, or
// what it lists as an index, attestations and the like left out. A manifest that
// can not be read for certain is an error.
func (m Manifest) Parts() ([]Part, error) {
	if !m.Index() {
		return []Part{{Digest: m.Digest}}, nil
	}
	var doc struct {
		Manifests []struct {
			descriptor
			Platform struct {
				OS           string `json:"os"`
				Architecture string `json:"architecture"`
				Variant      string `json:"variant"`
			} `json:"platform"`
		} `json:"manifests"`
	}
	if err := json.Unmarshal([]byte(m.Body), &doc); err != nil {
		return nil, fmt.Errorf("the index is not JSON: %s", clean(err.Error(), nil))
	}
	var parts []Part
	for _, c := range doc.Manifests {
		switch {
		case c.MediaType != "" && !isManifest(c.MediaType), c.ArtifactType != "" && !isConfig(c.ArtifactType),
			c.Annotations["vnd.docker.reference.type"] != "":
			continue
		case isIndex(c.MediaType):
			return nil, errors.New("the index lists another index")
		case !digestRE.MatchString(c.Digest):
			return nil, errors.New("the index lists an image without a valid digest")
		}
		platform := c.Platform.OS + "/" + c.Platform.Architecture
		if c.Platform.Variant != "" {
			platform += "/" + c.Platform.Variant
		}
		if platform == "/" {
			platform = "unknown platform"
		}
		parts = append(parts, Part{Digest: c.Digest, Platform: clean(platform, nil)})
	}
	if len(parts) == 0 || len(parts) > maxParts {
		return nil, fmt.Errorf("the index lists %d images, want 1 to %d", len(parts), maxParts)
	}
	return parts, nil
}
