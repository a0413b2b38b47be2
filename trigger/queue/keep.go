package queue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
)

const (
	batch = 10 // entries of one call, SQS's maximum
	// gather is how long deletions are gathered for one call.
	gather = 100 * time.Millisecond
)

// deleting deletes what is done until ctx ends.
func (q *Queue) deleting(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case <-q.wake:
		}
		pause(ctx, gather)
		if ctx.Err() != nil {
			return
		}
		err := q.flush(ctx)
		if err == nil {
			failures = 0
			continue
		}
		if failures++; ctx.Err() == nil {
			q.o.Metrics.Errors.WithLabelValues("queue").Inc()
			if failures == 1 {
				q.o.Log.Error("messages can not be deleted; they come again and are known then", "queue", q.o.URL, "error", short(err))
			}
		}
		pause(ctx, backoff(failures))
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
}

// flush deletes what is done. What can not be deleted stays to be deleted; it may come
// again meanwhile, and is known then.
func (q *Queue) flush(ctx context.Context) error {
	var refused error
	q.mu.Lock()
	todo := slices.Collect(maps.Keys(q.gone))
	q.mu.Unlock()
	for ids := range slices.Chunk(todo, batch) {
		q.mu.Lock()
		handles := make([]string, len(ids))
		entries := make([]types.DeleteMessageBatchRequestEntry, len(ids))
		for i, message := range ids {
			id := strconv.Itoa(i)
			handles[i] = q.gone[message]
			entries[i] = types.DeleteMessageBatchRequestEntry{Id: &id, ReceiptHandle: &handles[i]}
		}
		q.mu.Unlock()
		callCtx, cancel := context.WithTimeout(ctx, 10*time.Second)
		out, err := q.api.DeleteMessageBatch(callCtx, &sqs.DeleteMessageBatchInput{QueueUrl: &q.o.URL, Entries: entries})
		cancel()
		if err != nil {
			return err
		}
		// Entries can fail while the call succeeds. One that is our fault, as by a bad
		// handle, would fail for ever: it needs another handle, which it comes again with.
		again := map[string]bool{}
		for _, f := range out.Failed {
			if !f.SenderFault {
				again[aws.ToString(f.Id)] = true
				refused = fmt.Errorf("%s: %s", aws.ToString(f.Code), aws.ToString(f.Message))
			}
		}
		q.mu.Lock()
		for i, message := range ids {
			if q.gone[message] == handles[i] && !again[strconv.Itoa(i)] { // else it has come again meanwhile
				delete(q.gone, message)
			}
		}
		q.mu.Unlock()
	}
	return refused
}

// extend keeps what is held hidden until ctx ends.
func (q *Queue) extend(ctx context.Context) {
	failing := false
	for ctx.Err() == nil {
		pause(ctx, q.o.Visibility/3)
		if ctx.Err() != nil {
			return
		}
		err := q.setVisibility(ctx, int32(q.o.Visibility.Seconds()))
		if err != nil && ctx.Err() == nil {
			q.o.Metrics.Errors.WithLabelValues("queue").Inc()
			if !failing {
				q.o.Log.Error("messages can not be kept hidden while they wait; they come again and are known then", "queue", q.o.URL, "error", short(err))
			}
		}
		failing = err != nil
	}
}

// release makes what is held visible at once, for the replica that takes over.
func (q *Queue) release(ctx context.Context) {
	if err := q.setVisibility(ctx, 0); err != nil {
		q.o.Log.Debug("messages could not be given back; they come again by themselves", "error", short(err))
	}
	q.mu.Lock()
	q.held = map[string]*message{}
	q.mu.Unlock()
}

func (q *Queue) setVisibility(ctx context.Context, seconds int32) error {
	q.mu.Lock()
	handles := make([]string, 0, len(q.held))
	for _, h := range q.held {
		handles = append(handles, h.handle)
	}
	q.mu.Unlock()
	for len(handles) > 0 {
		n := min(batch, len(handles))
		entries := make([]types.ChangeMessageVisibilityBatchRequestEntry, n)
		for i := range n {
			id := strconv.Itoa(i)
			entries[i] = types.ChangeMessageVisibilityBatchRequestEntry{Id: &id, ReceiptHandle: &handles[i], VisibilityTimeout: seconds}
		}
		callCtx, cancel := context.WithTimeout(ctx, 10*time.Second)
		// A message of which the call says that it failed comes again: no harm.
		_, err := q.api.ChangeMessageVisibilityBatch(callCtx, &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &q.o.URL, Entries: entries})
		cancel()
		if err != nil {
			return err
		}
		handles = handles[n:]
	}
	return nil
}

// short is an error of the SDK in one line, without request IDs and what else
// differs each time.
func short(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode() + ": " + api.ErrorMessage()
	}
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err.Error()
		}
		err = next
	}
}
