package ecremulator_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"github.com/proerror77/nova-staging/internal/ecremulator"
)

func TestHowECRReportsEachKindOfContent(t *testing.T) {
	t.Parallel()
	const (
		ociManifest = "application/vnd.oci.image.manifest.v1+json"
		ociConfig   = "application/vnd.oci.image.config.v1+json"
		ociIndex    = "application/vnd.oci.image.index.v1+json"
	)
	image := ecremulator.OCIImage("image")
	sbom := ecremulator.Referrer(image, ecremulator.ArtifactSPDX, []byte(`{"spdxVersion":"SPDX-2.3"}`))
	tests := []struct {
		name     string
		content  ecremulator.Content
		tag      string
		manifest string
		artifact string
		subject  string
		images   int // that the push adds
	}{
		{"a Docker image", ecremulator.DockerImage("d"), "d", "application/vnd.docker.distribution.manifest.v2+json", "application/vnd.docker.container.image.v1+json", "", 1},
		{"an OCI image", image, "o", ociManifest, ociConfig, "", 1},
		{"a Docker manifest list", ecremulator.ManifestList(ecremulator.DockerImage("l")), "l", "application/vnd.docker.distribution.manifest.list.v2+json", "", "", 2},
		{"an OCI index", ecremulator.MultiArch("m", "linux/amd64", "linux/arm64"), "m", ociIndex, "", "", 3},
		{"a buildx index with attestations", ecremulator.BuildxIndex("x", "linux/amd64", "linux/arm64"), "x", ociIndex, "", "", 5},
		{"a cosign signature", ecremulator.CosignSignature(image), ecremulator.CosignTag(image.Digest(), "sig"), ociManifest, ociConfig, "", 1},
		{"a referrer", sbom, "", ociManifest, ecremulator.ArtifactSPDX, image.Digest(), 1},
		{"the fallback index of referrers", ecremulator.ReferrersIndex(sbom), ecremulator.ReferrersTag(image.Digest()), ociIndex, "", "", 2},
		{"a build cache as a manifest", ecremulator.BuildCache("c"), "buildcache", ociManifest, ecremulator.BuildCacheConfig, "", 1},
		{"a build cache as an index", ecremulator.BuildCacheIndex("c"), "buildcache", ociIndex, "", "", 1},
		{"a Helm chart", ecremulator.HelmChart("nova", "1.2.3"), "1.2.3", ociManifest, "application/vnd.cncf.helm.config.v1+json", "", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			var tags []string
			if tt.tag != "" {
				tags = append(tags, tt.tag)
			}
			digest := must(f.repository.Push(tt.content, tags...))
			d := f.describe(t, byDigest(digest)...)[0]
			got := []string{*d.ImageManifestMediaType, aws.ToString(d.ArtifactMediaType), aws.ToString(d.SubjectManifestDigest)}
			if diff := cmp.Diff([]string{tt.manifest, tt.artifact, tt.subject}, got); diff != "" {
				t.Errorf("details differ (-want +got):\n%s", diff)
			}
			if f.repository.Len() != tt.images {
				t.Errorf("%d images, want %d", f.repository.Len(), tt.images)
			}
			if *d.ImageSizeInBytes <= 0 {
				t.Errorf("size is %d", *d.ImageSizeInBytes)
			}
		})
	}
}

func TestContentIsReproducibleAndDistinct(t *testing.T) {
	t.Parallel()
	a, b := ecremulator.OCIImage("a"), ecremulator.OCIImage("b")
	if a.Digest() != ecremulator.OCIImage("a").Digest() || a.Digest() == b.Digest() {
		t.Error("the seed does not decide the digest")
	}
	if c := ecremulator.OCIImage("a", ecremulator.WithPlatform("linux/arm/v7")); c.Digest() == a.Digest() {
		t.Error("the platform does not change the digest")
	}
	x := ecremulator.BuildxIndex("x", "linux/amd64")
	for _, want := range []string{`"vnd.docker.reference.type":"attestation-manifest"`, `"architecture":"unknown","os":"unknown"`, x.Children()[0].Digest()} {
		if !strings.Contains(string(x.Manifest()), want) {
			t.Errorf("buildx index holds no %s:\n%s", want, x.Manifest())
		}
	}
}
