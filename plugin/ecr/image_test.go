package ecr

import (
	"fmt"
	"strings"
	"testing"

	em "github.com/proerror77/nova-staging/internal/ecremulator"
)

func TestOnlyWhatCanBeRunCountsAsAnImage(t *testing.T) {
	t.Parallel()
	app := em.OCIImage("app")
	chart := em.HelmChart("nova", "1.2.3")
	signature := em.Referrer(app, em.ArtifactSigstoreBundle, []byte("s"))
	sbom := em.Referrer(app, em.ArtifactSPDX, []byte("b"))
	for name, c := range map[string]struct {
		content  em.Content
		pushed   []em.Content // before it, to the same repository
		tag      string       // default "x"
		describe string       // why not, by DescribeImages; "" when that can not tell
		manifest string       // why not, by the manifest
		byTag    string       // why not, by the tag
	}{
		"an OCI image":                          {content: app},
		"an OCI image for another platform":     {content: em.OCIImage("arm", em.WithPlatform("linux/arm64"))},
		"a Docker image":                        {content: em.DockerImage("app")},
		"an index of two platforms":             {content: em.MultiArch("app", "linux/amd64", "linux/arm64")},
		"a Docker manifest list":                {content: em.ManifestList(em.DockerImage("a"), em.DockerImage("b"))},
		"an index with provenance, from buildx": {content: em.BuildxIndex("app", "linux/amd64", "linux/arm64")},
		"an index of indexes":                   {content: em.Index(em.MultiArch("app", "linux/amd64"))},
		"a build cache in an image manifest":    {content: em.BuildCache("c"), describe: "a build cache", manifest: "a build cache"},
		"a build cache in an index":             {content: em.BuildCacheIndex("c"), manifest: "a build cache"},
		"a Helm chart":                          {content: chart, describe: "a Helm chart", manifest: "a Helm chart"},
		"a cosign signature": {
			content: em.CosignSignature(app), tag: em.CosignTag(app.Digest(), "sig"),
			manifest: "a signature", byTag: "a signature or attestation by its tag",
		},
		"a sigstore bundle":    {content: signature, pushed: []em.Content{app}, describe: "refers to sha256:", manifest: "a signature"},
		"an SPDX SBOM":         {content: sbom, pushed: []em.Content{app}, describe: "an SBOM", manifest: "an SBOM"},
		"a CycloneDX SBOM":     {content: em.Referrer(app, em.ArtifactCycloneDX, nil), pushed: []em.Content{app}, describe: "an SBOM", manifest: "an SBOM"},
		"an in-toto statement": {content: em.Referrer(app, em.ArtifactInToto, nil), pushed: []em.Content{app}, describe: "an attestation", manifest: "an attestation"},
		"a notation signature": {content: em.Referrer(app, em.ArtifactNotation, nil), pushed: []em.Content{app}, describe: "a signature", manifest: "a signature"},
		"a cosign OCI 1.1 sig": {content: em.Referrer(app, em.ArtifactCosign, nil), pushed: []em.Content{app}, describe: "a signature", manifest: "a signature"},
		"an unknown referrer":  {content: em.Referrer(app, "application/x.test", nil), pushed: []em.Content{app}, describe: "an artifact of type application/x.test", manifest: "an artifact of type application/x.test"},
		"an index of referrers": {
			content: em.ReferrersIndex(signature, sbom), pushed: []em.Content{app, signature, sbom}, tag: em.ReferrersTag(app.Digest()),
			manifest: "an index without any image", byTag: "a signature or attestation by its tag",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for _, p := range c.pushed {
				must(w.repository.Push(p))
			}
			if c.tag == "" {
				c.tag = "x"
			}
			must(w.repository.Push(c.content, c.tag))
			client := w.client(t)
			check := func(from, got, want string) {
				t.Helper()
				if (got == "") != (want == "") || !strings.Contains(got, want) {
					t.Errorf("%s says %q, want %q", from, got, want)
				}
			}
			image, err := client.DescribeTag(t.Context(), auth, c.tag)
			if err != nil {
				t.Fatal(err)
			}
			check("DescribeImages", image.NotImage(), c.describe)
			check("the tag", NotImageTag(c.tag), c.byTag)
			found, err := client.Find(t.Context(), auth, []string{c.tag})
			if err != nil {
				t.Fatal(err)
			}
			check("the manifest", found[c.tag].NotImage(), c.manifest)
			// Whoever trusts DescribeImages alone must not be wrong.
			if image.Conclusive() && image.NotImage() == "" && c.byTag == "" && c.manifest != "" {
				t.Errorf("DescribeImages is conclusive, and wrong")
			}
		})
	}
}

