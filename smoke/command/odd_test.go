package command_test

import (
	"compress/gzip"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/internal/apitest"
)

// TestServicesThatAreOddButWell pass: a false alarm holds a deployment up.
func TestServicesThatAreOddButWell(t *testing.T) {
	t.Parallel()
	const om = "application/openmetrics-text; version=1.0.0; charset=utf-8"
	tests := []struct {
		name    string
		handler http.Handler
	}{
		{"an empty health answer with 204", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/health" {
				w.WriteHeader(http.StatusNoContent)
				return
			}
			apitest.Good().ServeHTTP(w, r)
		})},
		{"a health answer in plain text", page("/health", "text/plain", "ok\n")},
		{"a health answer without a Content-Type", page("/health", "", "pong")},
		{"OpenMetrics", page("/metrics", om, "# TYPE a counter\na_total 1\n# EOF\n")},
		{"a large page of metrics", page("/metrics", "text/plain", manySeries(20_000))},
		{"answers in gzip to whoever takes it", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept-Encoding") != "gzip" {
				http.Error(w, "gzip only", http.StatusNotAcceptable)
				return
			}
			if r.URL.Path == "/health" {
				w.Header().Set("Content-Type", "application/json")
			} else {
				w.Header().Set("Content-Type", "text/plain; version=0.0.4")
			}
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			defer z.Close()
			if r.URL.Path == "/health" {
				fmt.Fprint(z, `{"status":"UP"}`)
				return
			}
			fmt.Fprint(z, apitest.Metrics)
		})},
		{"answers that end with the connection, as in HTTP/1.0", raw("/metrics", func(c *net.TCPConn) {
			fmt.Fprint(c, "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\na 1\n")
		})},
		{"answers that take their time", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(400 * time.Millisecond)
			apitest.Good().ServeHTTP(w, r)
		})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, _, id := world(t, 2, tt.handler)
			if o := smoke(t, t.Context(), s, patient("auth-service"), "--release", id); o.code != 0 {
				t.Errorf("exit code %d\n%s", o.code, o.err)
			}
		})
	}
}

func manySeries(n int) string {
	page := make([]byte, 0, 32*n)
	for i := range n {
		page = fmt.Appendf(page, "requests{path=\"/%d\"} %d\n", i, i)
	}
	return string(page)
}
