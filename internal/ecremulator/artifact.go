package ecremulator

import (
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Artifact types that referrers commonly have; see [Referrer].
const (
	ArtifactSPDX           = "application/spdx+json"
	ArtifactCycloneDX      = "application/vnd.cyclonedx+json"
	ArtifactInToto         = "application/vnd.in-toto+json"
	ArtifactSigstoreBundle = "application/vnd.dev.sigstore.bundle.v0.3+json"
	ArtifactNotation       = "application/vnd.cncf.notary.signature"
	ArtifactCosign         = "application/vnd.dev.cosign.artifact.sig.v1+json"
)

// BuildCacheConfig is the media type of BuildKit's cache records.
const BuildCacheConfig = "application/vnd.buildkit.cacheconfig.v0"

// CosignTag returns the tag under which cosign stores what belongs to a digest:
// sha256-<hex>.sig for suffix "sig"; "att" and "sbom" are the others.
func CosignTag(digest, suffix string) string {
	return ReferrersTag(digest) + "." + suffix
}

// ReferrersTag returns the tag of the fallback index that lists a digest's
// referrers where a registry has no referrers API: sha256-<hex>.
func ReferrersTag(digest string) string {
	return strings.ReplaceAll(digest, ":", "-")
}

// CosignSignature returns what cosign sign pushes under [CosignTag]: to ECR it
// looks like an OCI image, down to the config's media type.
func CosignSignature(subject Content) Content {
	payload := marshal(map[string]any{"critical": map[string]any{
		"identity": map[string]string{"docker-reference": ""},
		"image":    map[string]string{"docker-manifest-digest": subject.Digest()},
		"type":     "cosign container image signature",
	}, "optional": nil})
	config := marshal(map[string]any{
		"architecture": "", "created": "0001-01-01T00:00:00Z", "os": "", "config": map[string]any{},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{digestOf(payload)}},
	})
	layer := describe(payload, "application/vnd.dev.cosign.simplesigning.v1+json")
	layer.Annotations = map[string]string{"dev.cosignproject.cosign/signature": "MEUCIQ=="}
	return buildManifest(v1.Manifest{
		SchemaVersion: 2,
		MediaType:     types.OCIManifestSchema1,
		Config:        describe(config, types.OCIConfigJSON),
		Layers:        []v1.Descriptor{layer},
	}, config, payload)
}

// Referrer returns an OCI 1.1 artifact that refers to subject: a signature, an
// SBOM or an attestation, by its artifact type.
func Referrer(subject Content, artifactType string, payload []byte) Content {
	empty := []byte("{}")
	to := subject.descriptor
	to.Platform = nil
	return buildManifest(v1.Manifest{
		SchemaVersion: 2,
		MediaType:     types.OCIManifestSchema1,
		ArtifactType:  artifactType,
		Config:        describe(empty, emptyConfigType),
		Layers:        []v1.Descriptor{describe(payload, types.MediaType(artifactType))},
		Subject:       &to,
		Annotations:   map[string]string{"org.opencontainers.image.created": "1970-01-01T00:00:00Z"},
	}, empty, payload)
}

// ReferrersIndex returns the fallback index of referrers, for [ReferrersTag].
func ReferrersIndex(referrers ...Content) Content {
	return buildIndex(types.OCIImageIndex, referrers...)
}

// Index returns an OCI index of images.
func Index(children ...Content) Content {
	return buildIndex(types.OCIImageIndex, children...)
}

// ManifestList returns a Docker manifest list of images.
func ManifestList(children ...Content) Content {
	return buildIndex(types.DockerManifestList, children...)
}

// MultiArch returns an OCI index with an image for each platform, such as
// linux/amd64.
func MultiArch(seed string, platforms ...string) Content {
	children := make([]Content, len(platforms))
	for i, p := range platforms {
		children[i] = OCIImage(seed+" "+p, WithPlatform(p))
	}
	return Index(children...)
}

// BuildxIndex returns what docker buildx pushes by default: an OCI index with,
// for each platform, an image and a provenance attestation whose platform is
// unknown/unknown.
func BuildxIndex(seed string, platforms ...string) Content {
	var children []Content
	for _, p := range platforms {
		image := OCIImage(seed+" "+p, WithPlatform(p))
		children = append(children, image, buildxAttestation(image))
	}
	return Index(children...)
}

