package ecremulator_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"github.com/proerror77/nova-staging/internal/ecremulator"
)

func (f *fixture) sqs() *sqs.Client {
	return sqs.New(sqs.Options{BaseEndpoint: &f.URL, Region: region, Credentials: static(f.Credentials()), RetryMaxAttempts: 1})
}

func receive(t *testing.T, c *sqs.Client, url string, wait, visibility int32) []types.Message {
	t.Helper()
	out, err := c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: &url, MaxNumberOfMessages: 10, WaitTimeSeconds: wait, VisibilityTimeout: visibility,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll, types.MessageSystemAttributeNameApproximateReceiveCount},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Messages
}

func TestAQueueGetsEventsOfPushes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	q := must(f.CreateQueue(account, region, "events", ecremulator.QueueOptions{}))
	f.EmitTo(q)
	index := ecremulator.BuildxIndex("one", "linux/amd64")
	must(f.repository.Push(index, "v1", "latest"))
	must(f.repository.Push(index, "v1.0")) // what it lists is there
	got := map[ecremulator.EventDetail]int{}
	for _, m := range receive(t, f.sqs(), f.URL+q.Path(), 0, 30) {
		var e ecremulator.Event
		if err := json.Unmarshal([]byte(*m.Body), &e); err != nil {
			t.Fatal(err)
		}
		if e.Source != "aws.ecr" || e.DetailType != "ECR Image Action" || e.Account != account || e.Region != region || e.Time != "2026-03-04T05:06:07Z" {
			t.Errorf("event is %+v", e)
		}
		got[e.Detail]++
	}
	detail := func(c ecremulator.Content, tag, artifact string) ecremulator.EventDetail {
		return ecremulator.EventDetail{
			Result: "SUCCESS", RepositoryName: repo, ImageDigest: c.Digest(), ActionType: "PUSH", ImageTag: tag,
			ManifestMediaType: c.MediaType(), ArtifactMediaType: artifact,
		}
	}
	const config = "application/vnd.oci.image.config.v1+json"
	want := map[ecremulator.EventDetail]int{
		detail(index.Children()[0], "", config): 1, detail(index.Children()[1], "", config): 1,
		detail(index, "v1", ""): 1, detail(index, "latest", ""): 1, detail(index, "v1.0", ""): 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events differ (-want +got):\n%s", diff)
	}
}

func TestAMessageComesAgainUntilItIsDeleted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	q := must(f.CreateQueue(account, region, "events", ecremulator.QueueOptions{}))
	c, url := f.sqs(), f.URL+q.Path()
	if _, err := c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("hello")}); err != nil {
		t.Fatal(err)
	}
	first := receive(t, c, url, 0, 1)
	if len(first) != 1 || len(receive(t, c, url, 0, 1)) != 0 {
		t.Fatal("a message that was received must be hidden")
	}
	began := time.Now()
	second := receive(t, c, url, 5, 30) // a long poll ends when it becomes visible
	if len(second) != 1 || time.Since(began) > 3*time.Second || second[0].Attributes["ApproximateReceiveCount"] != "2" {
		t.Fatalf("got %d after %s", len(second), time.Since(began))
	}
	// The old handle deletes nothing, the new one gives it back, and then deletes it.
	_, err := c.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: first[0].ReceiptHandle})
	if err != nil || q.Len() != 1 {
		t.Fatalf("%v, %d left", err, q.Len())
	}
	if _, err := c.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{QueueUrl: &url, ReceiptHandle: second[0].ReceiptHandle, VisibilityTimeout: 0}); err != nil {
		t.Fatal(err)
	}
	third := receive(t, c, url, 0, 30)
	out, err := c.DeleteMessageBatch(t.Context(), &sqs.DeleteMessageBatchInput{QueueUrl: &url, Entries: []types.DeleteMessageBatchRequestEntry{{Id: aws.String("a"), ReceiptHandle: third[0].ReceiptHandle}}})
	if err != nil || len(out.Successful) != 1 || q.Len() != 0 {
		t.Fatalf("%v, %+v, %d left", err, out, q.Len())
	}
}

