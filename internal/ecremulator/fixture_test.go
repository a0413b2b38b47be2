package ecremulator_test

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go"

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

func static(c ecremulator.Credentials) aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)
}

// client returns an SDK client with the default credentials that does not
// retry, unless change says otherwise.
func (f *fixture) client(change ...func(*ecr.Options)) *ecr.Client {
	return ecr.New(ecr.Options{
		BaseEndpoint:     &f.URL,
		Region:           region,
		Credentials:      static(f.Credentials()),
		RetryMaxAttempts: 1,
	}, change...)
}

func as(c ecremulator.Credentials) func(*ecr.Options) {
	return func(o *ecr.Options) { o.Credentials = static(c) }
}

func byTag(tags ...string) []types.ImageIdentifier {
	ids := make([]types.ImageIdentifier, len(tags))
	for i := range tags {
		ids[i].ImageTag = &tags[i]
	}
	return ids
}

func byDigest(digests ...string) []types.ImageIdentifier {
	ids := make([]types.ImageIdentifier, len(digests))
	for i := range digests {
		ids[i].ImageDigest = &digests[i]
	}
	return ids
}

func (f *fixture) describe(t testing.TB, ids ...types.ImageIdentifier) []types.ImageDetail {
	t.Helper()
	out, err := f.client().DescribeImages(t.Context(), &ecr.DescribeImagesInput{RepositoryName: aws.String(repo), ImageIds: ids})
	if err != nil {
		t.Fatal(err)
	}
	return out.ImageDetails
}

// wantCode checks the service's error code; an empty one means no error.
func wantCode(t testing.TB, err error, code string) {
	t.Helper()
	got := ""
	var api smithy.APIError
	if errors.As(err, &api) {
		got = api.ErrorCode()
	} else if err != nil {
		got = err.Error()
	}
	if got != code {
		t.Errorf("error code is %q, want %q (%v)", got, code, err)
	}
}