func buildxAttestation(image Content) Content {
	statement := marshal(map[string]any{
		"_type":         "https://in-toto.io/Statement/v0.1",
		"predicateType": "https://slsa.dev/provenance/v0.2",
		"subject":       []any{map[string]any{"name": "_", "digest": map[string]string{"sha256": image.Digest()[len("sha256:"):]}}},
		"predicate":     map[string]any{"buildType": "https://mobyproject.org/buildkit@v1"},
	})
	config := marshal(v1.ConfigFile{
		Architecture: "unknown", OS: "unknown",
		RootFS: v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{Must(v1.NewHash(digestOf(statement)))}},
	})
	layer := describe(statement, "application/vnd.in-toto+json")
	layer.Annotations = map[string]string{"in-toto.io/predicate-type": "https://slsa.dev/provenance/v0.2"}
	c := buildManifest(v1.Manifest{
		SchemaVersion: 2,
		MediaType:     types.OCIManifestSchema1,
		Config:        describe(config, types.OCIConfigJSON),
		Layers:        []v1.Descriptor{layer},
	}, config, statement)
	c.descriptor.Platform = &v1.Platform{Architecture: "unknown", OS: "unknown"}
	c.descriptor.Annotations = map[string]string{
		"vnd.docker.reference.digest": image.Digest(),
		"vnd.docker.reference.type":   "attestation-manifest",
	}
	return c
}

// BuildCache returns a BuildKit registry cache as an image manifest, which is
// what image-manifest=true makes and ECR takes.
func BuildCache(seed string) Content {
	record := marshal(map[string]any{"layers": []any{}, "records": []any{map[string]any{"digest": digestOf([]byte(seed))}}})
	layer, _ := layerOf("cache " + seed)
	return buildManifest(v1.Manifest{
		SchemaVersion: 2,
		MediaType:     types.OCIManifestSchema1,
		Config:        describe(record, BuildCacheConfig),
		Layers:        []v1.Descriptor{describe(layer, types.OCILayer)},
	}, record, layer)
}

// BuildCacheIndex returns a BuildKit registry cache in its older form, an index
// whose entries are layers and a cache record. ECR refuses it on the wire; the
// Go API stores it, for readers that must cope with other registries' copies.
func BuildCacheIndex(seed string) Content {
	record := marshal(map[string]any{"layers": []any{}, "records": []any{map[string]any{"digest": digestOf([]byte(seed))}}})
	layer, _ := layerOf("cache " + seed)
	return ManifestContent(marshal(v1.IndexManifest{
		SchemaVersion: 2,
		MediaType:     types.OCIImageIndex,
		Manifests:     []v1.Descriptor{describe(layer, types.OCILayer), describe(record, BuildCacheConfig)},
	}), string(types.OCIImageIndex), record, layer)
}

// HelmChart returns a chart as helm push stores it.
func HelmChart(name, version string) Content {
	config := marshal(map[string]string{"apiVersion": "v2", "name": name, "version": version})
	chart, _ := layerOf("chart " + name + " " + version)
	return buildManifest(v1.Manifest{
		SchemaVersion: 2,
		MediaType:     types.OCIManifestSchema1,
		Config:        describe(config, "application/vnd.cncf.helm.config.v1+json"),
		Layers:        []v1.Descriptor{describe(chart, "application/vnd.cncf.helm.chart.content.v1.tar+gzip")},
		Annotations:   map[string]string{"org.opencontainers.image.title": name, "org.opencontainers.image.version": version},
	}, config, chart)
}

// buildIndex lists children, which are pushed along with it.
func buildIndex(mediaType types.MediaType, children ...Content) Content {
	m := v1.IndexManifest{SchemaVersion: 2, MediaType: mediaType, Manifests: []v1.Descriptor{}}
	for _, c := range children {
		d := c.descriptor
		if f, err := parseManifest(c.manifest, c.mediaType); err == nil && f.subject != "" {
			d.ArtifactType = f.artifactType
		}
		m.Manifests = append(m.Manifests, d)
	}
	c := ManifestContent(marshal(m), string(mediaType))
	c.children = append([]Content(nil), children...)
	return c
}
