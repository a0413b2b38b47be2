package ecremulator_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-cmp/cmp"

	"github.com/proerror77/nova-staging/internal/ecremulator"
)

func TestBatchGetImageAnswersEachID(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	one, index := ecremulator.OCIImage("one"), ecremulator.MultiArch("two", "linux/amd64", "linux/arm64")
	must(f.repository.Push(one, "v1", "latest"))
	must(f.repository.Push(index, "v2"))
	gone := must(f.repository.Push(ecremulator.OCIImage("cold"), "cold"))
	if err := f.repository.SetStatus(gone, ecremulator.StatusArchived); err != nil {
		t.Fatal(err)
	}
	ociOnly := []string{"application/vnd.oci.image.manifest.v1+json"}
	tests := []struct {
		name    string
		id      types.ImageIdentifier
		accept  []string
		content *ecremulator.Content
		fail    types.ImageFailureCode
	}{
		{"by tag", byTag("v1")[0], nil, &one, ""},
		{"by digest", byDigest(one.Digest())[0], nil, &one, ""},
		{"by both", types.ImageIdentifier{ImageDigest: aws.String(one.Digest()), ImageTag: aws.String("latest")}, nil, &one, ""},
		{"an index as it is", byTag("v2")[0], nil, &index, ""},
		{"an index that is accepted", byTag("v2")[0], []string{index.MediaType()}, &index, ""},
		{"an index that is not accepted", byTag("v2")[0], ociOnly, nil, types.ImageFailureCodeImageNotFound},
		{"a child of an index", byDigest(index.Children()[1].Digest())[0], ociOnly, &index.Children()[1], ""},
		{"an unknown tag", byTag("nope")[0], nil, nil, types.ImageFailureCodeImageNotFound},
		{"an unknown digest", byDigest("sha256:00")[0], nil, nil, types.ImageFailureCodeImageNotFound},
		{"a digest that is none", byDigest("v1")[0], nil, nil, types.ImageFailureCodeInvalidImageDigest},
		{"a tag that is none", byTag("")[0], nil, nil, types.ImageFailureCodeInvalidImageTag},
		{"a tag of another digest", types.ImageIdentifier{ImageDigest: aws.String(one.Digest()), ImageTag: aws.String("v2")}, nil, nil, types.ImageFailureCodeImageTagDoesNotMatchDigest},
		{"neither tag nor digest", types.ImageIdentifier{}, nil, nil, types.ImageFailureCodeMissingDigestAndTag},
		{"an archived image", byTag("cold")[0], nil, nil, types.ImageFailureCodeImageInaccessible},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			out, err := f.client().BatchGetImage(t.Context(), &ecr.BatchGetImageInput{
				RepositoryName: aws.String(repo), ImageIds: []types.ImageIdentifier{tt.id}, AcceptedMediaTypes: tt.accept,
			})
			if err != nil {
				t.Fatal(err)
			}
			if tt.content == nil {
				if len(out.Failures) != 1 || out.Failures[0].FailureCode != tt.fail || len(out.Images) != 0 {
					t.Fatalf("got failures %v and %d images, want %s", out.Failures, len(out.Images), tt.fail)
				}
				if aws.ToString(out.Failures[0].ImageId.ImageTag) != aws.ToString(tt.id.ImageTag) {
					t.Errorf("failure names tag %v, want %v", out.Failures[0].ImageId.ImageTag, tt.id.ImageTag)
				}
				return
			}
			if len(out.Images) != 1 || len(out.Failures) != 0 {
				t.Fatalf("got %d images and failures %v", len(out.Images), out.Failures)
			}
			got := []string{
				*out.Images[0].ImageManifest, *out.Images[0].ImageManifestMediaType, *out.Images[0].ImageId.ImageDigest,
				aws.ToString(out.Images[0].ImageId.ImageTag), *out.Images[0].RegistryId, *out.Images[0].RepositoryName,
			}
			want := []string{string(tt.content.Manifest()), tt.content.MediaType(), tt.content.Digest(), aws.ToString(tt.id.ImageTag), account, repo}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("image differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBatchGetImageFailsOnlyTheIDsThatAreUnknown(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	must(f.repository.Push(ecremulator.OCIImage("one"), "v1"))
	must(f.repository.Push(ecremulator.OCIImage("two"), "v2"))
	out, err := f.client().BatchGetImage(t.Context(), &ecr.BatchGetImageInput{RepositoryName: aws.String(repo), ImageIds: byTag("v1", "x", "v2", "y")})
	if err != nil || len(out.Images) != 2 || len(out.Failures) != 2 {
		t.Fatalf("got %v and %+v", err, out)
	}
	_, err = f.client().BatchGetImage(t.Context(), &ecr.BatchGetImageInput{RepositoryName: aws.String(repo), ImageIds: byTag(make([]string, 101)...)})
	wantCode(t, err, "InvalidParameterException")
}

func TestAPullIsRecordedOnceADay(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	must(f.repository.Push(ecremulator.OCIImage("one"), "v1"))
	first := f.clock.Advance(time.Minute)
	pull := func() time.Time {
		if _, err := f.client().BatchGetImage(t.Context(), &ecr.BatchGetImageInput{RepositoryName: aws.String(repo), ImageIds: byTag("v1")}); err != nil {
			t.Fatal(err)
		}
		return *f.describe(t, byTag("v1")...)[0].LastRecordedPullTime
	}
	if got := pull(); !got.Equal(first) {
		t.Errorf("first pull is recorded as %v, want %v", got, first)
	}
	f.clock.Advance(23 * time.Hour)
	if got := pull(); !got.Equal(first) {
		t.Errorf("a pull within the day is recorded as %v, want %v", got, first)
	}
	next := f.clock.Advance(2 * time.Hour)
	if got := pull(); !got.Equal(next) {
		t.Errorf("a pull the next day is recorded as %v, want %v", got, next)
	}
}
