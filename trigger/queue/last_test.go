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

// TestWhatIsDoneIsDeletedAtTheEnd stops a replica right after one push was taken care of,
// while another waits: the next replica gets that one alone, and at once.
func TestWhatIsDoneIsDeletedAtTheEnd(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.Push("nova/auth", "good1")
	w.Push("nova/auth", "good2")
	q, err := queue.New(t.Context(), queue.Options{
		URL: w.QueueURL(), Visibility: time.Hour, Receivers: 1, AWS: w.AWS(), Clock: &cluster.Clock{},
		Metrics: metrics.New(prometheus.NewRegistry()), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	heard := map[string]push.Delivery{}
	err = q.Run(ctx, func(d push.Delivery) {
		heard[d.Push.Tag] = d
		if len(heard) == 2 {
			cancel()
			heard["good1"].Done()
		}
	})
	if err != nil || w.Queue.Len() != 1 || w.Queue.Visible() != 1 {
		t.Errorf("%d messages are left, %d to be received; want the one that waits; %v", w.Queue.Len(), w.Queue.Visible(), err)
	}
}
