package ecremulator_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/proerror77/nova-staging/internal/ecremulator"
)

const (
	account = "025434362120"
	region  = "ap-northeast-1"
	repo    = "nova/auth-service"
)

// fixture is a server with one registry that holds one empty repository.
type fixture struct {
	*ecremulator.Server
	registry   *ecremulator.Registry
	repository *ecremulator.Repository
	clock      *ecremulator.ManualClock
}

func newFixture(t testing.TB, opts ...ecremulator.Option) *fixture {
	t.Helper()
	clock := ecremulator.NewManualClock(time.Date(2026, 3, 4, 5, 6, 7, 891e6, time.UTC))
	s := ecremulator.Start(t, append([]ecremulator.Option{ecremulator.WithClock(clock)}, opts...)...)
	reg := must(s.CreateRegistry(account, region))
	return &fixture{s, reg, must(reg.CreateRepository(repo)), clock}
}

func must[T any](v T, err error) T { return ecremulator.Must(v, err) }

// client returns an SDK client that signs with c and does not retry.
func (f *fixture) client(c ecremulator.Credentials) *ecr.Client {
	return ecr.New(ecr.Options{
		BaseEndpoint:     &f.URL,
		Region:           region,
		Credentials:      credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken),
		RetryMaxAttempts: 1,
	})
}

func TestDescribeImagesReportsEachField(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := ecremulator.OCIImage("one")
	digest := must(f.repository.Push(c, "v1", "latest"))
	out, err := f.client(f.Credentials()).DescribeImages(t.Context(), &ecr.DescribeImagesInput{
		RepositoryName: aws.String(repo),
		ImageIds:       []types.ImageIdentifier{{ImageTag: aws.String("v1")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := out.ImageDetails[0]; *d.ImageDigest != digest || !d.ImagePushedAt.Equal(f.Now()) {
		t.Errorf("got %+v", d)
	}
}
