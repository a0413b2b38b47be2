package command_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/internal/apitest"
)

func TestNoLieOfAnAnswerPasses(t *testing.T) {
	t.Parallel()
	tellAll(t, []lie{
		{
			name: "the health endpoint redirects to a login page",
			handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/health" {
					http.Redirect(w, r, "/login", http.StatusFound)
					return
				}
				apitest.Good().ServeHTTP(w, r)
			}),
			code: 13, check: "health", verdict: "failed", seen: "status 302 Found to /login",
		},
		{
			name:    "the health endpoint answers 200 with an error page",
			handler: page("/health", "text/html; charset=utf-8", "<!DOCTYPE html><title>502 Bad Gateway</title>"),
			code:    13, check: "health", verdict: "failed", seen: "HTML page",
		},
		{
			name:    "the error page says that it is text",
			handler: page("/health", "text/plain", "\n<html><body>oops</body></html>"),
			code:    13, check: "health", verdict: "failed", seen: "HTML page",
		},
		{
			name:    "the metrics go on for longer than anybody reads",
			handler: page("/metrics", "text/plain", "a 1\n"+strings.Repeat("# nothing\n", 900_000)+"a 1\n"),
			code:    14, check: "metrics", verdict: "failed", seen: "the page goes on after that",
		},
		{
			name:    "the health document says that it is down",
			handler: page("/health", "application/json", `{"status":"DOWN"}`),
			code:    13, check: "health", verdict: "failed", seen: `"DOWN"`,
		},
		{
			name:    "the health document is cut off",
			handler: page("/health", "application/json", `{"status":"ok"`),
			code:    13, check: "health", verdict: "failed", seen: "unexpected EOF",
		},
		{
			name: "the health document names another commit",
			conf: strings.Replace(conf("auth-service"), "  port: 8080\n", "  port: 8080\n  health: {json: {commit: '{commit}'}}\n", 1),
			handler: page("/health", "application/json",
				`{"status":"ok","commit":"0000000000000000000000000000000000000000"}`),
			code: 13, check: "health", verdict: "failed", seen: "000000",
		},
		{
			name:    "the metrics page is HTML",
			handler: page("/metrics", "text/html", "<html>metrics</html>"),
			code:    14, check: "metrics", verdict: "failed", seen: "text/html",
		},
		{
			name:    "the metrics page is HTML and says that it is text",
			handler: page("/metrics", "text/plain; version=0.0.4", "<html>metrics</html>"),
			code:    14, check: "metrics", verdict: "failed", seen: "not the text format",
		},
		{
			name:    "the metrics page is empty",
			handler: page("/metrics", "text/plain; version=0.0.4", ""),
			code:    14, check: "metrics", verdict: "failed", seen: "the page is empty",
		},
		{
			name:    "the metrics page gives a series twice",
			handler: page("/metrics", "text/plain", "a{x=\"1\",y=\"2\"} 1\na{y=\"2\",x=\"1\"} 2\n"),
			code:    14, check: "metrics", verdict: "failed", seen: "given twice",
		},
		{
			name:    "the metrics page has no Content-Type",
			handler: page("/metrics", "", apitest.Metrics),
			code:    14, check: "metrics", verdict: "failed", seen: "no Content-Type",
		},
		{
			name: "a required metric family is missing",
			conf: strings.Replace(conf("auth-service"), "  port: 8080\n", "  port: 8080\n  metrics: {families: [http_requests_total, not_there]}\n", 1),
			code: 14, check: "metrics", verdict: "failed", seen: "not among",
		},
		{
			name: "the health endpoint never answers",
			handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/health" {
					<-r.Context().Done()
					return
				}
				apitest.Good().ServeHTTP(w, r)
			}),
			code: 13, check: "health", verdict: "failed", seen: "no answer within",
		},
		{
			name: "the health endpoint's body never ends",
			handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/health" {
					apitest.Good().ServeHTTP(w, r)
					return
				}
				for r.Context().Err() == nil {
					if _, err := w.Write([]byte(strings.Repeat("x", 32<<10))); err != nil {
						return
					}
				}
			}),
			code: 13, check: "health", verdict: "failed", seen: "goes on after",
		},
		{
			name: "the health endpoint's body drips",
			handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/health" {
					apitest.Good().ServeHTTP(w, r)
					return
				}
				for r.Context().Err() == nil {
					fmt.Fprint(w, " ")
					w.(http.Flusher).Flush()
					time.Sleep(20 * time.Millisecond)
				}
			}),
			code: 13, check: "health", verdict: "failed", seen: "broke off after",
		},
		{
			name: "the health endpoint promises more than it sends",
			handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/health" {
					apitest.Good().ServeHTTP(w, r)
					return
				}
				w.Header().Set("Content-Length", "100")
				fmt.Fprint(w, "ok")
			}),
			code: 13, check: "health", verdict: "failed", seen: "connection was closed",
		},
		{
			name: "the health endpoint closes its half of the connection and says nothing",
			handler: raw("/health", func(c *net.TCPConn) {
				_ = c.CloseWrite()
				_, _ = io.Copy(io.Discard, c) // until the client gives up
			}),
			code: 13, check: "health", verdict: "failed", seen: "connection was closed",
		},
		{
			name: "the health endpoint closes its half amid the answer",
			handler: raw("/health", func(c *net.TCPConn) {
				fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{\"status\":")
				_ = c.CloseWrite()
				_, _ = io.Copy(io.Discard, c)
			}),
			code: 13, check: "health", verdict: "failed", seen: "the body broke off",
		},
		{
			name: "the metrics page is cut off at the end of a line",
			handler: raw("/metrics", func(c *net.TCPConn) {
				fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: 100\r\n\r\na 1\n")
			}),
			code: 14, check: "metrics", verdict: "failed", seen: "the body broke off",
		},
		{
			name: "the health endpoint is well every other time only",
			handler: func() http.Handler {
				var n atomic.Int32
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/health" && n.Add(1)%2 == 0 {
						http.Error(w, "connection pool exhausted", http.StatusServiceUnavailable)
						return
					}
					apitest.Good().ServeHTTP(w, r)
				})
			}(),
			code: 13, check: "health", verdict: "failed", seen: "status 503",
		},
		{
			name: "the health endpoint says gzip and sends none",
			handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/health" {
					apitest.Good().ServeHTTP(w, r)
					return
				}
				w.Header().Set("Content-Encoding", "gzip")
				fmt.Fprint(w, "this is not gzip at all")
			}),
			code: 13, check: "health", verdict: "failed", seen: "gzip",
		},
		{
			name: "only one of two Pods answers",
			change: func(t *testing.T, _ *apitest.Server, a *apitest.App) {
				apitest.Listen(t, a.Pods[0].Status.PodIP, 8080, apitest.Good())
				apitest.Listen(t, a.Service.Spec.ClusterIP, 8080, apitest.Good())
			},
			handler: http.NotFoundHandler(), // marks that nothing else listens, see below
			code:    13, check: "health", verdict: "failed", seen: "connection refused",
		},
		{
			name: "the Service does not answer though its Pods do",
			change: func(t *testing.T, _ *apitest.Server, a *apitest.App) {
				for _, p := range a.Pods {
					apitest.Listen(t, p.Status.PodIP, 8080, apitest.Good())
				}
			},
			handler: http.NotFoundHandler(),
			code:    13, check: "health", verdict: "failed", seen: "connection refused",
		},
	})
}

