package queue

import (
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/proerror77/nova-staging/trigger/cluster"
	"github.com/proerror77/nova-staging/trigger/metrics"
)

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
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if tt.again {
					q.mu.Lock()
					q.held["m"] = &message{handle: "2"}
					q.mu.Unlock()
					q.done("m")
				}
				fmt.Fprintf(w, "{%s}", tt.answer)
			}))
			t.Cleanup(server.Close)
			var err error
			q, err = New(t.Context(), Options{
				URL: server.URL + "/025434362120/nova-trigger", Region: "ap-northeast-1", Clock: &cluster.Clock{},
				AWS: []func(*config.LoadOptions) error{
					config.WithBaseEndpoint(server.URL), config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("id", "key", "")),
				},
				Metrics: metrics.New(prometheus.NewRegistry()), Log: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				t.Fatal(err)
			}
			q.gone["m"] = "1"
			if err := q.flush(t.Context()); (err != nil) != tt.err || !maps.Equal(q.gone, tt.want) {
				t.Errorf("%v is left, want %v; %v", q.gone, tt.want, err)
			}
		})
	}
}
