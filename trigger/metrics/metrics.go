// Package metrics are trigger's Prometheus metrics.
package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are all of them. Make them with [New].
type Metrics struct {
	Pushes         *prometheus.CounterVec // result
	Ignored        *prometheus.CounterVec // reason
	Moves          *prometheus.CounterVec // kind
	Queued         prometheus.Counter
	Syncs          *prometheus.CounterVec // verdict
	Rollbacks      *prometheus.CounterVec // result
	PushToMoved    prometheus.Histogram
	PushToVerified prometheus.Histogram
	Conflicts      prometheus.Counter
	Errors         *prometheus.CounterVec // source
	Leader         prometheus.Gauge
	ClockOffset    prometheus.Gauge
	ECRCalls       *prometheus.CounterVec // result
	SourceUp       *prometheus.GaugeVec   // source: queue or ecr, those in use
}

// New makes the metrics and registers them. Counters with a fixed set of labels
// begin at zero, so that an alert on their increase sees the first.
func New(r prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "nova", Subsystem: "trigger", Name: name, Help: help}, labels)
	}
	single := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "nova", Subsystem: "trigger", Name: name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "nova", Subsystem: "trigger", Name: name, Help: help})
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "nova", Subsystem: "trigger", Name: name, Help: help, Buckets: buckets})
	}
	m := &Metrics{
		Pushes:         counter("pushes_total", "Pushes heard of, by what became of them.", "result"),
		Ignored:        counter("events_ignored_total", "Events that are no push that matters.", "reason"),
		Moves:          counter("moves_total", "Moves of as-of.", "kind"),
		Queued:         single("queued_total", "Times that settled pushes were recorded to wait for a hold or a sync to end."),
		Syncs:          counter("syncs_total", "Moves by what became of them.", "verdict"),
		Rollbacks:      counter("rollbacks_total", "Automatic rollbacks, started and by their verdict.", "result"),
		PushToMoved:    histogram("push_to_moved_seconds", "From the newest push to as-of moved.", []float64{1, 2, 5, 10, 15, 20, 25, 30, 45, 60, 120, 300, 600, 1800}),
		PushToVerified: histogram("push_to_verified_seconds", "From the newest push to the sync that verified it.", []float64{10, 20, 30, 45, 60, 90, 120, 180, 300, 420, 600, 1200, 3600}),
		Conflicts:      single("conflicts_total", "Writes repeated because the Application had changed."),
		Errors:         counter("errors_total", "Failed calls, by what was called.", "source"),
		Leader:         gauge("leader", "1 on the replica that acts."),
		ClockOffset:    gauge("clock_offset_seconds", "How far AWS's clock is ahead of ours; 0 below two seconds."),
		ECRCalls:       counter("ecr_calls_total", "DescribeImages calls: of the poller, and for the push times on the board.", "result"),
		SourceUp: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "nova", Subsystem: "trigger", Name: "source_up", Help: "1 while pushes can be heard of from a source.",
		}, []string{"source"}),
	}
	for _, v := range []string{"accepted", "duplicate", "covered", "irrelevant"} {
		m.Pushes.WithLabelValues(v)
	}
	for _, v := range []string{"malformed", "foreign", "delete", "failed", "untagged", "artifact"} {
		m.Ignored.WithLabelValues(v)
	}
	for _, v := range []string{"deploy", "rollback"} {
		m.Moves.WithLabelValues(v)
	}
	for _, v := range []string{"verified", "unchanged", "failed", "renderfailed"} {
		m.Syncs.WithLabelValues(v)
	}
	for _, v := range []string{"started", "verified", "failed"} {
		m.Rollbacks.WithLabelValues(v)
	}
	for _, v := range []string{"ok", "throttled", "error"} {
		m.ECRCalls.WithLabelValues(v)
	}
	for _, v := range []string{"kubernetes", "queue", "ecr"} {
		m.Errors.WithLabelValues(v)
	}
	r.MustRegister(m.Pushes, m.Ignored, m.Moves, m.Queued, m.Syncs, m.Rollbacks, m.PushToMoved, m.PushToVerified,
		m.Conflicts, m.Errors, m.Leader, m.ClockOffset, m.ECRCalls, m.SourceUp)
	return m
}
