package ecremulator

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	sqsPrefix  = "AmazonSQS."
	sqsType    = "application/x-amz-json-1.0"
	maxSQSWait = 20 * time.Second
)

// sqsOperation answers one operation of SQS on a queue.
type sqsOperation func(e *Emulator, r *request, q *Queue) (any, *apiError)

var sqsOperations = map[string]sqsOperation{
	"ChangeMessageVisibility":      sqsDecoded(sqsChangeVisibility),
	"ChangeMessageVisibilityBatch": sqsDecoded(sqsChangeVisibilityBatch),
	"DeleteMessage":                sqsDecoded(sqsDelete),
	"DeleteMessageBatch":           sqsDecoded(sqsDeleteBatch),
	"GetQueueAttributes":           sqsDecoded(sqsAttributes),
	"ReceiveMessage":               sqsDecoded(sqsReceive),
	"SendMessage":                  sqsDecoded(sqsSend),
}

// sqsOperationNames is what [Fault.Op] may be besides.
func sqsOperationNames() []string {
	return []string{
		"ChangeMessageVisibility", "ChangeMessageVisibilityBatch", "DeleteMessage", "DeleteMessageBatch",
		"GetQueueAttributes", "GetQueueUrl", "ReceiveMessage", "SendMessage",
	}
}

func sqsDecoded[In any](f func(*Emulator, *request, *Queue, *In) (any, *apiError)) sqsOperation {
	return func(e *Emulator, r *request, q *Queue) (any, *apiError) {
		in := new(In)
		if err := json.Unmarshal(r.body, in); err != nil {
			return nil, clientError("SerializationException", "")
		}
		return f(e, r, q, in)
	}
}

// answerSQS answers a call of SQS in its JSON protocol.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-json-api-responses.html
func (e *Emulator) answerSQS(r *request) response {
	r.fail = func(err *apiError) response { return sqsError(r, err) }
	name := strings.TrimPrefix(r.http.Header.Get("X-Amz-Target"), sqsPrefix)
	r.call.Operation = name
	op, known := sqsOperations[name]
	if r.http.Method != http.MethodPost || !known && name != "GetQueueUrl" {
		return r.fail(clientError("UnknownOperationException", ""))
	}
	if err := e.authenticate(r, "sqs"); err != nil {
		return r.fail(err)
	}
	var in struct{ QueueURL, QueueName string }
	_ = json.Unmarshal(r.body, &in) // what is wrong with it is said below
	r.call.Queue = in.QueueName
	if in.QueueURL != "" {
		r.call.Queue = path.Base(in.QueueURL)
	}
	return e.spoiled(r, func() response {
		out, err := e.callSQS(r, name, op)
		if err != nil {
			return r.fail(err)
		}
		return response{status: http.StatusOK, header: http.Header{"Content-Type": {sqsType}}, body: marshal(out)}
	})
}

func (e *Emulator) callSQS(r *request, name string, op sqsOperation) (any, *apiError) {
	var in struct{ QueueURL, QueueName, QueueOwnerAWSAccountID string }
	if json.Unmarshal(r.body, &in) != nil {
		return nil, clientError("SerializationException", "")
	}
	if name == "GetQueueUrl" {
		if in.QueueOwnerAWSAccountID == "" {
			in.QueueOwnerAWSAccountID = e.accountOf(r.caller)
		}
		in.QueueURL = "http://" + r.http.Host + "/" + in.QueueOwnerAWSAccountID + "/" + in.QueueName
	}
	u, err := url.Parse(in.QueueURL)
	if err != nil {
		return nil, errNoQueue()
	}
	e.mu.RLock()
	q := e.queues[u.Path]
	e.mu.RUnlock()
	if q == nil || q.region != r.region {
		return nil, errNoQueue()
	}
	if e.accountOf(r.caller) != q.account {
		return nil, &apiError{http.StatusForbidden, "AccessDeniedException", "User: " + e.arnOf(r.caller, r.region) +
			" is not authorized to perform: sqs:" + strings.ToLower(name) + " on resource: " + q.ARN() +
			" because no resource-based policy allows the sqs:" + strings.ToLower(name) + " action"}
	}
	if name == "GetQueueUrl" {
		return map[string]string{"QueueUrl": in.QueueURL}, nil
	}
	return op(e, r, q)
}

func errNoQueue() *apiError {
	return clientError("QueueDoesNotExist", "The specified queue does not exist.")
}