func TestAMessageThatIsNeverDeletedDies(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	dead := must(f.CreateQueue(account, region, "dead", ecremulator.QueueOptions{}))
	q := must(f.CreateQueue(account, region, "events", ecremulator.QueueOptions{DeadLetter: dead, MaxReceives: 2}))
	q.Send("x")
	c, url := f.sqs(), f.URL+q.Path()
	for range 3 {
		receive(t, c, url, 0, 30)
		q.ExpireVisibility()
	}
	if q.Len() != 0 || dead.Len() != 1 {
		t.Errorf("%d left, %d dead", q.Len(), dead.Len())
	}
}

func TestQueuesRefuse(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	q := must(f.CreateQueue(account, region, "events", ecremulator.QueueOptions{}))
	url := f.URL + q.Path()
	_, err := f.sqs().ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: aws.String(url + "-not")})
	wantCode(t, err, "AWS.SimpleQueueService.NonExistentQueue")
	_, err = f.sqs().ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 11})
	wantCode(t, err, "InvalidParameterValue")
	stranger := must(f.CreateUser("111122223333", "ci"))
	c := sqs.New(sqs.Options{BaseEndpoint: &f.URL, Region: region, Credentials: static(stranger), RetryMaxAttempts: 1})
	_, err = c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url})
	wantCode(t, err, "AccessDenied") // of the query protocol, as the header has it
	if err == nil || !strings.Contains(err.Error(), "is not authorized to perform: sqs:receivemessage on resource: "+q.ARN()) {
		t.Errorf("the refusal does not say of what: %v", err)
	}
	lift := f.Inject(ecremulator.Fault{Kind: ecremulator.Unavailable, Op: "ReceiveMessage"})
	_, err = f.sqs().ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url})
	wantCode(t, err, "ServiceUnavailableException")
	lift.Remove()
}

func TestAFaultOfOneQueueLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	q, other := must(f.CreateQueue(account, region, "events", ecremulator.QueueOptions{})), must(f.CreateQueue(account, region, "others", ecremulator.QueueOptions{}))
	f.Inject(ecremulator.Fault{Kind: ecremulator.Unavailable, Op: ecremulator.AnyOperation, Queue: "events"})
	for queue, fails := range map[*ecremulator.Queue]bool{q: true, other: false} {
		url := f.URL + queue.Path()
		_, err := f.sqs().ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url})
		if (err != nil) != fails {
			t.Errorf("%s: %v, want an error: %v", queue.Path(), err, fails)
		}
	}
}

