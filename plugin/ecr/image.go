package ecr

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Image is what ECR says of one stored manifest.
type Image struct {
	// Digest of the manifest, "sha256:…".
	Digest string
	// Tags that point at it now, in ECR's order.
	Tags []string
	// PushedAt is when the manifest was first pushed, in UTC. Tagging it again
	// does not move it.
	PushedAt time.Time
	// MediaType of the manifest. Empty when the registry did not say.
	MediaType string
	// ArtifactType is the manifest's artifact or configuration media type. Empty
	// for an index.
	ArtifactType string
	// Subject is the digest that this manifest refers to: set for signatures,
	// attestations and SBOMs stored as OCI referrers.
	Subject string
	// Status is ACTIVE, ARCHIVED or ACTIVATING; empty counts as ACTIVE.
	Status string
}

// Manifest is one stored manifest as BatchGetImage gives it.
type Manifest struct {
	Digest    string
	MediaType string
	Body      string
	// Inaccessible is why ECR does not hand the manifest out, for example because
	// the image is archived. Body is empty then, and Digest may be.
	Inaccessible string
}

// Media types of container images, from the OCI and Docker specifications.
const (
	mediaDockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	mediaDockerSchema1  = "application/vnd.docker.distribution.manifest.v1+prettyjws"
	mediaDockerSchema1U = "application/vnd.docker.distribution.manifest.v1+json"
	mediaDockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
	mediaOCIManifest    = "application/vnd.oci.image.manifest.v1+json"
	mediaOCIIndex       = "application/vnd.oci.image.index.v1+json"
	mediaDockerConfig   = "application/vnd.docker.container.image.v1+json"
	mediaOCIConfig      = "application/vnd.oci.image.config.v1+json"
	mediaBuildCache     = "application/vnd.buildkit.cacheconfig.v0"
)

// acceptedMediaTypes has BatchGetImage return every kind of manifest as stored.
var acceptedMediaTypes = []string{
	mediaDockerManifest, mediaDockerList, mediaOCIManifest, mediaOCIIndex, mediaDockerSchema1, mediaDockerSchema1U,
}

// cosignTag is the form of tags that cosign and the OCI referrers fallback give
// to signatures, attestations and SBOMs: sha256-<digest>[.sig|.att|.sbom].
var cosignTag = regexp.MustCompile(`^sha256-[0-9a-f]{64}(\..+)?$`)

// NotImageTag says why a tag can not be that of a container image, or "".
func NotImageTag(tag string) string {
	if cosignTag.MatchString(tag) {
		return "a signature or attestation by its tag"
	}
	return ""
}

// NotImage says why what DescribeImages reports is not a container image that
// can be run, or "" when nothing speaks against it.
func (i Image) NotImage() string {
	switch {
	case i.Subject != "":
		return "refers to " + short(i.Subject) + ": " + describe(i.ArtifactType)
	case i.ArtifactType != "" && !isConfig(i.ArtifactType):
		return describe(i.ArtifactType)
	case i.MediaType != "" && !isManifest(i.MediaType):
		return "has media type " + clean(i.MediaType, nil)
	case i.Status != "" && i.Status != "ACTIVE":
		return "is " + clean(strings.ToLower(i.Status), nil) + ", not active"
	}
	return ""
}

// Conclusive is true when DescribeImages alone tells that this is an image. It
// does not for an index, which may be a build cache, nor for a registry that
// reports no media types.
func (i Image) Conclusive() bool {
	return i.ArtifactType != "" && i.MediaType != "" && !isIndex(i.MediaType)
}