func sqsError(r *request, err *apiError) response {
	r.call.Error = err.code
	query := err.code
	switch err.code {
	case "AccessDeniedException":
		query = "AccessDenied"
	case "ExpiredTokenException":
		query = "ExpiredToken"
	case "UnrecognizedClientException":
		query = "InvalidClientTokenId"
	case "QueueDoesNotExist":
		query = "AWS.SimpleQueueService.NonExistentQueue"
	case "MessageNotInflight", "TooManyEntriesInBatchRequest", "EmptyBatchRequest", "BatchEntryIdsNotDistinct", "InvalidBatchEntryId":
		query = "AWS.SimpleQueueService." + err.code
	}
	fault := "Sender"
	if err.status >= 500 {
		fault = "Receiver"
	}
	return response{
		status: err.status,
		header: http.Header{"Content-Type": {sqsType}, "X-Amzn-Query-Error": {query + ";" + fault}},
		body:   errorBody("com.amazonaws.sqs#", err),
	}
}

type sqsReceiveInput struct {
	MaxNumberOfMessages         *int
	VisibilityTimeout           *int
	WaitTimeSeconds             *int
	AttributeNames              []string
	MessageSystemAttributeNames []string
}

type sqsMessage struct {
	MessageID     string            `json:"MessageId"`
	ReceiptHandle string            `json:"ReceiptHandle"`
	MD5OfBody     string            `json:"MD5OfBody"`
	Body          string            `json:"Body"`
	Attributes    map[string]string `json:"Attributes,omitempty"`
}

// sqsReceived leaves the list out when it is empty, as SQS does.
type sqsReceived struct {
	Messages []sqsMessage `json:"Messages,omitempty"`
}

func sqsReceive(_ *Emulator, r *request, q *Queue, in *sqsReceiveInput) (any, *apiError) {
	n, visibility := 1, q.visibility
	if in.MaxNumberOfMessages != nil {
		n = *in.MaxNumberOfMessages
	}
	if n < 1 || n > 10 {
		return nil, clientError("InvalidParameterValue", "Value %d for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.", n)
	}
	if in.VisibilityTimeout != nil {
		visibility = time.Duration(*in.VisibilityTimeout) * time.Second
	}
	limit := q.wait
	if in.WaitTimeSeconds != nil {
		limit = time.Duration(*in.WaitTimeSeconds) * time.Second
	}
	if visibility < 0 || visibility > maxHidden {
		return nil, clientError("InvalidParameterValue", "Value %d for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200, if provided.", int(visibility.Seconds()))
	}
	if limit < 0 || limit > maxSQSWait {
		return nil, clientError("InvalidParameterValue", "Value %d for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.", int(limit.Seconds()))
	}
	wanted := append(in.AttributeNames, in.MessageSystemAttributeNames...)
	deadline := time.Now().Add(limit)
	for {
		got, arrived, next := q.receive(n, visibility)
		if len(got) > 0 || !time.Now().Before(deadline) {
			return sqsReceived{sqsMessages(got, wanted)}, nil
		}
		until := deadline
		if !next.IsZero() && next.Before(until) {
			until = next
		}
		t := time.NewTimer(time.Until(until))
		select {
		case <-t.C:
		case <-arrived:
		case <-r.http.Context().Done():
		}
		t.Stop()
		if r.http.Context().Err() != nil {
			return sqsReceived{}, nil // nobody reads it
		}
	}
}

func sqsMessages(got []received, wanted []string) []sqsMessage {
	out := make([]sqsMessage, len(got))
	for i, m := range got {
		out[i] = sqsMessage{MessageID: m.id, ReceiptHandle: m.handle, MD5OfBody: md5Of(m.body), Body: m.body}
		all := map[string]string{
			"SentTimestamp":                    strconv.FormatInt(m.sent.UnixMilli(), 10),
			"ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.first.UnixMilli(), 10),
			"ApproximateReceiveCount":          strconv.Itoa(m.receives),
		}
		if m.source != "" {
			all["DeadLetterQueueSourceArn"] = m.source
		}
		if !slices.Contains(wanted, "All") {
			maps.DeleteFunc(all, func(name, _ string) bool { return !slices.Contains(wanted, name) })
		}
		out[i].Attributes = all
	}
	return out
}

type sqsHandle struct {
	ID                string `json:"Id"`
	ReceiptHandle     string
	VisibilityTimeout int
}

