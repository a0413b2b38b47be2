// Package poll hears of pushes by asking ECR, where there is no queue.
//
// It asks only about repositories that Applications use, with a budget of calls.
// What it has seen it does not remember across restarts: everything pushed after
// an Application's instant is a push that it has not had yet.
package poll

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/proerror77/nova-staging/plugin/ecr"
	"github.com/proerror77/nova-staging/trigger/cluster"
	"github.com/proerror77/nova-staging/trigger/metrics"
	"github.com/proerror77/nova-staging/trigger/push"
)

// Lister lists the tagged images of a repository.
type Lister interface {
	List(ctx context.Context, repo ecr.Repository, each func([]ecr.Image) error) error
}

// Options of a [Poller]; all are required.
type Options struct {
	Lister Lister
	// Interval between two looks at a repository, when the budget allows.
	Interval time.Duration
	// Budget of DescribeImages calls a minute, all repositories together.
	Budget int
	// Repositories in use.
	Repositories func() []push.Repository
	// Since is the instant up to which every Application of a repository has been
	// dealt with.
	Since func(push.Repository) time.Time
	// Clock follows ECR's clock.
	Clock   *cluster.Clock
	Metrics *metrics.Metrics
	Log     *slog.Logger
}

// Poller is a [push.Source]. Make it with [New].
type Poller struct {
	o       Options
	limiter *rate.Limiter
	failing map[string]bool // repositories whose failure was said
	slow    time.Duration   // added to the interval while ECR throttles
}

const (
	// call ends a look that hangs.
	call = 30 * time.Second
	// maxSlow is how far throttling stretches the interval.
	maxSlow = 10 * time.Minute
)

// New checks the options.
func New(o Options) (*Poller, error) {
	switch {
	case o.Lister == nil || o.Repositories == nil || o.Since == nil || o.Clock == nil || o.Metrics == nil || o.Log == nil:
		return nil, errors.New("make a poller: a required option is missing")
	case o.Interval < time.Second:
		return nil, fmt.Errorf("poll interval is %s, want at least 1s", o.Interval)
	case o.Budget < 1:
		return nil, fmt.Errorf("poll budget is %d calls a minute, want at least 1", o.Budget)
	}
	p := &Poller{
		o: o, failing: map[string]bool{},
		limiter: rate.NewLimiter(rate.Limit(float64(o.Budget)/60), max(1, o.Budget/6)),
	}
	p.up(0) // until it was heard
	return p, nil
}

// Run looks at all repositories in turn until ctx ends.
func (p *Poller) Run(ctx context.Context, deliver func(push.Delivery)) error {
	for ctx.Err() == nil {
		began := time.Now()
		repositories := p.o.Repositories()
		// Another order each time: when the budget is too small, none starves.
		rand.Shuffle(len(repositories), func(i, j int) { repositories[i], repositories[j] = repositories[j], repositories[i] })
		throttled, heard := false, false
		for _, r := range repositories {
			if ctx.Err() != nil {
				break
			}
			ok, slower := p.look(ctx, r, deliver)
			heard = heard || ok
			if slower {
				throttled = true
				break // the next ones would only be throttled, too
			}
		}
		switch {
		case ctx.Err() != nil:
		case len(repositories) == 0:
			p.up(1) // there is nothing to hear
		case !heard:
			p.up(0) // each was refused, as without rights
		}
		p.adapt(throttled)
		wait := p.o.Interval + p.slow - time.Since(began)
		// A fifth more or less, so that replicas and clusters do not ask in step.
		sleep(ctx, max(time.Second/2, wait-wait/5+rand.N(max(1, wait*2/5))))
	}
	p.up(0)
	return nil
}

func (p *Poller) up(v float64) { p.o.Metrics.SourceUp.WithLabelValues("ecr").Set(v) }

func (p *Poller) adapt(throttled bool) {
	switch {
	case throttled && p.slow == 0:
		p.slow = p.o.Interval
	case throttled:
		p.slow = min(2*p.slow, maxSlow)
	case p.slow > 0:
		if p.slow /= 2; p.slow < p.o.Interval {
			p.slow = 0
			p.o.Log.Info("polling as often as before", "interval", p.o.Interval.String())
		}
	}
}

// look asks about one repository; it says whether that went well, and whether to
// ask less often.
func (p *Poller) look(ctx context.Context, r push.Repository, deliver func(push.Delivery)) (ok, throttled bool) {
	hosts := ecr.Hosts(r.Account, r.Region)
	if len(hosts) == 0 {
		return false, false
	}
	repo, err := ecr.ParseRepository(hosts[0] + "/" + r.Name)
	if err != nil {
		return false, false
	}
	if p.limiter.Wait(ctx) != nil {
		return false, false
	}
	since := p.o.Since(r)
	// The deadline is each call's: between pages the budget may let wait for longer.
	looking, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	deadline := time.AfterFunc(call, func() { cancel(context.DeadlineExceeded) })
	defer deadline.Stop()
	began := time.Now()
	clock := &ecr.Clock{}
	var found []push.Push
	pages := 0
	err = p.o.Lister.List(ecr.WithClock(looking, clock), repo, func(page []ecr.Image) error {
		p.o.Metrics.CountECR(nil)
		for _, image := range page {
			if image.PushedAt.After(since) && image.NotImage() == "" {
				found = append(found, pushesOf(r, image)...)
			}
		}
		if pages++; pages == 1 {
			return nil // was paid for above
		}
		// Whether there is another page its length does not tell: each is paid for when
		// it has come.
		deadline.Stop()
		defer deadline.Reset(call)
		return p.limiter.Wait(ctx)
	})
	switch {
	case err != nil && ctx.Err() != nil:
		return false, false
	case err != nil && looking.Err() != nil:
		return false, p.failed(r, fmt.Errorf("no answer within %s: %w", call, err))
	case err != nil:
		return false, p.failed(r, err)
	}
	if p.failing[r.String()] {
		delete(p.failing, r.String())
		p.o.Log.Info("the repository can be listed again", "repository", r.String())
	}
	p.up(1)
	if at := clock.Min(); !at.IsZero() {
		p.o.Clock.See(at, began, began)
		p.o.Metrics.ClockOffset.Set(p.o.Clock.Offset().Seconds())
	}
	slices.SortFunc(found, func(a, b push.Push) int { return a.Time.Compare(b.Time) })
	for _, x := range found {
		deliver(push.Delivery{Push: x, Done: func() {}})
	}
	return true, false
}

func pushesOf(r push.Repository, image ecr.Image) []push.Push {
	var all []push.Push
	for _, tag := range image.Tags {
		if ecr.NotImageTag(tag) != "" {
			continue
		}
		all = append(all, push.Polled(r, image.Digest, tag, image.PushedAt))
	}
	return all
}

// failed says once what failed, and whether to ask less often: ECR throttles or
// can not be reached.
func (p *Poller) failed(r push.Repository, err error) bool {
	p.o.Metrics.Errors.WithLabelValues("ecr").Inc()
	p.o.Metrics.CountECR(err)
	if errors.Is(err, ecr.ErrUnavailable) {
		if p.slow == 0 {
			p.o.Log.Warn("ECR throttles or can not be reached: polling less often", "error", err)
		}
		p.up(0)
		return true
	}
	if !p.failing[r.String()] {
		p.failing[r.String()] = true
		p.o.Log.Error("a repository can not be listed; will try again", "repository", r.String(), "error", err)
	}
	return false
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
