// Package queue hears of pushes from an SQS queue that EventBridge fills.
package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"

	"github.com/proerror77/nova-staging/trigger/cluster"
	"github.com/proerror77/nova-staging/trigger/metrics"
	"github.com/proerror77/nova-staging/trigger/push"
)

// Options of a [Queue].
type Options struct {
	// URL of the queue, such as
	// https://sqs.ap-northeast-1.amazonaws.com/025434362120/nova-trigger. Required.
	URL string
	// Region of the queue. Optional, default: the URL's, else the SDK's.
	Region string
	// Visibility is how long a message that is being held stays hidden without
	// being extended: so long it takes until another replica gets what a killed one
	// held. Optional, default 30 s.
	Visibility time.Duration
	// Wait is how long a receive waits for messages. Optional, default 20 s, SQS's
	// maximum.
	Wait time.Duration
	// Receivers receive at the same time. Optional, default 2.
	Receivers int
	// AWS replaces parts of the SDK's default configuration. Optional.
	AWS []func(*config.LoadOptions) error
	// Clock follows AWS's clock. Required.
	Clock   *cluster.Clock
	Metrics *metrics.Metrics
	Log     *slog.Logger
}

// maxHeld bounds the messages in hand; SQS allows 120,000 in flight.
const maxHeld = 20_000

// Queue is a [push.Source]. Make it with [New].
type Queue struct {
	o   Options
	api *sqs.Client

	mu   sync.Mutex
	held map[string]*message // by MessageId
	gone map[string]string   // to be deleted: the newest handle by MessageId
	wake chan struct{}
	said map[string]bool
	down bool
	dead *bool // whether there is a dead-letter queue; nil while not known
}

type message struct{ handle string }

var hostRE = regexp.MustCompile(`^sqs\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?$`)

// New loads the SDK's default configuration; it makes no call.
func New(ctx context.Context, o Options) (*Queue, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || strings.Count(strings.Trim(u.Path, "/"), "/") != 1 {
		return nil, fmt.Errorf("queue %q: want a queue's URL, such as https://sqs.ap-northeast-1.amazonaws.com/025434362120/nova-trigger", o.URL)
	}
	if o.Clock == nil || o.Metrics == nil || o.Log == nil {
		return nil, errors.New("make a queue: a required option is missing")
	}
	if o.Visibility == 0 {
		o.Visibility = 30 * time.Second
	}
	if o.Wait == 0 {
		o.Wait = 20 * time.Second
	}
	if o.Receivers == 0 {
		o.Receivers = 2
	}
	if o.Visibility < 3*time.Second || o.Visibility > 12*time.Hour {
		return nil, fmt.Errorf("visibility is %s, want 3s to 12h", o.Visibility)
	}
	if m := hostRE.FindStringSubmatch(u.Hostname()); o.Region == "" && m != nil {
		o.Region = m[1]
	}
	options := append(slices.Clone(o.AWS), config.WithLogger(logging.Nop{}), config.WithAppID("nova-trigger"))
	if o.Region != "" {
		options = append(options, config.WithRegion(o.Region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("load AWS configuration: %w", err)
	}
	if cfg.Region == "" {
		return nil, fmt.Errorf("queue %s: its URL names no region; set --queue-region or AWS_REGION", o.URL)
	}
	q := &Queue{o: o, held: map[string]*message{}, gone: map[string]string{}, wake: make(chan struct{}, 1), said: map[string]bool{}}
	q.api = sqs.NewFromConfig(cfg, func(so *sqs.Options) {
		// The loops below are the one retry layer.
		so.RetryMaxAttempts = 1
	})
	q.up(0) // until it was read
	return q, nil
}

// Run receives, holds, extends and deletes until ctx ends. What is done by then
// is deleted before it returns.
func (q *Queue) Run(ctx context.Context, deliver func(push.Delivery)) error {
	q.mu.Lock()
	q.held, q.gone = map[string]*message{}, map[string]string{} // what an earlier run held has become visible
	q.mu.Unlock()
	var wg sync.WaitGroup
	for range q.o.Receivers {
		wg.Go(func() { q.receive(ctx, deliver) })
	}
	wg.Go(func() { q.extend(ctx) })
	wg.Go(func() { q.deleting(ctx) })
	wg.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	_ = q.flush(last)
	q.release(last)
	q.up(0)
	return nil
}

// hasDeadLetters says whether messages that are not deleted end in a queue of
// their own. Only then malformed ones may be left. It is asked when the first
// comes.
func (q *Queue) hasDeadLetters(ctx context.Context) bool {
	q.mu.Lock()
	known := q.dead
	q.mu.Unlock()
	if known != nil {
		return *known
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := q.api.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &q.o.URL, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn, types.QueueAttributeNameRedrivePolicy},
	})
	// Every queue has an ARN: an answer without one is some proxy's, or broke off.
	if err == nil && out.Attributes[string(types.QueueAttributeNameQueueArn)] == "" {
		err = errors.New("the answer names no queue")
	}
	if err != nil {
		if q.first("attributes") {
			q.o.Log.Warn("the queue's attributes can not be read: malformed messages stay in it until they expire", "error", short(err))
		}
		return true // never delete what could not be read, in doubt
	}
	has := out.Attributes[string(types.QueueAttributeNameRedrivePolicy)] != ""
	q.mu.Lock()
	q.dead = &has
	q.mu.Unlock()
	return has
}

