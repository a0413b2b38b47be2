package queue_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/proerror77/nova-staging/internal/ecremulator"
	"github.com/proerror77/nova-staging/internal/triggertest"
	"github.com/proerror77/nova-staging/trigger/cluster"
	"github.com/proerror77/nova-staging/trigger/metrics"
	"github.com/proerror77/nova-staging/trigger/queue"
)

// TestAMessageThatABatchDoesNotDeleteIsDeletedAgain has a call succeed and entries of
// it fail, by SQS's fault. Left to come again, each time brings a message closer to the
// dead letters.
func TestAMessageThatABatchDoesNotDeleteIsDeletedAgain(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.Queue.Send(`{"source": "aws.ecr", "detail-type": "ECR Scan"}`)
	w.Queue.Send(`{"source": "aws.ecr", "detail-type": "ECR Scan"}`)
	w.Queue.FailEntries(3)
	var log triggertest.Log
	stop := receive(t, queue.Options{
		URL: w.QueueURL(), Visibility: time.Hour, AWS: w.AWS(), Clock: &cluster.Clock{},
		Metrics: metrics.New(prometheus.NewRegistry()), Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	w.Eventually("both are deleted", func() bool { return w.Queue.Len() == 0 }, &log)
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestAMalformedMessageIsDeletedWhereNothingTakesIt has a queue without dead letters,
// in which it would come again for days.
func TestAMalformedMessageIsDeletedWhereNothingTakesIt(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	alone, err := w.ECR.CreateQueue(triggertest.Account, triggertest.Region, "alone", ecremulator.QueueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	alone.Send("{")
	var log triggertest.Log
	stop := receive(t, queue.Options{
		URL: w.ECR.URL + alone.Path(), AWS: w.AWS(), Clock: &cluster.Clock{},
		Metrics: metrics.New(prometheus.NewRegistry()), Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	w.Eventually("it is deleted", func() bool { return alone.Len() == 0 }, &log)
	if err := stop(); err != nil || !strings.Contains(log.String(), "a message is malformed") {
		t.Errorf("%v\n%s", err, &log)
	}
}
