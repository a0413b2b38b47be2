package ecr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
)

// Options of a [Client]. The zero value is useful.
type Options struct {
	// Concurrency is how many calls may be under way at once. Optional, default
	// [DefaultConcurrency].
	Concurrency int
	// Roles to assume for registries of other accounts. Optional. The first whose
	// glob matches the registry's host is used.
	Roles []Role
	// AppID is added to the user agent, so that CloudTrail shows who asked.
	// Optional.
	AppID string
}

const (
	// DefaultConcurrency lets 200 repositories be asked in four rounds and stays
	// far below the 2,000 BatchGetImage calls a second of ECR's default quota.
	DefaultConcurrency = 64
	// attemptTimeout ends an attempt that hangs, early enough for another one
	// within the usual deadline of 45 s. A full page of DescribeImages takes ECR
	// about a second.
	attemptTimeout = 15 * time.Second
	// maxResponse bounds one answer, in bytes: 100 manifests of a call's maximum
	// are far below it.
	maxResponse = 64 << 20
)

// Client calls ECR in any number of regions and accounts. Make it with [New].
// Safe for concurrent use.
type Client struct {
	cfg      aws.Config
	roles    []Role
	slots    chan struct{}
	pending  Pending
	mu       sync.Mutex
	byTarget map[target]*ecr.Client
}

// target is what needs an SDK client of its own.
type target struct {
	region    string
	fips      bool
	dualStack bool
	role      Role
}

// New loads the SDK's default configuration (environment, shared files, IRSA,
// Pod Identity, instance role). It makes no call.
func New(ctx context.Context, o Options) (*Client, error) {
	if o.Concurrency == 0 {
		o.Concurrency = DefaultConcurrency
	}
	if o.Concurrency < 1 {
		return nil, fmt.Errorf("concurrency is %d, want at least 1", o.Concurrency)
	}
	httpClient := awshttp.NewBuildableClient().WithTimeout(attemptTimeout).WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConns = 2 * o.Concurrency
		t.MaxIdleConnsPerHost = o.Concurrency
	})
	cfg, err := config.LoadDefaultConfig(ctx,
		config.WithHTTPClient(httpClient),
		config.WithRetryer(func() aws.Retryer { return newRetryer() }),
		config.WithAppID(o.AppID),
		// The SDK's own warnings would stand beside the one error that Argo CD shows.
		config.WithLogger(logging.Nop{}),
		config.WithAPIOptions([]func(*middleware.Stack) error{observe}),
	)
	if err != nil {
		return nil, fmt.Errorf("load AWS configuration: %w: %s", ErrCredentials, clean(err.Error(), nil))
	}
	// Only now: the configuration adds the certificates of AWS_CA_BUNDLE to it.
	cfg.HTTPClient = boundedClient{cfg.HTTPClient}
	return &Client{
		cfg: cfg, roles: o.Roles,
		slots:    make(chan struct{}, o.Concurrency),
		byTarget: map[target]*ecr.Client{},
	}, nil
}

// Pending lists the calls under way.
func (c *Client) Pending() string { return c.pending.String() }

// api gives the SDK client for a repository's registry.
func (c *Client) api(repo Repository) *ecr.Client {
	t := target{region: repo.Region, fips: repo.FIPS, dualStack: repo.DualStack, role: roleFor(c.roles, repo.Host)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if client, ok := c.byTarget[t]; ok {
		return client
	}
	cfg := c.cfg.Copy()
	cfg.Region = t.region
	if t.role.ARN != "" {
		provider := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), t.role.ARN, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = "nova-generate"
			if t.role.ExternalID != "" {
				o.ExternalID = aws.String(t.role.ExternalID)
			}
		})
		cfg.Credentials = aws.NewCredentialsCache(provider)
	}
	client := ecr.NewFromConfig(cfg, func(o *ecr.Options) {
		if o.BaseEndpoint != nil {
			return // AWS_ENDPOINT_URL_ECR names the endpoint; the SDK refuses to combine it with FIPS or dual-stack
		}
		if t.fips {
			o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
		}
		if t.dualStack {
			o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
		}
	})
	c.byTarget[t] = client
	return client
}

// do runs one API call under the bound, with its attempts observed, and
// classifies its error.
func do[T any](ctx context.Context, c *Client, op string, repo Repository, send func(context.Context, *ecr.Client) (T, error)) (T, error) {
	var zero T
	under := c.pending.start(op, repo)
	defer c.pending.end(under)
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return zero, ctx.Err()
	}
	out, err := send(context.WithValue(ctx, callKey{}, under), c.api(repo))
	if err == nil {
		return out, nil
	}
	if ctx.Err() != nil {
		// Keep the call listed as pending: the deadline's message is about it.
		return zero, &interrupted{cause: ctx.Err(), call: under.String()}
	}
	return zero, failure(op, repo, err, under.attempts, c.secrets(ctx, repo))
}

// interrupted is a call that its context ended. It keeps what was being done,
// because the list of pending calls is empty by the time anyone can report it.
type interrupted struct {
	cause error
	call  string
}

func (i *interrupted) Error() string { return i.call + ": " + i.cause.Error() }
func (i *interrupted) Unwrap() error { return i.cause }

// Interrupted lists the calls that err, a tree of errors, says a context ended,
// for example "DescribeImages on nova/auth-service (7 attempts, last: …)".
func Interrupted(err error) []string {
	switch e := err.(type) { //nolint:errorlint // walks the whole tree itself
	case nil:
		return nil
	case *interrupted:
		return []string{e.call}
	case interface{ Unwrap() []error }:
		var calls []string
		for _, err := range e.Unwrap() {
			calls = append(calls, Interrupted(err)...)
		}
		return calls
	}
	return Interrupted(errors.Unwrap(err))
}

// secrets are the values that must not appear in any text about a call.
func (c *Client) secrets(ctx context.Context, repo Repository) []string {
	creds, err := c.api(repo).Options().Credentials.Retrieve(ctx)
	if err != nil {
		return nil
	}
	return []string{creds.SecretAccessKey, creds.SessionToken}
}

// boundedClient refuses to read an answer without end.
type boundedClient struct{ aws.HTTPClient }

func (b boundedClient) Do(r *http.Request) (*http.Response, error) {
	resp, err := b.HTTPClient.Do(r)
	if err != nil {
		return resp, err
	}
	resp.Body = &boundedBody{ReadCloser: resp.Body, left: maxResponse}
	return resp, nil
}

type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("the answer is larger than %d bytes", int64(maxResponse))
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	return n, err
}
