package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/proerror77/nova-staging/trigger/cluster"
	"github.com/proerror77/nova-staging/trigger/metrics"
)

// asked is a call about some messages.
type asked struct {
	Op      string
	Entries []struct {
		ReceiptHandle     string
		VisibilityTimeout int
	}
}

// answered is a queue whose calls get these answers.
func answered(t *testing.T, answer func(asked) string) *Queue {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := asked{Op: strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")}
		if err := json.NewDecoder(r.Body).Decode(&a); err != nil {
			t.Error(err)
		}
		fmt.Fprintf(w, "{%s}", answer(a))
	}))
	t.Cleanup(server.Close)
	q, err := New(t.Context(), Options{
		URL: server.URL + "/025434362120/nova-trigger", Region: "ap-northeast-1", Visibility: 3 * time.Second, Clock: &cluster.Clock{},
		AWS: []func(*config.LoadOptions) error{
			config.WithBaseEndpoint(server.URL), config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("id", "key", "")),
		},
		Metrics: metrics.New(prometheus.NewRegistry()), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestWhatADeletionLeavesToBeDeleted(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		answer string
		again  bool // the message comes again before the answer
		want   map[string]string
		err    bool
	}{
		{"nothing", `"Successful": [{"Id": "0"}]`, false, map[string]string{}, false},
		{"what SQS could not delete", `"Failed": [{"Id": "0", "Code": "InternalError", "SenderFault": false}]`, false, map[string]string{"m": "1"}, true},
		{"not what it never will by this handle", `"Failed": [{"Id": "0", "Code": "ReceiptHandleIsInvalid", "SenderFault": true}]`, false, map[string]string{}, false},
		{"what has come again meanwhile, by its newer handle", `"Successful": [{"Id": "0"}]`, true, map[string]string{"m": "2"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var q *Queue
			q = answered(t, func(asked) string {
				if tt.again {
					q.mu.Lock()
					q.held["m"] = &message{handle: "2"}
					q.mu.Unlock()
					q.done("m")
				}
				return tt.answer
			})
			q.gone["m"] = "1"
			if err := q.flush(t.Context()); (err != nil) != tt.err || !maps.Equal(q.gone, tt.want) {
				t.Errorf("%v is left, want %v; %v", q.gone, tt.want, err)
			}
		})
	}
}

// One call takes ten messages.
func TestMoreThanACallTakesAreDeletedAndHidden(t *testing.T) {
	t.Parallel()
	seen := map[string][]string{}
	q := answered(t, func(a asked) string {
		for _, e := range a.Entries {
			seen[a.Op] = append(seen[a.Op], e.ReceiptHandle)
		}
		if len(a.Entries) > 10 {
			t.Errorf("%s takes %d", a.Op, len(a.Entries))
		}
		return ""
	})
	var want []string
	for i := range 25 {
		handle := fmt.Sprintf("%02d", i)
		q.held[handle], q.gone[handle] = &message{handle: handle}, handle
		want = append(want, handle)
	}
	if err := q.flush(t.Context()); err != nil {
		t.Error(err)
	}
	if err := q.setVisibility(t.Context(), 3); err != nil {
		t.Error(err)
	}
	for _, op := range []string{"DeleteMessageBatch", "ChangeMessageVisibilityBatch"} {
		if got := slices.Sorted(slices.Values(seen[op])); !slices.Equal(got, want) {
			t.Errorf("%s was told of %q, want each of %d once", op, got, len(want))
		}
	}
}

// TestWhatIsHeldStaysHidden: else it would come again, and each time brings it closer
// to the dead letters. At the end it is given back.
func TestWhatIsHeldStaysHidden(t *testing.T) {
	t.Parallel()
	calls := make(chan asked, 10)
	q := answered(t, func(a asked) string { calls <- a; return "" })
	q.held["m"] = &message{handle: "1"}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); q.extend(ctx) }()
	for _, want := range []int{3, 0} {
		select {
		case a := <-calls:
			if a.Op != "ChangeMessageVisibilityBatch" || len(a.Entries) != 1 || a.Entries[0].ReceiptHandle != "1" || a.Entries[0].VisibilityTimeout != want {
				t.Errorf("%+v, want the message hidden for %d s", a, want)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("nothing, and the message is visible soon")
		}
		if want > 0 {
			cancel()
			<-ended
			q.release(t.Context())
		}
	}
}
