package ecremulator

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"maps"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// emptyJSONDigest is the digest of {}, the config of artifacts without one.
const emptyJSONDigest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

const emptyConfigType types.MediaType = "application/vnd.oci.empty.v1+json"

// Content is a manifest with everything it names, ready to be pushed. It never
// changes, and may be pushed to any number of repositories.
type Content struct {
	manifest   []byte
	mediaType  string
	children   []Content
	blobs      map[string][]byte
	descriptor v1.Descriptor
}

// Digest returns the digest of the manifest, sha256:<hex>.
func (c Content) Digest() string { return digestOf(c.manifest) }

// Manifest returns a copy of the manifest's bytes.
func (c Content) Manifest() []byte { return bytes.Clone(c.manifest) }

// MediaType returns the manifest's media type.
func (c Content) MediaType() string { return c.mediaType }

// Children returns what an index lists, in its order; nil for the rest.
func (c Content) Children() []Content { return append([]Content(nil), c.children...) }

// ManifestContent returns content with a manifest given byte by byte, and the
// blobs it names. The manifest is checked when it is pushed.
func ManifestContent(manifest []byte, mediaType string, blobs ...[]byte) Content {
	c := Content{manifest: bytes.Clone(manifest), mediaType: mediaType, blobs: map[string][]byte{}}
	for _, b := range blobs {
		c.blobs[digestOf(b)] = bytes.Clone(b)
	}
	c.descriptor = describe(c.manifest, types.MediaType(mediaType))
	return c
}

// imageConfig is what the options of an image set.
type imageConfig struct {
	platform    v1.Platform
	created     time.Time
	labels      map[string]string
	annotations map[string]string
}

// ImageOption changes an image as it is built.
type ImageOption func(*imageConfig)

// WithPlatform sets the platform, such as linux/arm64 or linux/arm/v7.
// Optional; the default is linux/amd64.
func WithPlatform(platform string) ImageOption {
	return func(c *imageConfig) {
		parts := strings.SplitN(platform, "/", 3)
		c.platform = v1.Platform{OS: parts[0]}
		if len(parts) > 1 {
			c.platform.Architecture = parts[1]
		}
		if len(parts) > 2 {
			c.platform.Variant = parts[2]
		}
	}
}

// WithCreated sets the creation time in the image's config, which ECR never
// looks at. Optional; the default is the Unix epoch, as reproducible builds do.
func WithCreated(t time.Time) ImageOption {
	return func(c *imageConfig) { c.created = t }
}

// WithLabels adds labels to the image's config, such as
// org.opencontainers.image.revision. Optional.
func WithLabels(labels map[string]string) ImageOption {
	return func(c *imageConfig) { c.labels = maps.Clone(labels) }
}

// WithAnnotations adds annotations to the manifest. Optional; an OCI image
// only.
func WithAnnotations(annotations map[string]string) ImageOption {
	return func(c *imageConfig) { c.annotations = maps.Clone(annotations) }
}

func newImageConfig(opts []ImageOption) imageConfig {
	c := imageConfig{platform: v1.Platform{OS: "linux", Architecture: "amd64"}, created: time.Unix(0, 0).UTC()}
	for _, o := range opts {
		o(&c)
	}
	return c
}

// OCIImage returns an OCI image of one layer holding a file with the text
// seed. Equal arguments give equal digests.
func OCIImage(seed string, opts ...ImageOption) Content {
	return buildImage(seed, newImageConfig(opts), types.OCIManifestSchema1, types.OCIConfigJSON, types.OCILayer)
}

// DockerImage returns a Docker image, manifest version 2 schema 2, of one
// layer holding a file with the text seed. Equal arguments give equal digests.
func DockerImage(seed string, opts ...ImageOption) Content {
	return buildImage(seed, newImageConfig(opts), types.DockerManifestSchema2, types.DockerConfigJSON, types.DockerLayer)
}

func buildImage(seed string, c imageConfig, manifestType, configType, layerType types.MediaType) Content {
	layer, diffID := layerOf(seed)
	config := marshal(v1.ConfigFile{
		Architecture: c.platform.Architecture,
		OS:           c.platform.OS,
		Variant:      c.platform.Variant,
		Created:      v1.Time{Time: c.created},
		Config:       v1.Config{Labels: c.labels, Cmd: []string{"/seed"}},
		RootFS:       v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{diffID}},
		History:      []v1.History{{Created: v1.Time{Time: c.created}, CreatedBy: "COPY seed /seed"}},
	})
	built := buildManifest(v1.Manifest{
		SchemaVersion: 2,
		MediaType:     manifestType,
		Config:        describe(config, configType),
		Layers:        []v1.Descriptor{describe(layer, layerType)},
		Annotations:   c.annotations,
	}, config, layer)
	built.descriptor.Platform = &c.platform
	return built
}

func buildManifest(m v1.Manifest, blobs ...[]byte) Content {
	return ManifestContent(marshal(m), string(m.MediaType), blobs...)
}

func describe(b []byte, mediaType types.MediaType) v1.Descriptor {
	return v1.Descriptor{MediaType: mediaType, Size: int64(len(b)), Digest: Must(v1.NewHash(digestOf(b)))}
}

// layerOf returns a gzipped tar with one file, and the digest of the tar.
func layerOf(seed string) ([]byte, v1.Hash) {
	var plain bytes.Buffer
	t := tar.NewWriter(&plain)
	// A bytes.Buffer refuses nothing, so none of these can fail.
	_ = t.WriteHeader(&tar.Header{Name: "seed", Mode: 0o644, Size: int64(len(seed)), Typeflag: tar.TypeReg})
	_, _ = t.Write([]byte(seed))
	_ = t.Close()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(plain.Bytes())
	_ = z.Close()
	return packed.Bytes(), Must(v1.NewHash(digestOf(plain.Bytes())))
}

// marshal encodes a value of this package's making, which cannot fail.
func marshal(v any) []byte {
	return Must(json.Marshal(v))
}
