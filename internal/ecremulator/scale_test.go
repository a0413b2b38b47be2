package ecremulator_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/proerror77/nova-staging/internal/ecremulator"
)

// full is the most images ECR lets one repository hold.
const full = 100_000

func (f *fixture) seed(t testing.TB, n int) {
	t.Helper()
	start := f.Now()
	err := f.repository.SeedImages(n, func(i int) (string, time.Time) {
		return fmt.Sprintf("%040x", i), start.Add(time.Duration(i) * time.Second)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) count(t testing.TB) int {
	t.Helper()
	p := ecr.NewDescribeImagesPaginator(f.client(), &ecr.DescribeImagesInput{RepositoryName: aws.String(repo), MaxResults: aws.Int32(1000)})
	n := 0
	for p.HasMorePages() {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n += len(out.ImageDetails)
	}
	return n
}

func TestSeededImagesAreLikeOthers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.seed(t, 300)
	f.seed2(t)
	if n := f.count(t); n != 310 {
		t.Errorf("%d images, want 310", n)
	}
	tag := fmt.Sprintf("%040x", 7)
	img := must(f.repository.Image(tag))
	if want := f.Now().Add(7 * time.Second); !img.PushedAt.Equal(want) {
		t.Errorf("pushed at %v, want %v", img.PushedAt, want)
	}
	out, err := f.client().BatchGetImage(t.Context(), &ecr.BatchGetImageInput{RepositoryName: aws.String(repo), ImageIds: byTag(tag)})
	if err != nil || len(out.Images) != 1 || *out.Images[0].ImageManifest != string(img.Manifest) {
		t.Errorf("got %v, %v", out, err)
	}
	if err := f.repository.SeedImages(1, func(int) (string, time.Time) { return "a b", f.Now() }); err == nil {
		t.Error("a tag with a space was taken")
	}
}

// seed2 adds ten more without tags.
func (f *fixture) seed2(t testing.TB) {
	t.Helper()
	if err := f.repository.SeedImages(10, func(int) (string, time.Time) { return "", f.Now() }); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkSeed100k(b *testing.B) {
	for b.Loop() {
		newFixture(b).seed(b, full)
	}
}

func BenchmarkDescribeAll100k(b *testing.B) {
	f := newFixture(b)
	f.seed(b, full)
	for b.Loop() {
		if n := f.count(b); n != full {
			b.Fatal(n)
		}
	}
}

func BenchmarkBatchGet100Of100k(b *testing.B) {
	f := newFixture(b)
	f.seed(b, full)
	var ids []types.ImageIdentifier
	for i := range 100 {
		ids = append(ids, types.ImageIdentifier{ImageTag: aws.String(fmt.Sprintf("%040x", i*997))})
	}
	c := f.client()
	for b.Loop() {
		if _, err := c.BatchGetImage(b.Context(), &ecr.BatchGetImageInput{RepositoryName: aws.String(repo), ImageIds: ids}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPushInto100k(b *testing.B) {
	f := newFixture(b)
	f.seed(b, full)
	for i := 0; b.Loop(); i++ {
		must(f.repository.Push(ecremulator.OCIImage(fmt.Sprint(i))))
	}
}