// As the SQS API reference says, and moto has it too.
func TestABatchIsCheckedEntryByEntry(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	q := must(f.CreateQueue(account, region, "events", ecremulator.QueueOptions{}))
	c, url := f.sqs(), f.URL+q.Path()
	q.Send("one")
	q.Send("two")
	messages := receive(t, c, url, 0, 30)
	one, two, bogus := messages[0].ReceiptHandle, messages[1].ReceiptHandle, aws.String("bogus")
	remove := func(entries ...types.DeleteMessageBatchRequestEntry) (*sqs.DeleteMessageBatchOutput, error) {
		return c.DeleteMessageBatch(t.Context(), &sqs.DeleteMessageBatchInput{QueueUrl: &url, Entries: entries})
	}
	hide := func(entries ...types.ChangeMessageVisibilityBatchRequestEntry) (*sqs.ChangeMessageVisibilityBatchOutput, error) {
		return c.ChangeMessageVisibilityBatch(t.Context(), &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &url, Entries: entries})
	}
	entry := func(id string, handle *string) types.DeleteMessageBatchRequestEntry {
		return types.DeleteMessageBatchRequestEntry{Id: &id, ReceiptHandle: handle}
	}
	_, err := remove(entry("a", one), entry("a", two))
	wantCode(t, err, "AWS.SimpleQueueService.BatchEntryIdsNotDistinct")
	_, err = remove(entry("a/b", one))
	wantCode(t, err, "AWS.SimpleQueueService.InvalidBatchEntryId")
	_, err = remove([]types.DeleteMessageBatchRequestEntry{}...)
	wantCode(t, err, "AWS.SimpleQueueService.EmptyBatchRequest")
	_, err = c.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: bogus})
	wantCode(t, err, "ReceiptHandleIsInvalid")
	_, err = c.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{QueueUrl: &url, ReceiptHandle: bogus})
	wantCode(t, err, "ReceiptHandleIsInvalid")
	_, err = c.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{QueueUrl: &url, ReceiptHandle: one, VisibilityTimeout: 43201})
	wantCode(t, err, "InvalidParameterValue")
	if q.Len() != 2 {
		t.Fatalf("%d messages, want 2: a batch that is refused does nothing", q.Len())
	}

	hidden, err := hide(
		types.ChangeMessageVisibilityBatchRequestEntry{Id: aws.String("a"), ReceiptHandle: one, VisibilityTimeout: 60},
		types.ChangeMessageVisibilityBatchRequestEntry{Id: aws.String("b"), ReceiptHandle: bogus, VisibilityTimeout: 60},
		types.ChangeMessageVisibilityBatchRequestEntry{Id: aws.String("c"), ReceiptHandle: two, VisibilityTimeout: 43200}, // from the first receive on
	)
	if err != nil || len(hidden.Successful) != 1 || len(hidden.Failed) != 2 {
		t.Fatalf("%v, %+v", err, hidden)
	}
	wantFailed(t, hidden.Failed[0], "b", "ReceiptHandleIsInvalid", true)
	wantFailed(t, hidden.Failed[1], "c", "InvalidParameterValue", true)

	q.FailEntries(1)
	out, err := remove(entry("a", one), entry("b", bogus), entry("c", two))
	if err != nil || len(out.Successful) != 1 || len(out.Failed) != 2 || q.Len() != 1 {
		t.Fatalf("%v, %+v, %d left", err, out, q.Len())
	}
	wantFailed(t, out.Failed[0], "a", "InternalError", false)
	wantFailed(t, out.Failed[1], "b", "ReceiptHandleIsInvalid", true)
	// What is deleted already may be deleted again.
	if out, err := remove(entry("a", one), entry("c", two)); err != nil || len(out.Successful) != 2 || q.Len() != 0 {
		t.Fatalf("%v, %+v, %d left", err, out, q.Len())
	}
}

func wantFailed(t *testing.T, e types.BatchResultErrorEntry, id, code string, sender bool) {
	t.Helper()
	if aws.ToString(e.Id) != id || aws.ToString(e.Code) != code || e.SenderFault != sender {
		t.Errorf("entry %s failed with %s, by the sender's fault %t: want %s with %s, %t", aws.ToString(e.Id), aws.ToString(e.Code), e.SenderFault, id, code, sender)
	}
}

func TestADeadMessageKeepsItsID(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	dead := must(f.CreateQueue(account, region, "dead", ecremulator.QueueOptions{}))
	q := must(f.CreateQueue(account, region, "events", ecremulator.QueueOptions{DeadLetter: dead, MaxReceives: 1}))
	id := q.Send("x")
	c := f.sqs()
	alive := receive(t, c, f.URL+q.Path(), 0, 30)
	q.ExpireVisibility()
	if out := receive(t, c, f.URL+q.Path(), 0, 30); out != nil {
		t.Errorf("an empty answer lists %v; SQS leaves the list out", out)
	}
	got := receive(t, c, f.URL+dead.Path(), 0, 30)
	if len(got) != 1 || *got[0].MessageId != id || got[0].Attributes["SentTimestamp"] != alive[0].Attributes["SentTimestamp"] ||
		got[0].Attributes["DeadLetterQueueSourceArn"] != q.ARN() {
		t.Errorf("got %+v, want message %s as it was sent", got, id)
	}
}
