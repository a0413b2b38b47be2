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
	WaitTimeSeconds int
}

// answered is a queue whose calls get these answers, by a clock that is ahead of ours.
func answered(t *testing.T, ahead time.Duration, answer func(asked) string) *Queue {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := asked{Op: strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")}
		if err := json.NewDecoder(r.Body).Decode(&a); err != nil {
			t.Error(err)
		}
		w.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
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
			q = answered(t, 0, func(asked) string {
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
	q := answered(t, 0, func(a asked) string {
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
	q := answered(t, 0, func(a asked) string { calls <- a; return "" })
	q.held["m"] = &message{handle: "1"}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
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

func TestHowLongAReceiveWaits(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		ahead time.Duration
		want  []int
	}{
		{"the first not, to know that the queue can be read", 0, []int{0, 20, 20, 20}},
		{"every second one not while clocks differ, and no more of them", 40 * time.Second, []int{0, 20, 0, 20}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			var waits []int
			q := answered(t, tt.ahead, func(a asked) string {
				if waits = append(waits, a.WaitTimeSeconds); len(waits) == len(tt.want) {
					cancel()
				}
				return ""
			})
			q.receive(ctx, nil)
			if !slices.Equal(waits, tt.want) {
				t.Errorf("they wait for %v s, want %v", waits, tt.want)
			}
		})
	}
}

// A receive that waited and ended empty has a Date of any moment in between.
func TestAReceiveThatWaitedInVainTellsNoTime(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	q := answered(t, -15*time.Second, func(asked) string {
		if calls++; calls == 2 {
			cancel()
		}
		time.Sleep(1100 * time.Millisecond)
		return ""
	})
	q.receive(ctx, nil)
	if offset := q.o.Clock.Offset(); offset != 0 {
		t.Errorf("the clock is %s off", offset)
	}
}
