package poll_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/proerror77/nova-staging/plugin/ecr"
	"github.com/proerror77/nova-staging/trigger/cluster"
	"github.com/proerror77/nova-staging/trigger/metrics"
	"github.com/proerror77/nova-staging/trigger/poll"
	"github.com/proerror77/nova-staging/trigger/push"
)

// pages is a repository's listing.
type pages [][]ecr.Image

func (p pages) List(ctx context.Context, _ ecr.Repository, each func([]ecr.Image) error) error {
	for _, page := range p {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := each(page); err != nil {
			return err
		}
	}
	return nil
}

// TestALargeRepositoryIsListedWithASmallBudget has pages wait for the budget for longer
// than a call may take.
func TestALargeRepositoryIsListedWithASmallBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		full := make([]ecr.Image, 1000)
		newest := ecr.Image{Digest: fmt.Sprintf("sha256:%064d", 1), Tags: []string{"good1"}, PushedAt: began, MediaType: "application/vnd.oci.image.manifest.v1+json"}
		p, err := poll.New(poll.Options{
			Lister: pages{full, full, {newest}}, Interval: time.Second, Budget: 1,
			Repositories: func() []push.Repository {
				return []push.Repository{{Account: "025434362120", Region: "ap-northeast-1", Name: "nova/auth"}}
			},
			Since: func(push.Repository) time.Time { return began.Add(-time.Second) },
			Clock: &cluster.Clock{}, Metrics: metrics.New(prometheus.NewRegistry()), Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var heard []push.Push
		if err := p.Run(ctx, func(d push.Delivery) { heard = append(heard, d.Push); cancel() }); err != nil {
			t.Fatal(err)
		}
		if len(heard) != 1 || heard[0].Tag != "good1" {
			t.Errorf("heard of %v within %s", heard, time.Since(began))
		}
	})
}

// TestPagesThatAreNotFullCountToo has pages that hold less than was asked for and are
// not the last: MaxResults is the most that a page holds.
func TestPagesThatAreNotFullCountToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		short := counted{pages{make([]ecr.Image, 3), nil, make([]ecr.Image, 999), make([]ecr.Image, 1000), make([]ecr.Image, 3)}, &calls}
		p, err := poll.New(poll.Options{
			Lister: short, Interval: time.Second, Budget: 6,
			Repositories: func() []push.Repository {
				return []push.Repository{{Account: "025434362120", Region: "ap-northeast-1", Name: "nova/auth"}}
			},
			Since: func(push.Repository) time.Time { return time.Now() },
			Clock: &cluster.Clock{}, Metrics: metrics.New(prometheus.NewRegistry()), Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := p.Run(ctx, func(push.Delivery) {}); err != nil {
			t.Fatal(err)
		}
		if calls < 350 || calls > 362 {
			t.Errorf("%d calls in an hour, want the 360 of the budget", calls)
		}
	})
}

// counted counts the calls that a listing takes.
type counted struct {
	pages
	calls *int
}

func (c counted) List(ctx context.Context, r ecr.Repository, each func([]ecr.Image) error) error {
	return c.pages.List(ctx, r, func(page []ecr.Image) error {
		*c.calls++
		return each(page)
	})
}
