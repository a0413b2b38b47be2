package ecr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/smithy-go/logging"
)

// Options of a [Client]. The zero value is useful.
type Options struct {
	// Concurrency is how many calls may be under way at once. Optional, default
	// [DefaultConcurrency].
	Concurrency int
	// Roles to assume for registries of other accounts. Optional. The first whose
	// glob matches the registry's host is used.
	Roles []Role
	// Attempts at one call. Optional; by default it is tried again for as long as
	// the caller's deadline allows.
	Attempts int
	// AppID is added to the user agent, so that CloudTrail shows who asked.
	// Optional.
	AppID string
	// AWS replaces parts of the SDK's default configuration. Optional.
	AWS []func(*config.LoadOptions) error
}

const (
	// DefaultConcurrency lets 200 repositories be asked at once and stays far
	// below the 2,000 BatchGetImage calls a second of ECR's default quota.
	DefaultConcurrency = 256
)

// tuning is what tests make shorter.
type tuning struct {
	// attempt ends an attempt that hangs, early enough for another one within the
	// usual deadline of 45 s. A full page of DescribeImages takes ECR about a
	// second.
	attempt time.Duration
	// Before an attempt is made again it waits at random up to minBackoff, then up
	// to twice that, and so on up to maxBackoff.
	minBackoff, maxBackoff time.Duration
	// assume ends the assuming of a role that goes on after its callers gave up.
	assume time.Duration
	// answer bounds one answer, in bytes: 100 manifests are far below it.
	answer int64
	// load replaces parts of what the environment says.
	load []func(*config.LoadOptions) error
}

var ordinary = tuning{
	attempt:    15 * time.Second,
	minBackoff: 200 * time.Millisecond, maxBackoff: 5 * time.Second,
	assume: time.Minute,
	answer: 64 << 20,
}

// Client calls ECR in any number of regions and accounts. Make it with [New].
// Safe for concurrent use.
type Client struct {
	cfg      aws.Config
	own      *identity // the process's own credentials
	roles    []Role
	tuning   tuning
	slots    chan struct{}
	pending  Pending
	hide     *redactor
	mu       sync.Mutex
	byTarget map[target]*ecr.Client
	byRole   map[roleTarget]*identity
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
func New(ctx context.Context, o Options) (*Client, error) { return newClient(ctx, o, ordinary) }

func newClient(ctx context.Context, o Options, t tuning) (*Client, error) {
	if o.Concurrency == 0 {
		o.Concurrency = DefaultConcurrency
	}
	if o.Concurrency < 1 {
		return nil, fmt.Errorf("concurrency is %d, want at least 1", o.Concurrency)
	}
	httpClient := awshttp.NewBuildableClient().WithTimeout(t.attempt).WithTransportOptions(func(tr *http.Transport) {
		tr.MaxIdleConns = 2 * o.Concurrency
		tr.MaxIdleConnsPerHost = o.Concurrency
	})
	hide := newRedactor()
	// The sources of credentials get the SDK's own client and its few attempts: it
	// knows how to add AWS_CA_BUNDLE to that client, and how soon to give up on
	// instance metadata where there is none.
	cfg, err := config.LoadDefaultConfig(ctx, slices.Concat([]func(*config.LoadOptions) error{
		config.WithHTTPClient(httpClient),
		config.WithAppID(o.AppID),
		// The SDK's own warnings would stand beside the one error that Argo CD shows.
		config.WithLogger(logging.Nop{}),
	}, o.AWS, t.load)...)
	if err != nil {
		return nil, fmt.Errorf("load AWS configuration: %w: %s", ErrCredentials, clean(err.Error(), hide))
	}
	cfg.HTTPClient = boundedClient{cfg.HTTPClient, t.answer}
	cfg.Retryer = func() aws.Retryer {
		if o.Attempts > 0 {
			return retry.AddWithMaxAttempts(newRetryer(t), o.Attempts)
		}
		return newRetryer(t)
	}
	own := &identity{provider: cfg.Credentials, hide: hide}
	cfg.Credentials = own
	return &Client{
		cfg: cfg, own: own, roles: o.Roles, tuning: t, hide: hide,
		slots:    make(chan struct{}, o.Concurrency),
		byTarget: map[target]*ecr.Client{},
		byRole:   map[roleTarget]*identity{},
	}, nil
}

// Endpoint is the address that is used in place of ECR's own, from
// AWS_ENDPOINT_URL_ECR, AWS_ENDPOINT_URL or the shared configuration file; empty
// without one.
func (c *Client) Endpoint() string {
	return aws.ToString(ecr.NewFromConfig(c.cfg).Options().BaseEndpoint)
}

// Pending lists the calls under way.
func (c *Client) Pending() string { return c.pending.String() }

// api gives the SDK client for a repository's registry, and who it calls as.
func (c *Client) api(repo Repository) (*ecr.Client, *identity) {
	t := target{region: repo.Region, fips: repo.FIPS, dualStack: repo.DualStack, role: roleFor(c.roles, repo.Host)}
	c.mu.Lock()
	defer c.mu.Unlock()
	cfg := c.cfg.Copy()
	cfg.Region = t.region
	who := c.own
	if t.role.ARN != "" {
		who = c.assumed(cfg, t.role)
		cfg.Credentials = who
	}
	if client, ok := c.byTarget[t]; ok {
		return client, who
	}
	client := ecr.NewFromConfig(cfg, func(o *ecr.Options) {
		o.APIOptions = append(o.APIOptions, observe(c.hide))
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
	return client, who
}

// do runs one API call under the bound, with its attempts observed, and
// classifies its error. page is 0 for a call that has no pages.
func do[T any](ctx context.Context, c *Client, op string, repo Repository, page int, send func(context.Context, *ecr.Client) (T, error)) (T, error) {
	var zero T
	under := c.pending.start(op, repo.Name, page)
	defer c.pending.end(under)
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return zero, &interrupted{cause: ctx.Err(), call: under.String() + " (waited for its turn)"}
	}
	client, who := c.api(repo)
	out, err := send(context.WithValue(ctx, callKey{}, under), client)
	if err == nil {
		return out, nil
	}
	if ctx.Err() != nil {
		// Keep what the call was doing: the deadline's message is about it.
		return zero, &interrupted{cause: ctx.Err(), call: under.String()}
	}
	e := failure(op, repo, err, under.count(), c.hide)
	if errors.Is(e, ErrCredentials) {
		who.forget()
	}
	return zero, e
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

// boundedClient refuses to read an answer without end.
type boundedClient struct {
	aws.HTTPClient
	most int64 // bytes of one answer
}

func (b boundedClient) Do(r *http.Request) (*http.Response, error) {
	resp, err := b.HTTPClient.Do(r)
	if err != nil {
		return resp, err
	}
	resp.Body = &boundedBody{ReadCloser: resp.Body, left: b.most}
	return resp, nil
}

// errTooLarge is not worth another attempt, which would be as long.
var errTooLarge = errors.New("the answer is too large to be ECR's")

type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLarge
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	if err != nil && err != io.EOF { //nolint:errorlint // as readers return it
		err = &brokenBody{err}
	}
	return n, err
}

// brokenBody tells an answer that was cut off from a whole one that makes no
// sense: the SDK reports both alike.
type brokenBody struct{ error }

func (b *brokenBody) Unwrap() error { return b.error }
