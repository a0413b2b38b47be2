package ecremulator_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/proerror77/nova-staging/internal/ecremulator"
)

func TestFaultsReachTheClient(t *testing.T) {
	t.Parallel()
	tests := []struct {
		kind   ecremulator.FaultKind
		code   string // the service's code, if there is one
		status int    // as recorded
	}{
		{ecremulator.Throttle, "ThrottlingException", 400},
		{ecremulator.ServerError, "ServerException", 500},
		{ecremulator.Unavailable, "ServiceUnavailableException", 503},
		{ecremulator.ExpiredToken, "ExpiredTokenException", 400},
		{ecremulator.UnknownKey, "UnrecognizedClientException", 400},
		{ecremulator.AccessDenied, "AccessDeniedException", 400},
		{ecremulator.SignatureExpired, "InvalidSignatureException", 400},
		{ecremulator.CutConnection, "", 0},
		{ecremulator.CutBody, "", 200},
		{ecremulator.HTMLBody, "", 200},
		{ecremulator.TruncatedJSON, "", 200},
		{ecremulator.Custom, "KmsException", 418},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("kind %d", tt.kind), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			must(f.repository.Push(ecremulator.OCIImage("one"), "v1"))
			i := f.Inject(ecremulator.Fault{Kind: tt.kind, Op: "DescribeImages", Repository: repo, Times: 1, Status: 418, Code: "KmsException", Message: "no key"})
			call := func() error {
				_, err := f.client().DescribeImages(t.Context(), &ecr.DescribeImagesInput{RepositoryName: aws.String(repo)})
				return err
			}
			err := call()
			if err == nil {
				t.Fatal("the call went through")
			}
			if tt.code != "" {
				wantCode(t, err, tt.code)
			}
			if i.Fired() != 1 || i.Remaining() != 0 {
				t.Errorf("fired %d, remaining %d", i.Fired(), i.Remaining())
			}
			if err := call(); err != nil {
				t.Errorf("after the fault: %v", err)
			}
			// The end of a cut call is recorded after its client has seen it.
			if c := eventually(t, f, 2)[0]; c.Status != tt.status || c.Error != tt.code {
				t.Errorf("recorded %d %q, want %d %q", c.Status, c.Error, tt.status, tt.code)
			}
		})
	}
}

// eventually returns the calls once there are n.
func eventually(t *testing.T, f *fixture, n int) []ecremulator.Call {
	t.Helper()
	for range 500 {
		if calls := f.Calls(); len(calls) >= n {
			return calls
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%d calls are recorded, want %d", len(f.Calls()), n)
	return nil
}

func TestAnEmptyBodyLooksLikeAnEmptyRepository(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	must(f.repository.Push(ecremulator.OCIImage("one"), "v1"))
	f.Inject(ecremulator.Fault{Kind: ecremulator.EmptyBody})
	if got := f.describe(t); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

func TestAnEmptyPageIsNotTheLast(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	must(f.repository.Push(ecremulator.OCIImage("one"), "v1"))
	f.Inject(ecremulator.Fault{Kind: ecremulator.EmptyPage, Times: 2})
	p := ecr.NewDescribeImagesPaginator(f.client(), &ecr.DescribeImagesInput{RepositoryName: aws.String(repo)})
	var sizes []int
	for p.HasMorePages() {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(out.ImageDetails))
	}
	if fmt.Sprint(sizes) != "[0 0 1]" {
		t.Errorf("pages of %v, want [0 0 1]", sizes)
	}
}

func TestTheSDKRetriesThroughThrottling(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Inject(ecremulator.Fault{Kind: ecremulator.Throttle, Times: 2})
	c := f.client(func(o *ecr.Options) {
		o.RetryMaxAttempts = 0
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts = 3; o.MaxBackoff = time.Millisecond })
	})
	if _, err := c.DescribeImages(t.Context(), &ecr.DescribeImagesInput{RepositoryName: aws.String(repo)}); err != nil {
		t.Error(err)
	}
	if n := f.Count("DescribeImages", repo); n != 3 {
		t.Errorf("%d calls, want 3", n)
	}
}

func TestFaultsThatTakeTime(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	call := func(ctx context.Context) error {
		_, err := f.client().DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: aws.String(repo)})
		return err
	}
	slow := f.Inject(ecremulator.Fault{Kind: ecremulator.Slow, Delay: 50 * time.Millisecond})
	start := time.Now()
	if err := call(t.Context()); err != nil || time.Since(start) < 50*time.Millisecond {
		t.Errorf("slow call: %v after %v", err, time.Since(start))
	}
	slow.Remove()
	hang := f.Inject(ecremulator.Fault{Kind: ecremulator.Hang})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("hanging call: %v", err)
	}
	if hang.Remaining() != -1 {
		t.Errorf("remaining %d, want -1 for no limit", hang.Remaining())
	}
	f.ClearFaults()
	f.SetLatency(30 * time.Millisecond)
	start = time.Now()
	if err := call(t.Context()); err != nil || time.Since(start) < 30*time.Millisecond {
		t.Errorf("latency: %v after %v", err, time.Since(start))
	}
}

func TestFaultsSelectCalls(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	must(f.registry.CreateRepository("other"))
	outcome := func(name string, n int) string {
		s := ""
		for range n {
			_, err := f.client().DescribeImages(t.Context(), &ecr.DescribeImagesInput{RepositoryName: &name})
			if err == nil {
				s += "."
			} else {
				s += "x"
			}
		}
		return s
	}
	tests := []struct {
		name  string
		fault ecremulator.Fault
		repo  string
		want  string
	}{
		{"the third call only", ecremulator.Fault{After: 2, Times: 1}, repo, "..x..."},
		{"another operation", ecremulator.Fault{Op: "ListImages"}, repo, "......"},
		{"another repository", ecremulator.Fault{Repository: repo}, "other", "......"},
		{"this account", ecremulator.Fault{Account: account}, "other", "xxxxxx"},
		{"another account", ecremulator.Fault{Account: "111122223333"}, "other", "......"},
		{"any operation", ecremulator.Fault{Op: ecremulator.AnyOperation, Times: 2}, repo, "xx...."},
	}
	for _, tt := range tests {
		i := f.Inject(tt.fault)
		if got := outcome(tt.repo, len(tt.want)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		i.Remove()
	}
	draw := func(seed uint64) string {
		i := f.Inject(ecremulator.Fault{Probability: 0.5, Seed: seed})
		defer i.Remove()
		return outcome(repo, 20)
	}
	if a, b, c := draw(1), draw(1), draw(2); a != b || a == c {
		t.Errorf("seeds 1, 1 and 2 gave %s, %s and %s", a, b, c)
	}
}

func TestInjectRefusesOperationsThatDoNotExist(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("a misspelt operation was taken")
		}
	}()
	ecremulator.New().Inject(ecremulator.Fault{Op: "DescribeImage"})
}