// A build that says itself that it is another one, or nothing, is not the release's.
func TestWhatABuildSaysOfItself(t *testing.T) {
	t.Parallel()
	metrics := func(line string) http.Handler {
		return page("/metrics", "text/plain; version=0.0.4", "up 1\n"+line)
	}
	tests := []struct {
		name    string
		handler http.Handler
		code    int
		check   string
		seen    string
	}{
		{"the release's commit", apitest.Good(), 0, "metrics", ""},
		{"another commit in its metrics", metrics("build_info{revision=\"0ld\"} 1\n"), 14, "metrics", `revision="0ld"`},
		{"no commit in its metrics", metrics("build_info{version=\"1\"} 1\n"), 14, "metrics", `revision=""`},
		{"no build in its metrics", metrics(""), 14, "metrics", `revision=""`},
		{"another commit in its health", page("/health", "application/json", `{"status":"ok","commit":"0ld"}`), 13, "health", `commit = "0ld"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, _, id := world(t, 1, tt.handler)
			c := conf("auth-service")
			if tt.code == 0 {
				c = patient("auth-service")
			}
			c += "  health: {json: {commit: '{commit}'}}\n  metrics: {buildInfo: {family: build_info, label: revision}}\n"
			o := smoke(t, t.Context(), s, c, "--release", id)
			if r := o.find(t, "auth-service", tt.check); o.code != tt.code || !strings.Contains(r.Seen, tt.seen) {
				t.Errorf("exit code %d: %+v", o.code, r)
			}
		})
	}
}

// raw is a good service but for one path, whose connection f serves.
func raw(path string, f func(*net.TCPConn)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path {
			apitest.Good().ServeHTTP(w, r)
			return
		}
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer c.Close()
		f(c.(*net.TCPConn))
	})
}

// page is a good service but for one path.
func page(path, contentType, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path {
			apitest.Good().ServeHTTP(w, r)
			return
		}
		w.Header()["Content-Type"] = nil
		if contentType != "" {
			w.Header().Set("Content-Type", contentType)
		}
		fmt.Fprint(w, body)
	})
}
