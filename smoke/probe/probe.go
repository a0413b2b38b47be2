// Package probe sends one request and brings back one answer, bounded in time
// and size, whatever the other side does.
package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/proerror77/nova-staging/smoke/reach"
)

// Prober sends requests, at most a given number at the same time. Make one
// with [New].
type Prober struct {
	reach  reach.Reach
	slots  *semaphore.Weighted
	memory *semaphore.Weighted // bytes of long bodies
}

// New makes a prober with room for that many open connections.
func New(r reach.Reach, connections int) *Prober {
	return &Prober{reach: r, slots: semaphore.NewWeighted(int64(connections)), memory: semaphore.NewWeighted(room)}
}

// Request is one GET.
type Request struct {
	Target reach.Target
	Path   string
	// Host header. Optional.
	Host string
	// Accept header. Optional.
	Accept string
	// Timeout from connecting to the body's last byte. Required.
	Timeout time.Duration
	// MaxBody is how many bytes of the decoded body are read. Required.
	MaxBody int64
}

// Answer is what came back.
type Answer struct {
	Status  int
	Header  http.Header
	Body    []byte
	TooLong bool // the body went on after MaxBody
	// Err is why there is no whole answer, in words for people; Status may be
	// set even so, when the headers had come.
	Err error
	// Unreachable says that the way there failed (a right or a route that smoke
	// itself lacks), so that nothing can be said about the target.
	Unreachable bool
	Took        time.Duration

	done func()
}

// Done says that Body is not looked at any more: others may use its memory.
func (a Answer) Done() {
	if a.done != nil {
		a.done()
	}
}

// ErrUnreachable is wrapped by a Reach's errors when the way to the target, not
// the target, is what failed.
var ErrUnreachable = reach.ErrWay

// Get sends the request. It returns soon after the timeout or ctx's end. Call the
// answer's Done once, or long bodies will find no room in the end.
func (p *Prober) Get(ctx context.Context, r Request) Answer {
	if err := p.slots.Acquire(ctx, 1); err != nil {
		return Answer{Err: fmt.Errorf("no request was sent: %w", context.Cause(ctx)), Unreachable: true}
	}
	defer p.slots.Release(1)
	start := time.Now()
	a := p.get(ctx, r)
	a.Took = time.Since(start)
	return a
}

func (p *Prober) get(parent context.Context, r Request) Answer {
	ctx, cancel := context.WithTimeout(parent, r.Timeout)
	defer cancel()
	rt, err := p.reach.Transport(r.Target)
	if err != nil {
		return Answer{Err: err, Unreachable: true}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.Target.URL(r.Path), nil)
	if err != nil {
		return Answer{Err: fmt.Errorf("make a request: %w", err), Unreachable: true}
	}
	req.Header.Set("User-Agent", "nova-smoke")
	if r.Accept != "" {
		req.Header.Set("Accept", r.Accept)
	}
	if r.Host != "" {
		req.Host = r.Host
	}
	begun := time.Now()
	res, err := rt.RoundTrip(req)
	if err != nil {
		return Answer{Err: explain(ctx, "no answer", err, time.Since(begun)), Unreachable: errors.Is(err, ErrUnreachable)}
	}
	defer res.Body.Close()
	a := Answer{Status: res.StatusCode, Header: res.Header}
	a.Body, err = io.ReadAll(io.LimitReader(res.Body, min(r.MaxBody+1, beginning)))
	if err == nil && len(a.Body) == beginning {
		a.Body, a.done, err = rest(ctx, p.memory, a.Body, res.Body, r.MaxBody)
	}
	if int64(len(a.Body)) > r.MaxBody {
		a.Body, a.TooLong = a.Body[:r.MaxBody], true
		return a
	}
	if err != nil {
		what := fmt.Sprintf("status %d, but the body broke off after %d bytes", res.StatusCode, len(a.Body))
		if errors.Is(err, errNoRoom) {
			what = fmt.Sprintf("status %d, but there was %v", res.StatusCode, errNoRoom)
		}
		a.Err = explain(ctx, what, err, time.Since(begun))
		a.Unreachable = errors.Is(err, ErrUnreachable) || errors.Is(err, errNoRoom)
	}
	return a
}

// explain says in words what an error of the transport means.
func explain(ctx context.Context, what string, err error, took time.Duration) error {
	took = took.Round(time.Millisecond)
	var dns *net.DNSError
	switch {
	case ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s within %s", what, took)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%s: connection refused", what)
	case errors.Is(err, syscall.ECONNRESET):
		return fmt.Errorf("%s: the connection was reset", what)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("%s: the connection was closed", what)
	case errors.As(err, &dns):
		return fmt.Errorf("%s: the name %s does not resolve", what, dns.Name)
	case strings.Contains(err.Error(), "gave HTTP response to HTTPS client"):
		return fmt.Errorf("%s over https: the server speaks http", what)
	}
	return fmt.Errorf("%s: %w", what, err)
}
