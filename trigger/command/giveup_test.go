package command_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/proerror77/nova-staging/internal/argotest"
	"github.com/proerror77/nova-staging/internal/triggertest"
	"github.com/proerror77/nova-staging/trigger/application"
	"github.com/proerror77/nova-staging/trigger/command"
)

// busy has a sync that does not end.
var busy = argotest.App{Name: "busy", AsOf: triggertest.Start, Change: func(o map[string]any) {
	o["status"].(map[string]any)["operationState"] = map[string]any{"phase": "Running", "startedAt": "2026-11-20T12:00:00Z"}
}}

func TestOnceSaysWhatItHasWaitedFor(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, says, timeout string
		app                 argotest.App
		args                []string
	}{
		{
			"no verdict", "has not compared this instant yet", "8s", // Argo CD is not there
			argotest.App{Name: "nova", AsOf: triggertest.Start}, []string{"--wait"},
		},
		{
			"an instant that does not come", "just pushed has not come yet", "3s",
			argotest.App{Name: "nova", AsOf: triggertest.Start, Annotations: map[string]string{
				application.RecordKey: `{"pending": {"newest": "2099-01-01T00:00:00Z", "count": 1}}`,
			}},
			nil,
		},
		{"a sync that does not end", "a sync is running", "3s", busy, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := triggertest.New(t)
			w.API.Add(tt.app)
			code, _, stderr := w.CLI(append([]string{"once", "-a", tt.app.Name, "--timeout", tt.timeout, "--poll-interval", "20ms"}, tt.args...)...)
			if code != 124 || !strings.Contains(stderr, tt.says) {
				t.Errorf("exit status %d and %q, want 124 and %q", code, stderr, tt.says)
			}
		})
	}
}

// TestOnceWaitsOnWhileTheAPIServerIsAway has it away while a sync runs.
func TestOnceWaitsOnWhileTheAPIServerIsAway(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.API.Add(busy)
	var reads atomic.Int32
	w.API.Intercept = func(rw http.ResponseWriter, r *http.Request) bool {
		n := reads.Add(1)
		if n == 6 {
			w.API.Update("argocd", "busy", func(o map[string]any) { delete(o["status"].(map[string]any), "operationState") })
		}
		if n < 3 || n > 5 {
			return false
		}
		rw.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	code, _, stderr := w.CLI("once", "-a", "busy", "--poll-interval", "20ms", "--timeout", "30s")
	if code != 0 || strings.Count(stderr, "can not be reached, will try again") != 1 {
		t.Errorf("exit status %d and %q, want 0, and one line about the outage", code, stderr)
	}
	if at := w.API.AsOf("argocd", "busy"); at == triggertest.Start {
		t.Error("as-of was not moved")
	}
}

func TestOnceSaysWhyItGivesUp(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"}})
	w.API.Add(argotest.App{Name: "no-as-of"})
	w.API.Add(busy)
	tests := []struct {
		name string
		args []string
		code int
		says string
	}{
		{"interrupting it", []string{"once", "-a", "busy", "--interrupt"}, 0, ""},
		{"no such Application", []string{"once", "-a", "argocd/nowhere"}, 3, "application not found"},
		{"no as-of", []string{"once", "-a", "no-as-of"}, 3, "no plugin source has a parameter as-of"},
		{"no Application named", []string{"once"}, 2, "give --application"},
		{"a positional argument", []string{"once", "nova"}, 2, "--application"},
		{"a wrong form", []string{"status", "-o", "xml"}, 2, "valid choices are: text, json, yaml"},
		{"an unknown flag", []string{"once", "--nope"}, 2, "unknown flag"},
		{"no source of pushes", []string{"watch"}, 2, "--queue-url, or --poll"},
		{"a queue that is none", []string{"watch", "--queue-url", "nova-trigger"}, 2, "want a queue's URL"},
		{"nothing to roll back to", []string{"rollback", "-a", "no-as-of"}, 3, "no plugin source has a parameter"},
		{"rolling forward", []string{"rollback", "-a", "nova", "--to", "2030-01-01T00:00:00Z"}, 2, "is not before"},
		{"a wrong instant", []string{"rollback", "-a", "nova", "--to", "yesterday"}, 2, "RFC 3339"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, _, stderr := w.CLI(tt.args...)
			if code != tt.code || !strings.Contains(stderr, tt.says) {
				t.Errorf("exit status %d and %q, want %d and %q", code, stderr, tt.code, tt.says)
			}
		})
	}
	t.Run("a cluster that is not there", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "config")
		text := "apiVersion: v1\nkind: Config\ncurrent-context: x\nclusters: [{name: x, cluster: {server: 'http://127.0.0.1:1'}}]\nusers: [{name: x, user: {}}]\ncontexts: [{name: x, context: {cluster: x, user: x}}]\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		w.Kubeconfig = path
		if code, _, stderr := w.CLI("once", "-a", "nova"); code != 4 || !strings.Contains(stderr, "can not be reached") {
			t.Errorf("%d %s", code, stderr)
		}
	})
}

// TestASignalIsNoLostCluster has the API server not answer until somebody gives up.
func TestASignalIsNoLostCluster(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start})
	for _, verb := range []string{"once", "hold", "status"} {
		ctx, cancel := context.WithCancel(t.Context())
		w.API.Intercept = func(_ http.ResponseWriter, r *http.Request) bool {
			cancel()
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		}
		var stderr bytes.Buffer
		code := command.Run(ctx, command.Program{
			Args: []string{verb, "-a", "nova", "--kubeconfig", w.Kubeconfig}, Env: func(string) string { return "" }, Stdout: io.Discard, Stderr: &stderr,
		})
		if code != 130 || strings.Contains(stderr.String(), "can not be reached") {
			t.Errorf("%s: exit status %d\n%s", verb, code, &stderr)
		}
	}
}