func (q *Queue) receive(ctx context.Context, deliver func(push.Delivery)) {
	failures := 0
	// The first receive does not wait: it tells whether the queue can be read, and
	// AWS's time. A long one that ends empty tells no time, so while clocks differ
	// every second one is short: else a clock that was put right would seem wrong
	// until the next push.
	long := false
	for ctx.Err() == nil {
		if q.heldCount() >= maxHeld {
			pause(ctx, time.Second)
			continue
		}
		wait := q.o.Wait
		if !long {
			wait = 0
		}
		began := time.Now()
		callCtx, cancel := context.WithTimeout(ctx, wait+10*time.Second)
		out, err := q.api.ReceiveMessage(callCtx, &sqs.ReceiveMessageInput{
			QueueUrl: &q.o.URL, MaxNumberOfMessages: 10,
			WaitTimeSeconds: int32(wait.Seconds()), VisibilityTimeout: int32(q.o.Visibility.Seconds()),
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{
				types.MessageSystemAttributeNameApproximateFirstReceiveTimestamp, types.MessageSystemAttributeNameSentTimestamp,
			},
		}, sqs.WithAPIOptions(sayWait))
		cancel()
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			failures++
			q.failed(err)
			pause(ctx, backoff(failures))
			long = false
			continue
		}
		failures = 0
		q.works()
		q.seeClock(began, out.ResultMetadata, len(out.Messages) > 0)
		long = !long || q.o.Clock.Offset() == 0
		for _, m := range out.Messages {
			q.take(ctx, m, deliver)
		}
	}
}

// seeClock notes AWS's time. A long poll that ended empty tells nothing: its
// Date is of an unknown moment.
func (q *Queue) seeClock(began time.Time, metadata middleware.Metadata, got bool) {
	if at, ok := awsmiddleware.GetServerTime(metadata); ok && (got || time.Since(began) < time.Second) {
		now := time.Now()
		q.o.Clock.See(at, now, now)
		q.o.Metrics.ClockOffset.Set(q.o.Clock.Offset().Seconds())
	}
}

func (q *Queue) take(ctx context.Context, m types.Message, deliver func(push.Delivery)) {
	id, handle := aws.ToString(m.MessageId), aws.ToString(m.ReceiptHandle)
	q.mu.Lock()
	if h := q.held[id]; h != nil {
		// Delivered again though it is being held: only the newest handle counts.
		h.handle = handle
		q.mu.Unlock()
		q.o.Metrics.Pushes.WithLabelValues("duplicate").Inc()
		return
	}
	q.held[id] = &message{handle: handle}
	q.mu.Unlock()

	p, err := push.ParseEvent([]byte(aws.ToString(m.Body)))
	var not *push.NotPush
	if errors.As(err, &not) {
		q.refuse(ctx, id, not)
		return
	}
	p.First = milliseconds(m.Attributes[string(types.MessageSystemAttributeNameApproximateFirstReceiveTimestamp)]).Add(-q.o.Clock.Offset())
	deliver(push.Delivery{Push: p, Done: func() { q.done(id) }})
}

// refuse ends with a message that is no push: it is deleted, or when it is
// malformed left for people to find among the dead letters.
func (q *Queue) refuse(ctx context.Context, id string, not *push.NotPush) {
	malformed := not.Reason == push.Malformed
	leave := malformed && q.hasDeadLetters(ctx)
	if q.first("message " + id) {
		q.o.Metrics.Ignored.WithLabelValues(string(not.Reason)).Inc()
		switch {
		case malformed:
			q.o.Log.Error("a message is malformed", "message", id, "what", not.Detail, "leftForDeadLetterQueue", leave)
		case not.Reason == push.Foreign || not.Reason == push.Unsettled:
			if q.first(string(not.Reason) + not.Detail) {
				q.o.Log.Warn("an event that is no push; is the EventBridge rule too wide?", "message", id, "what", not.Error())
			}
		default:
			q.o.Log.Debug("an event that does not matter", "message", id, "what", not.Error())
		}
	}
	if leave {
		q.mu.Lock()
		delete(q.held, id)
		q.mu.Unlock()
		return
	}
	q.done(id)
}

// first says whether a thing is seen for the first time, as far as remembered.
func (q *Queue) first(key string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.said[key] {
		return false
	}
	if len(q.said) >= 10_000 {
		clear(q.said)
	}
	q.said[key] = true
	return true
}

func (q *Queue) heldCount() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.held)
}

// done marks a message for deletion.
func (q *Queue) done(id string) {
	q.mu.Lock()
	if h := q.held[id]; h != nil {
		q.gone[id] = h.handle
		delete(q.held, id)
	}
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *Queue) failed(err error) {
	q.o.Metrics.Errors.WithLabelValues("queue").Inc()
	q.up(0)
	q.mu.Lock()
	first := !q.down
	q.down = true
	q.mu.Unlock()
	if first {
		q.o.Log.Error("the queue can not be read; pushes wait in it, will try again", "queue", q.o.URL, "error", short(err))
	}
}

func (q *Queue) up(v float64) { q.o.Metrics.SourceUp.WithLabelValues("queue").Set(v) }

func (q *Queue) works() {
	q.up(1)
	q.mu.Lock()
	was := q.down
	q.down = false
	q.mu.Unlock()
	if was {
		q.o.Log.Info("the queue can be read again", "queue", q.o.URL)
	}
}

func milliseconds(s string) time.Time {
	ms, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return time.Now()
	}
	return time.UnixMilli(ms)
}

func backoff(failures int) time.Duration {
	most := min(30*time.Second, 500*time.Millisecond<<min(failures, 10))
	return most/2 + rand.N(most/2)
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
