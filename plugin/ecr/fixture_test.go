package ecr

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/proerror77/nova-staging/internal/ecremulator"
)

const (
	account = "025434362120"
	region  = "ap-northeast-1"
	name    = "nova/auth-service"
	host    = account + ".dkr.ecr." + region + ".amazonaws.com"
)

var (
	auth = must(ParseRepository(host + "/" + name))
	noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
)

func must[T any](v T, err error) T { return ecremulator.Must(v, err) }

// world is an emulator with one repository.
type world struct {
	*ecremulator.Server
	registry   *ecremulator.Registry
	repository *ecremulator.Repository
	clock      *ecremulator.ManualClock
}

func newWorld(t testing.TB, opts ...ecremulator.Option) *world {
	t.Helper()
	clock := ecremulator.NewManualClock(noon)
	s := ecremulator.Start(t, append([]ecremulator.Option{ecremulator.WithClock(clock)}, opts...)...)
	registry := must(s.CreateRegistry(account, region))
	return &world{s, registry, must(registry.CreateRepository(name)), clock}
}

// push adds n images with the tags t0, t1, …, a minute apart, and gives their digests.
func (w *world) push(n int) []string {
	digests := make([]string, n)
	for i := range digests {
		digests[i] = must(w.repository.PushAt(noon.Add(time.Duration(i)*time.Minute), ecremulator.OCIImage(fmt.Sprint(i)), fmt.Sprintf("t%d", i)))
	}
	return digests
}

// quick is a tuning without the waits of real life.
func quick() tuning {
	return tuning{attempt: 10 * time.Second, minBackoff: time.Millisecond, maxBackoff: 4 * time.Millisecond, assume: 10 * time.Second, answer: 4 << 20}
}

// wantCalls checks how many calls the emulator has answered; "" stands for any.
// It enters a call only after it has answered it.
func (w *world) wantCalls(t testing.TB, operation, repository string, want int) {
	t.Helper()
	n := w.Count(operation, repository)
	for range 3000 {
		if n >= want && want > 0 {
			break
		}
		time.Sleep(time.Millisecond)
		if n = w.Count(operation, repository); want == 0 {
			break
		}
	}
	if n != want {
		t.Errorf("%d calls of %s, want %d", n, cmp.Or(operation, "ECR"), want)
	}
}

// until gives a context that is cancelled as soon as a condition holds: tests of
// interruption can not rely on how fast the machine is.
func until(t testing.TB, holds func() bool) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for ctx.Err() == nil && !holds() {
			time.Sleep(time.Millisecond)
		}
	}()
	return ctx
}

// connect makes a client that sees nothing of this machine's configuration.
func connect(t testing.TB, url string, c aws.CredentialsProvider, tune tuning, o Options) *Client {
	t.Helper()
	tune.load = append(tune.load,
		config.WithBaseEndpoint(url), config.WithCredentialsProvider(c), config.WithDefaultRegion("us-east-1"),
		config.WithSharedConfigFiles([]string{}), config.WithSharedCredentialsFiles([]string{}))
	client, err := newClient(t.Context(), o, tune)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func static(c ecremulator.Credentials) aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)
}

func (w *world) client(t testing.TB) *Client {
	t.Helper()
	return connect(t, w.URL, static(w.Credentials()), quick(), Options{})
}

// answering serves one fixed answer, or one after the other, to every call.
func answering(t testing.TB, answers ...string) *Client {
	t.Helper()
	var n atomic.Int64
	return serving(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, answers[min(int(n.Add(1)), len(answers))-1])
	})
}

func serving(t testing.TB, h http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return connect(t, s.URL, credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "SECRETEXAMPLE", ""), quick(), Options{})
}

// digestOf is a valid digest that says which one it is.
func digestOf(c string) string { return "sha256:" + strings.Repeat(c, 64) }

// wantError checks the sentinel, that the message is one line that reads like
// English, and that it holds each of the texts.
func wantError(t testing.TB, err, kind error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %v", kind)
	}
	if !errors.Is(err, kind) {
		t.Errorf("error is %v, want %v", err, kind)
	}
	if strings.ContainsAny(err.Error(), "\n\r\t") {
		t.Errorf("message is not one line: %q", err)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("message %q\nlacks %q", err, text)
		}
	}
}

// operations are all calls that the client makes, on tag t0 with its digest.
var operations = map[string]func(ctx context.Context, c *Client, digest string) error{
	"Find": func(ctx context.Context, c *Client, _ string) error {
		found, err := c.Find(ctx, auth, []string{"t0"})
		if err == nil && len(found) != 1 {
			err = fmt.Errorf("found %d tags", len(found))
		}
		return err
	},
	"Manifest": func(ctx context.Context, c *Client, digest string) error {
		_, err := c.Manifest(ctx, auth, digest)
		return err
	},
	"Describe": func(ctx context.Context, c *Client, digest string) error {
		_, err := c.Describe(ctx, auth, []string{digest})
		return err
	},
	"DescribeTag": func(ctx context.Context, c *Client, _ string) error {
		_, err := c.DescribeTag(ctx, auth, "t0")
		return err
	},
	"Scan": func(ctx context.Context, c *Client, digest string) error {
		_, err := c.Scan(ctx, auth, digest)
		return err
	},
	"List": func(ctx context.Context, c *Client, _ string) error {
		n := 0
		err := c.List(ctx, auth, func(images []Image) error { n += len(images); return nil })
		if err == nil && n != 1 {
			err = fmt.Errorf("listed %d images", n)
		}
		return err
	},
}

type doFunc func(*http.Request) (*http.Response, error)

func (f doFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

// certificateError is a failure that is not tried again.
var certificateError = tls.CertificateVerificationError{Err: errors.New("not now")}

func pemOf(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
