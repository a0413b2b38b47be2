package ecremulator_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/proerror77/nova-staging/internal/ecremulator"
)

func TestRequestsAreAuthenticated(t *testing.T) {
	t.Parallel()
	f := newFixture(t, ecremulator.WithEndpointRegion(region))
	good := f.Credentials()
	wrongSecret := good
	wrongSecret.SecretAccessKey = "nope"
	withToken := good
	withToken.SessionToken = "nope"
	revoked := must(f.CreateUser(account, "gone"))
	f.RevokeKey(revoked.AccessKeyID)
	tests := []struct {
		name   string
		change func(*ecr.Options)
		code   string
	}{
		{"a good signature", as(good), ""},
		{"a key that nobody has", as(ecremulator.Credentials{AccessKeyID: "AKIANONE", SecretAccessKey: "x"}), "UnrecognizedClientException"},
		{"a key that was revoked", as(revoked), "UnrecognizedClientException"},
		{"a session token that does not belong to the key", as(withToken), "UnrecognizedClientException"},
		{"another secret", as(wrongSecret), "InvalidSignatureException"},
		{"the scope of another region", func(o *ecr.Options) { o.Region = "us-east-1" }, "InvalidSignatureException"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := f.client(tt.change).DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{})
			wantCode(t, err, tt.code)
		})
	}
}

func TestAnotherRegionIsAnotherRegistry(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, err := f.client(func(o *ecr.Options) { o.Region = "eu-west-1" }).
		DescribeImages(t.Context(), &ecr.DescribeImagesInput{RepositoryName: aws.String(repo)})
	wantCode(t, err, "RepositoryNotFoundException")
}

func TestErrorsLookLikeTheServices(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const describe = "AmazonEC2ContainerRegistry_V20150921.DescribeImages"
	tests := []struct {
		name, method, target, authorization string
		code                                string
	}{
		{"no signature", "POST", describe, "", "MissingAuthenticationTokenException"},
		{"half a signature", "POST", describe, "AWS4-HMAC-SHA256 Credential=a/b/c", "IncompleteSignatureException"},
		{"another scheme", "POST", describe, "Bearer x", "IncompleteSignatureException"},
		{"an unknown operation", "POST", "AmazonEC2ContainerRegistry_V20150921.Nope", "", "UnknownOperationException"},
		{"another service", "POST", "DynamoDB_20120810.ListTables", "", "UnknownOperationException"},
		{"no target", "POST", "", "", "UnknownOperationException"},
		{"another method", "GET", describe, "", "UnknownOperationException"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req := must(http.NewRequestWithContext(t.Context(), tt.method, f.URL, strings.NewReader("{}")))
			req.Header.Set("Authorization", tt.authorization)
			req.Header.Set("X-Amz-Target", tt.target)
			req.Header.Set("Content-Type", "application/x-amz-json-1.1")
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = res.Body.Close() }()
			body := must(io.ReadAll(res.Body))
			var got struct {
				Type string `json:"__type"`
			}
			if err := json.Unmarshal(body, &got); err != nil {
				t.Fatalf("%s: %v", body, err)
			}
			if got.Type != "com.amazon.coral.service#"+tt.code || res.StatusCode != http.StatusBadRequest {
				t.Errorf("got %d, %s; want 400 and %s", res.StatusCode, body, tt.code)
			}
			for _, h := range []string{"x-amzn-RequestId", "Date"} {
				if res.Header.Get(h) == "" {
					t.Errorf("no %s header", h)
				}
			}
		})
	}
}

func TestAClientWhoseClockIsWrong(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{-time.Hour, time.Hour} {
		f := newFixture(t)
		f.SetClockSkew(skew)
		call := func(attempts int) error {
			c := f.client(func(o *ecr.Options) {
				o.RetryMaxAttempts = 0
				o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts = attempts; o.MaxBackoff = time.Millisecond })
			})
			_, err := c.DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{})
			return err
		}
		wantCode(t, call(1), "InvalidSignatureException")
		if err := call(2); err != nil {
			t.Errorf("the SDK did not correct a skew of %v from the Date header: %v", skew, err)
		}
	}
}

func TestAccessBetweenAccounts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	stranger := must(f.CreateUser("111122223333", "ci"))
	read := func(c ecremulator.Credentials) error {
		_, err := f.client(as(c)).DescribeImages(t.Context(), &ecr.DescribeImagesInput{
			RegistryId: aws.String(account), RepositoryName: aws.String(repo),
		})
		return err
	}
	wantCode(t, read(stranger), "AccessDeniedException")
	f.registry.Allow("111122223333")
	wantCode(t, read(stranger), "")

	lift := f.Deny(ecremulator.Denial{Operation: "DescribeImages", Repository: repo, Principal: "arn:aws:iam::111122223333:user/ci"})
	wantCode(t, read(stranger), "AccessDeniedException")
	wantCode(t, read(f.Credentials()), "")
	lift()
	wantCode(t, read(stranger), "")

	open := newFixture(t, ecremulator.WithOpenAccess())
	_, err := open.client().DescribeImages(t.Context(), &ecr.DescribeImagesInput{
		RegistryId: aws.String("999999999999"), RepositoryName: aws.String(repo),
	})
	wantCode(t, err, "RepositoryNotFoundException")
}
