package queue_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/proerror77/nova-staging/internal/triggertest"
	"github.com/proerror77/nova-staging/trigger/cluster"
	"github.com/proerror77/nova-staging/trigger/metrics"
	"github.com/proerror77/nova-staging/trigger/push"
	"github.com/proerror77/nova-staging/trigger/queue"
)

// TestTheClockIsSeenWithoutAnyPush has nothing to receive: AWS's time is known all the
// same, and that the clock was put right.
func TestTheClockIsSeenWithoutAnyPush(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.ECR.SetClockSkew(40 * time.Second)
	clock := &cluster.Clock{}
	stop := receive(t, queue.Options{
		URL: w.QueueURL(), Wait: time.Second, Receivers: 1, AWS: w.AWS(), Clock: clock,
		Metrics: metrics.New(prometheus.NewRegistry()), Log: slog.New(slog.DiscardHandler),
	})
	w.Eventually("the clock is seen", func() bool { return clock.Offset().Round(10*time.Second) == 40*time.Second })
	w.ECR.SetClockSkew(0)
	w.Eventually("the clock is right", func() bool { return clock.Offset() == 0 })
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// receive runs a queue with nothing in it, until the function that it returns is
// called.
func receive(t *testing.T, o queue.Options) (stop func() error) {
	t.Helper()
	q, err := queue.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- q.Run(ctx, func(push.Delivery) {}) }()
	return func() error {
		cancel()
		return <-ended
	}
}
