package ecremulator_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/proerror77/nova-staging/internal/ecremulator"
)

func TestCallsAreRecordedWithoutSecrets(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, _ = f.client().BatchGetImage(t.Context(), &ecr.BatchGetImageInput{RepositoryName: aws.String(repo), ImageIds: byTag("a", "b")})
	_, _ = f.client().DescribeImages(t.Context(), &ecr.DescribeImagesInput{RepositoryName: aws.String("nova/none"), RegistryId: aws.String(account)})
	key := f.Credentials().AccessKeyID
	want := []ecremulator.Call{
		{Service: "ecr", Operation: "BatchGetImage", Account: account, Region: region, Repository: repo, IDs: 2, Status: 200, AccessKeyID: key},
		{Service: "ecr", Operation: "DescribeImages", Account: account, Region: region, Repository: "nova/none", Status: 400, Error: "RepositoryNotFoundException", AccessKeyID: key},
	}
	if diff := cmp.Diff(want, f.Calls(), cmpopts.IgnoreFields(ecremulator.Call{}, "Time", "UserAgent", "Bytes")); diff != "" {
		t.Errorf("calls differ (-want +got):\n%s", diff)
	}
	if !strings.Contains(f.Calls()[0].UserAgent, "aws-sdk-go-v2") {
		t.Errorf("user agent is %q", f.Calls()[0].UserAgent)
	}
	if strings.Contains(fmt.Sprint(f.Calls()), f.Credentials().SecretAccessKey) {
		t.Error("the secret is recorded")
	}
	if a, b, c := f.Count("", ""), f.Count("", repo), f.Count("ListImages", ""); a != 2 || b != 1 || c != 0 {
		t.Errorf("counts are %d, %d and %d", a, b, c)
	}
	if calls := f.Calls(); calls[0].Bytes == 0 || f.Bytes() != calls[0].Bytes+calls[1].Bytes {
		t.Errorf("%d and %d bytes are recorded, %d in all", calls[0].Bytes, calls[1].Bytes, f.Bytes())
	}
	f.Reset()
	if len(f.Calls()) != 0 || f.MaxInFlight() != 0 {
		t.Error("reset left something behind")
	}
}

func TestConcurrentReadersAndWriters(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.SetLatency(5 * time.Millisecond)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 10 {
				seed := fmt.Sprintf("%d-%d", w, i)
				digest, err := f.repository.Push(ecremulator.OCIImage(seed), "latest", seed)
				if err != nil {
					t.Error(err)
				}
				if i%3 == 0 {
					_ = f.repository.Delete(digest)
				}
			}
		})
		wg.Go(func() {
			ctx := context.WithoutCancel(t.Context())
			for range 5 {
				c := f.client()
				if _, err := c.DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: aws.String(repo)}); err != nil {
					t.Error(err)
				}
				if _, err := c.ListImages(ctx, &ecr.ListImagesInput{RepositoryName: aws.String(repo)}); err != nil {
					t.Error(err)
				}
				if _, err := c.BatchGetImage(ctx, &ecr.BatchGetImageInput{RepositoryName: aws.String(repo), ImageIds: byTag("latest")}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := f.MaxInFlight(); n < 2 || n > 8 {
		t.Errorf("at most %d calls were in flight, want 2 to 8", n)
	}
	if n := f.Count("", ""); n != 8*5*3 {
		t.Errorf("%d calls are recorded, want %d", n, 8*5*3)
	}
}