func TestManifestsThatNoBuilderMakes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mediaType, body string
		want            string
	}{
		"nothing but a media type":                     {mediaOCIManifest, "", ""},
		"no JSON":                                      {mediaOCIManifest, "<html>", ""},
		"a signed schema 1 manifest":                   {mediaDockerSchema1, `{"schemaVersion":1,"name":"x","fsLayers":[]}`, ""},
		"a media type that is not a manifest's":        {"application/json", "{}", "has media type application/json"},
		"an image without media types":                 {"", `{"schemaVersion":2,"config":{"digest":"sha256:aa"},"layers":[{"digest":"sha256:bb"}]}`, ""},
		"an index that lists nothing":                  {mediaOCIIndex, `{"schemaVersion":2,"manifests":[]}`, "an index without any image (it lists nothing)"},
		"an index that says so itself":                 {"", `{"schemaVersion":2,"mediaType":"` + mediaOCIIndex + `"}`, "an index without any image (it lists nothing)"},
		"an index of attestations":                     {mediaOCIIndex, `{"manifests":[{"mediaType":"` + mediaOCIManifest + `","annotations":{"vnd.docker.reference.type":"attestation-manifest"}}]}`, "an index without any image (an attestation)"},
		"an index of layers":                           {mediaOCIIndex, `{"manifests":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip"}]}`, "an index without any image"},
		"a build cache's record after its layers":      {mediaOCIIndex, `{"manifests":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip"},{"mediaType":"` + mediaBuildCache + `"}]}`, "a build cache"},
		"an artifact with an empty configuration":      {mediaOCIManifest, `{"artifactType":"application/vnd.example","config":{"mediaType":"application/vnd.oci.empty.v1+json"}}`, "an artifact of type application/vnd.example"},
		"an attestation with an image's configuration": {mediaOCIManifest, `{"config":{"mediaType":"` + mediaOCIConfig + `"},"layers":[{"mediaType":"application/vnd.in-toto+json"}]}`, "an attestation"},
		"what refers to another, made like an image":   {mediaOCIManifest, `{"config":{"mediaType":"` + mediaOCIConfig + `"},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip"}],"subject":{"digest":"sha256:aa"}}`, "refers to sha256:aa"},
		"an image of zstd layers":                      {mediaOCIManifest, `{"config":{"mediaType":"` + mediaOCIConfig + `"},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+zstd"}]}`, ""},
		"an image of foreign layers":                   {mediaDockerManifest, `{"config":{"mediaType":"` + mediaDockerConfig + `"},"layers":[{"mediaType":"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"}]}`, ""},
		"an image without layers":                      {mediaOCIManifest, `{"config":{"mediaType":"` + mediaOCIConfig + `"},"layers":[]}`, ""},
		"a type that would break the line":             {"a\n\x1b[31mb", "", "has media type a [31mb"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := (Manifest{Digest: digestOf("a"), MediaType: c.mediaType, Body: c.body}).NotImage(); got != c.want && (c.want == "" || !strings.HasPrefix(got, c.want)) {
				t.Errorf("says %q, want %q", got, c.want)
			}
		})
	}
}

// An archived image keeps its tags and can not be pulled.
func TestOnlyAnActiveImageCounts(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]string{
		"": "", "ACTIVE": "", "ARCHIVED": "is archived, not active", "ACTIVATING": "is activating, not active",
	} {
		if got := (Image{MediaType: mediaOCIManifest, ArtifactType: mediaOCIConfig, Status: status}).NotImage(); got != want {
			t.Errorf("of status %q: %q, want %q", status, got, want)
		}
	}
}

func TestTagsThatCosignAndReferrersMake(t *testing.T) {
	t.Parallel()
	hex := strings.Repeat("0a", 32)
	for tag, artifact := range map[string]bool{
		"sha256-" + hex: true, "sha256-" + hex + ".sig": true, "sha256-" + hex + ".att": true, "sha256-" + hex + ".sbom": true,
		hex[:40]: false, "v1.2.3": false, "sha256-" + hex[:63]: false, "x-sha256-" + hex: false, "latest": false, "buildcache": false,
	} {
		if got := NotImageTag(tag) != ""; got != artifact {
			t.Errorf("%s: artifact %v, want %v", tag, got, artifact)
		}
	}
}

func TestConclusiveOnlyWhenMediaTypesAreKnown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		image Image
		want  bool
	}{
		{Image{MediaType: mediaOCIManifest, ArtifactType: mediaOCIConfig}, true},
		{Image{MediaType: mediaDockerManifest, ArtifactType: mediaDockerConfig}, true},
		{Image{MediaType: mediaOCIIndex}, false},
		{Image{MediaType: mediaDockerList, ArtifactType: mediaDockerConfig}, false},
		{Image{MediaType: mediaOCIManifest}, false},
		{Image{}, false},
	} {
		if got := c.image.Conclusive(); got != c.want {
			t.Errorf("%+v: %v, want %v", c.image, got, c.want)
		}
	}
}

func FuzzManifestNotImage(f *testing.F) {
	for _, c := range []em.Content{em.OCIImage("x"), em.BuildCacheIndex("x"), em.HelmChart("a", "1.0.0"), em.BuildxIndex("x", "linux/amd64")} {
		f.Add(c.MediaType(), string(c.Manifest()))
	}
	f.Add("", "null")
	f.Add(mediaOCIIndex, `{"manifests":[null]}`)
	f.Fuzz(func(t *testing.T, mediaType, body string) {
		why := Manifest{MediaType: mediaType, Body: body}.NotImage()
		if strings.ContainsAny(why, "\n\r\x1b") {
			t.Errorf("reason is not one line: %q", why)
		}
		if len(why) > 4*maxDetail+100 {
			t.Errorf("reason has %d bytes", len(why))
		}
		_ = fmt.Sprint(Image{MediaType: mediaType, ArtifactType: body, Status: mediaType}.NotImage())
	})
}