type sqsBatch struct{ Entries []sqsHandle }

var sqsIDRE = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

func (b *sqsBatch) check() *apiError {
	switch {
	case len(b.Entries) == 0:
		return clientError("EmptyBatchRequest", "There should be at least one entry in the request.")
	case len(b.Entries) > 10:
		return clientError("TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10. You have sent %d.", len(b.Entries))
	}
	seen := map[string]bool{}
	for _, h := range b.Entries {
		switch {
		case !sqsIDRE.MatchString(h.ID):
			return clientError("InvalidBatchEntryId", "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.")
		case seen[h.ID]:
			return clientError("BatchEntryIdsNotDistinct", "Id %s repeated.", h.ID)
		}
		seen[h.ID] = true
	}
	return nil
}

type sqsBatchResult struct {
	Successful []map[string]string `json:"Successful"`
	Failed     []map[string]any    `json:"Failed"`
}

// each does a thing for every entry of a batch; each fails alone.
func (b *sqsBatch) each(q *Queue, do func(sqsHandle) *apiError) (any, *apiError) {
	if err := b.check(); err != nil {
		return nil, err
	}
	out := sqsBatchResult{Successful: []map[string]string{}, Failed: []map[string]any{}}
	for _, h := range b.Entries {
		var err *apiError
		if q.fails() {
			err = &apiError{http.StatusInternalServerError, "InternalError", "We encountered an internal error. Please try again."}
		} else {
			err = do(h)
		}
		if err != nil {
			out.Failed = append(out.Failed, map[string]any{"Id": h.ID, "Code": err.code, "Message": err.message, "SenderFault": err.status < 500})
			continue
		}
		out.Successful = append(out.Successful, map[string]string{"Id": h.ID})
	}
	return out, nil
}

func sqsDelete(_ *Emulator, _ *request, q *Queue, in *sqsHandle) (any, *apiError) {
	return struct{}{}, q.remove(in.ReceiptHandle)
}

func sqsDeleteBatch(_ *Emulator, _ *request, q *Queue, in *sqsBatch) (any, *apiError) {
	return in.each(q, func(h sqsHandle) *apiError { return q.remove(h.ReceiptHandle) })
}

func sqsChangeVisibility(_ *Emulator, _ *request, q *Queue, in *sqsHandle) (any, *apiError) {
	return struct{}{}, q.hide(in.ReceiptHandle, time.Duration(in.VisibilityTimeout)*time.Second)
}

func sqsChangeVisibilityBatch(_ *Emulator, _ *request, q *Queue, in *sqsBatch) (any, *apiError) {
	return in.each(q, func(h sqsHandle) *apiError {
		return q.hide(h.ReceiptHandle, time.Duration(h.VisibilityTimeout)*time.Second)
	})
}

func errNotInflight(handle string) *apiError {
	return clientError("MessageNotInflight", "Value %s for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.", handle)
}

func errBadHandle(handle string) *apiError {
	return clientError("ReceiptHandleIsInvalid", "The input receipt handle %q is not a valid receipt handle.", handle)
}

func sqsAttributes(_ *Emulator, _ *request, q *Queue, in *struct{ AttributeNames []string }) (any, *apiError) {
	all := map[string]string{
		"QueueArn":                      q.ARN(),
		"ApproximateNumberOfMessages":   strconv.Itoa(q.Visible()),
		"VisibilityTimeout":             strconv.Itoa(int(q.visibility.Seconds())),
		"ReceiveMessageWaitTimeSeconds": strconv.Itoa(int(q.wait.Seconds())),
	}
	if q.dead != nil {
		all["RedrivePolicy"] = string(marshal(map[string]any{"deadLetterTargetArn": q.dead.ARN(), "maxReceiveCount": q.maxReceive}))
	}
	out := map[string]string{}
	for _, name := range in.AttributeNames {
		if name == "All" {
			out = all
			break
		}
		if v, ok := all[name]; ok {
			out[name] = v
		}
	}
	return map[string]any{"Attributes": out}, nil
}

func sqsSend(_ *Emulator, _ *request, q *Queue, in *struct{ MessageBody string }) (any, *apiError) {
	if in.MessageBody == "" {
		return nil, clientError("MissingParameter", "The request must contain the parameter MessageBody.")
	}
	return map[string]string{"MessageId": q.Send(in.MessageBody), "MD5OfMessageBody": md5Of(in.MessageBody)}, nil
}
