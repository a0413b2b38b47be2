package queue

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/proerror77/nova-staging/trigger/push"
)

// pushedAt is the message about a push.
func pushedAt(at time.Time) *string {
	return aws.String(fmt.Sprintf(`{"id": "1", "source": "aws.ecr", "detail-type": "ECR Image Action", "account": "025434362120", "region": "ap-northeast-1", "time": %q,
		"detail": {"result": "SUCCESS", "action-type": "PUSH", "repository-name": "nova/auth", "image-digest": "sha256:%064d", "image-tag": "x"}}`,
		at.UTC().Format(time.RFC3339), 1))
}

// TestAMessageThatComesAgainIsDeletedOnce has a message come again and again, as for
// days while the role lacks the right to delete.
func TestAMessageThatComesAgainIsDeletedOnce(t *testing.T) {
	t.Parallel()
	q := &Queue{held: map[string]*message{}, gone: map[string]string{}, wake: make(chan struct{}, 1)}
	for i := range 1000 {
		q.held["m"] = &message{handle: fmt.Sprint(i)}
		q.done("m")
	}
	if len(q.gone) != 1 || q.gone["m"] != "999" || len(q.held) != 0 {
		t.Errorf("%d to delete, by the handle %s; %d held", len(q.gone), q.gone["m"], len(q.held))
	}
}

// TestAMessageThatComesAgainWhileItIsHeldIsDeliveredOnce is what SQS may do at any time.
// By its first handle it could not be deleted any more.
func TestAMessageThatComesAgainWhileItIsHeldIsDeliveredOnce(t *testing.T) {
	t.Parallel()
	q := answered(t, 0, func(asked) string { return "" })
	var heard []push.Delivery
	for _, handle := range []string{"1", "2"} {
		q.take(t.Context(), types.Message{MessageId: aws.String("m"), ReceiptHandle: aws.String(handle), Body: pushedAt(time.Now())}, func(d push.Delivery) { heard = append(heard, d) })
	}
	if len(heard) != 1 {
		t.Fatalf("it is delivered %d times", len(heard))
	}
	heard[0].Done()
	if q.gone["m"] != "2" {
		t.Errorf("it is to be deleted by the handle %q, want the newest", q.gone["m"])
	}
}

// SQS says it by its own clock, ahead of ours.
func TestWhenAMessageWasFirstReceivedIsByOurClock(t *testing.T) {
	t.Parallel()
	q := answered(t, 0, func(asked) string { return "" })
	now := time.Now()
	q.o.Clock.See(now.Add(40*time.Second), now, now)
	first := now.Add(10 * time.Second) // 30 s ago
	var heard push.Push
	q.take(t.Context(), types.Message{MessageId: aws.String("m"), ReceiptHandle: aws.String("1"), Body: pushedAt(now), Attributes: map[string]string{
		string(types.MessageSystemAttributeNameApproximateFirstReceiveTimestamp): fmt.Sprint(first.UnixMilli()),
	}}, func(d push.Delivery) { heard = d.Push })
	if ago := now.Sub(heard.First); (ago - 30*time.Second).Abs() > 2*time.Second {
		t.Errorf("%s ago, want 30s", ago)
	}
}
