package queue_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/proerror77/nova-staging/internal/triggertest"
	"github.com/proerror77/nova-staging/trigger/cluster"
	"github.com/proerror77/nova-staging/trigger/metrics"
	"github.com/proerror77/nova-staging/trigger/queue"
)

// TestAnIdleQueueIsKnownToWorkAtOnce has a queue that lets receives wait for 20 s
// unless they say otherwise, as the template makes it. Left to that, the first one was
// taken for a failure after 10 s, and so was each that followed.
func TestAnIdleQueueIsKnownToWorkAtOnce(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	registry := prometheus.NewRegistry()
	var log triggertest.Log
	stop := receive(t, queue.Options{
		URL: w.QueueURL(), Receivers: 1, AWS: w.AWS(), Clock: &cluster.Clock{},
		Metrics: metrics.New(registry), Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	began := time.Now()
	w.Eventually("the queue is up", func() bool { return up(t, registry) }, &log)
	if took := time.Since(began); took > 9*time.Second {
		t.Errorf("it took %s", took)
	}
	if err := stop(); err != nil || strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("%v\n%s", err, &log)
	}
}

func up(t *testing.T, registry *prometheus.Registry) bool {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "nova_trigger_source_up" {
			return f.Metric[0].Gauge.GetValue() == 1
		}
	}
	return false
}