// NotImage says why the manifest is not that of a container image, or "" when
// nothing speaks against it. A manifest that is not JSON is judged by its media
// type alone.
func (m Manifest) NotImage() string {
	if m.Inaccessible != "" {
		return "can not be pulled: " + m.Inaccessible
	}
	if m.MediaType != "" && !isManifest(m.MediaType) {
		return "has media type " + clean(m.MediaType, nil)
	}
	var doc struct {
		MediaType    string      `json:"mediaType"`
		ArtifactType string      `json:"artifactType"`
		Config       *descriptor `json:"config"`
		Layers       []descriptor
		Manifests    []descriptor
		Subject      *descriptor `json:"subject"`
	}
	if err := json.Unmarshal([]byte(m.Body), &doc); err != nil {
		return ""
	}
	switch {
	case doc.Subject != nil && doc.Subject.Digest != "":
		return "refers to " + short(doc.Subject.Digest) + ": " + describe(doc.ArtifactType)
	case doc.ArtifactType != "" && !isConfig(doc.ArtifactType):
		return describe(doc.ArtifactType)
	case doc.Config != nil && doc.Config.MediaType != "" && !isConfig(doc.Config.MediaType):
		return describe(doc.Config.MediaType)
	case len(doc.Layers) > 0 && !anyLayer(doc.Layers):
		return describe(doc.Layers[0].MediaType)
	case len(doc.Manifests) > 0 || isIndex(cmp.Or(m.MediaType, doc.MediaType)):
		return notImageIndex(doc.Manifests)
	}
	return ""
}

type descriptor struct {
	MediaType    string            `json:"mediaType"`
	ArtifactType string            `json:"artifactType"`
	Digest       string            `json:"digest"`
	Annotations  map[string]string `json:"annotations"`
}

// notImageIndex looks for one child that can be run. BuildKit's cache, stored as
// an index, lists layers and its configuration instead; a referrers index lists
// signatures only.
func notImageIndex(children []descriptor) string {
	why := "it lists nothing"
	for _, c := range children {
		switch {
		case c.MediaType == mediaBuildCache:
			return describe(mediaBuildCache)
		case c.MediaType != "" && !isManifest(c.MediaType):
			why = describe(c.MediaType)
		case c.ArtifactType != "" && !isConfig(c.ArtifactType):
			why = describe(c.ArtifactType)
		case c.Annotations["vnd.docker.reference.type"] != "":
			why = "an attestation"
		default:
			return ""
		}
	}
	return "an index without any image (" + why + ")"
}

func anyLayer(layers []descriptor) bool {
	for _, l := range layers {
		if l.MediaType == "" ||
			strings.HasPrefix(l.MediaType, "application/vnd.docker.image.rootfs.") ||
			strings.HasPrefix(l.MediaType, "application/vnd.oci.image.layer.") {
			return true
		}
	}
	return false
}

func isConfig(mediaType string) bool {
	return mediaType == mediaDockerConfig || mediaType == mediaOCIConfig
}

func isIndex(mediaType string) bool {
	return mediaType == mediaDockerList || mediaType == mediaOCIIndex
}

func isManifest(mediaType string) bool {
	switch mediaType {
	case mediaDockerManifest, mediaDockerSchema1, mediaDockerSchema1U, mediaDockerList, mediaOCIManifest, mediaOCIIndex:
		return true
	}
	return false
}

// describe names a kind of artifact for people.
func describe(mediaType string) string {
	switch {
	case mediaType == mediaBuildCache:
		return "a build cache"
	case strings.Contains(mediaType, "cosign") || strings.Contains(mediaType, "notary") || strings.Contains(mediaType, "signature") || strings.Contains(mediaType, "sigstore"):
		return "a signature"
	case strings.Contains(mediaType, "in-toto") || strings.Contains(mediaType, "dsse"):
		return "an attestation"
	case strings.Contains(mediaType, "spdx") || strings.Contains(mediaType, "cyclonedx"):
		return "an SBOM"
	case strings.Contains(mediaType, "helm"):
		return "a Helm chart"
	case mediaType == "":
		return "an artifact"
	}
	return fmt.Sprintf("an artifact of type %s", clean(mediaType, nil))
}

func short(digest string) string {
	if len(digest) > 19 {
		return digest[:19]
	}
	return digest
}
