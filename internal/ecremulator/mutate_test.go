package ecremulator_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-cmp/cmp"

	"github.com/proerror77/nova-staging/internal/ecremulator"
)

func TestPutImage(t *testing.T) {
	t.Parallel()
	one, index, cache := ecremulator.OCIImage("one"), ecremulator.MultiArch("two", "linux/amd64"), ecremulator.BuildCacheIndex("c")
	tests := []struct {
		name  string
		fixed []ecremulator.RepositoryOption
		in    ecr.PutImageInput
		code  string
	}{
		{"another tag for an image that is there", nil, ecr.PutImageInput{ImageManifest: aws.String(string(one.Manifest())), ImageTag: aws.String("v2")}, ""},
		{"the same tag again", nil, ecr.PutImageInput{ImageManifest: aws.String(string(one.Manifest())), ImageTag: aws.String("v1")}, "ImageAlreadyExistsException"},
		{"the same image without a tag", nil, ecr.PutImageInput{ImageManifest: aws.String(string(one.Manifest()))}, "ImageAlreadyExistsException"},
		{
			"a tag that may not move",
			[]ecremulator.RepositoryOption{ecremulator.WithImmutableTags()},
			ecr.PutImageInput{ImageManifest: aws.String(string(one.Manifest())), ImageTag: aws.String("v1")},
			"ImageTagAlreadyExistsException",
		},
		{
			"a tag that is left out of immutability",
			[]ecremulator.RepositoryOption{ecremulator.WithImmutableTags("v*")},
			ecr.PutImageInput{ImageManifest: aws.String(string(one.Manifest())), ImageTag: aws.String("v1")},
			"ImageAlreadyExistsException",
		},
		{"another digest than the manifest's", nil, ecr.PutImageInput{ImageManifest: aws.String(string(one.Manifest())), ImageDigest: aws.String("sha256:00")}, "ImageDigestDoesNotMatchException"},
		{"an index of images that are missing", nil, ecr.PutImageInput{ImageManifest: aws.String(string(index.Manifest())), ImageTag: aws.String("v3")}, "ReferencedImagesNotFoundException"},
		{"layers that are missing", nil, ecr.PutImageInput{ImageManifest: aws.String(string(ecremulator.OCIImage("x").Manifest()))}, "LayersNotFoundException"},
		{"a build cache as an index", nil, ecr.PutImageInput{ImageManifest: aws.String(string(cache.Manifest()))}, "InvalidParameterException"},
		{"no manifest", nil, ecr.PutImageInput{ImageManifest: aws.String("")}, "InvalidParameterException"},
		{"a manifest that is no JSON", nil, ecr.PutImageInput{ImageManifest: aws.String("{")}, "InvalidParameterException"},
		{"a tag that is none", nil, ecr.PutImageInput{ImageManifest: aws.String(string(one.Manifest())), ImageTag: aws.String("a b")}, "InvalidParameterException"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			r := must(f.registry.CreateRepository("app", tt.fixed...))
			must(r.Push(one, "v1"))
			tt.in.RepositoryName = aws.String("app")
			_, err := f.client().PutImage(t.Context(), &tt.in)
			wantCode(t, err, tt.code)
		})
	}
}

func TestBatchDeleteImage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	one := must(f.repository.Push(ecremulator.OCIImage("one"), "v1", "latest"))
	index := ecremulator.MultiArch("two", "linux/amd64")
	must(f.repository.Push(index, "v2"))
	child := index.Children()[0].Digest()
	del := func(ids ...types.ImageIdentifier) *ecr.BatchDeleteImageOutput {
		t.Helper()
		out, err := f.client().BatchDeleteImage(t.Context(), &ecr.BatchDeleteImageInput{RepositoryName: aws.String(repo), ImageIds: ids})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if out := del(byTag("v1")...); len(out.Failures) != 0 || f.repository.Len() != 3 {
		t.Errorf("deleting one of two tags left %d images, failures %v", f.repository.Len(), out.Failures)
	}
	if diff := cmp.Diff([]string{"latest"}, must(f.repository.Image(one)).Tags); diff != "" {
		t.Errorf("tags differ (-want +got):\n%s", diff)
	}
	if out := del(byTag("latest")...); len(out.ImageIds) != 1 || f.repository.Len() != 2 {
		t.Errorf("deleting the last tag left %d images", f.repository.Len())
	}
	if out := del(byDigest(child)...); len(out.Failures) != 1 || out.Failures[0].FailureCode != types.ImageFailureCodeImageReferencedByManifestList {
		t.Errorf("deleting a child gave failures %v", out.Failures)
	}
	del(byDigest(index.Digest())...)
	if out := del(byDigest(child)...); len(out.Failures) != 0 || f.repository.Len() != 0 {
		t.Errorf("deleting index, then child left %d images, failures %v", f.repository.Len(), out.Failures)
	}
}
