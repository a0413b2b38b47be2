package ecr

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/smithy-go/middleware"
)

// call is one API call under way, over all its attempts.
type call struct {
	op   string
	on   string // the repository's name, or the role's ARN
	page int    // 0 for a call that has no pages

	mu       sync.Mutex
	attempts int
	garbage  int       // attempts that were answered with something else than ECR's protocol
	last     string    // what the last failed attempt said
	waits    *identity // whose credentials the call waits for
}

// count is how many attempts there were.
func (c *call) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.attempts
}

// wait notes that the call waits for credentials, nil that it has them.
func (c *call) wait(i *identity) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waits = i
}

// Pending remembers the calls under way, so that whoever sets the deadline can
// say what it cut off. The zero value is ready. Safe for concurrent use.
type Pending struct {
	mu    sync.Mutex
	calls map[*call]struct{}
}

func (p *Pending) start(op, on string, page int) *call {
	c := &call{op: op, on: on, page: page}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls == nil {
		p.calls = map[*call]struct{}{}
	}
	p.calls[c] = struct{}{}
	return c
}

func (p *Pending) end(c *call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.calls, c)
}

// String lists what is under way, for example "DescribeImages on nova/auth-service
// (7 attempts, last: ThrottlingException: Rate exceeded)", and at most five of
// them. It is empty when nothing is.
func (p *Pending) String() string {
	p.mu.Lock()
	calls := make([]*call, 0, len(p.calls))
	for c := range p.calls {
		calls = append(calls, c)
	}
	p.mu.Unlock()
	slices.SortFunc(calls, func(a, b *call) int {
		return cmp.Or(cmp.Compare(a.on, b.on), cmp.Compare(a.op, b.op))
	})
	const most = 5
	var parts []string
	for i, c := range calls {
		if i == most {
			parts = append(parts, fmt.Sprintf("and %d more", len(calls)-most))
			break
		}
		parts = append(parts, c.String())
	}
	return strings.Join(parts, ", ")
}

func (c *call) String() string {
	s := c.op + " on " + c.on
	if details := c.details(); len(details) > 0 {
		s += " (" + strings.Join(details, ", ") + ")"
	}
	return s
}

// details says how far the call has come.
func (c *call) details() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var d []string
	if c.page > 1 {
		d = append(d, fmt.Sprintf("page %d", c.page))
	}
	if c.attempts > 1 {
		d = append(d, fmt.Sprintf("%d attempts", c.attempts))
	}
	if c.last != "" {
		d = append(d, "last: "+c.last)
	}
	if c.waits != nil {
		d = append(d, "waiting for "+c.waits.String())
	}
	return d
}

type callKey struct{}

// observe sits inside the retry loop, the only place that sees each attempt:
// when the deadline ends the loop, the SDK forgets what the attempts said.
func observe(hide *redactor) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("ObserveAttempt",
			func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
				c, _ := ctx.Value(callKey{}).(*call)
				if c == nil {
					return next.HandleFinalize(ctx, in)
				}
				c.mu.Lock()
				c.attempts++
				c.mu.Unlock()
				began := time.Now()
				out, metadata, err := next.HandleFinalize(ctx, in)
				if err == nil {
					err = hollow(out.Result)
				}
				if err == nil {
					SeeClock(ctx, askedAt(began, metadata))
				} else {
					forget(out.Result)
				}
				c.mu.Lock()
				defer c.mu.Unlock()
				switch {
				case err == nil:
					c.last = ""
				case ctx.Err() == nil:
					c.last = attemptText(err, hide)
					err = judge(err, &c.garbage)
				}
				return out, metadata, err
			}), "Retry", middleware.After)
	}
}
