package ecremulator

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// facts is what the registry needs to know of a manifest.
type facts struct {
	mediaType    string
	artifactType string
	subject      string
	children     []string // manifests an index lists
	listed       int      // entries of an index, whatever they are
	blobs        []string // config and layers
	size         int64    // of the blobs
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// parseManifest reads a manifest. declared is the media type that came with
// it; the one inside wins, and one of the two must be there.
func parseManifest(b []byte, declared string) (facts, error) {
	var m struct {
		SchemaVersion int64           `json:"schemaVersion"`
		MediaType     string          `json:"mediaType"`
		ArtifactType  string          `json:"artifactType"`
		Config        *v1.Descriptor  `json:"config"`
		Layers        []v1.Descriptor `json:"layers"`
		Manifests     []v1.Descriptor `json:"manifests"`
		Subject       *v1.Descriptor  `json:"subject"`
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return facts{}, fmt.Errorf("parse manifest: %w: %w", ErrInvalidManifest, err)
	}
	f := facts{mediaType: m.MediaType, artifactType: m.ArtifactType}
	if f.mediaType == "" {
		f.mediaType = declared
	}
	if m.SchemaVersion != 2 {
		return facts{}, fmt.Errorf("parse manifest: schemaVersion is %d, want 2: %w", m.SchemaVersion, ErrInvalidManifest)
	}
	if m.Subject != nil {
		f.subject = m.Subject.Digest.String()
	}
	switch types.MediaType(f.mediaType) {
	case types.OCIManifestSchema1, types.DockerManifestSchema2:
		if m.Config == nil {
			return facts{}, fmt.Errorf("parse manifest: no config: %w", ErrInvalidManifest)
		}
		if f.artifactType == "" {
			f.artifactType = string(m.Config.MediaType)
		}
		for _, d := range append([]v1.Descriptor{*m.Config}, m.Layers...) {
			f.blobs = append(f.blobs, d.Digest.String())
			f.size += d.Size
		}
	case types.OCIImageIndex, types.DockerManifestList:
		f.listed = len(m.Manifests)
		for _, d := range m.Manifests {
			// A build cache lists layers and a config here; those are blobs.
			if d.MediaType.IsIndex() || d.MediaType.IsImage() {
				f.children = append(f.children, d.Digest.String())
				continue
			}
			f.blobs = append(f.blobs, d.Digest.String())
			f.size += d.Size
		}
	default:
		return facts{}, fmt.Errorf("parse manifest: media type %q is not stored: %w", f.mediaType, ErrInvalidManifest)
	}
	return f, nil
}
