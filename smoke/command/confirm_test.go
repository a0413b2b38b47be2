package command_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/internal/apitest"
)

// An API server that stumbles just when the Pods are listed again must not undo
// a run that has time left.
func TestTheServerStumblesAtTheEnd(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		slow time.Duration // before an answer
		bad  int32         // answers in a row that are errors
	}{
		{name: "with errors", bad: 4},
		{name: "with an answer that takes longer than what is kept of the deadline", slow: 1500 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, _, id := world(t, 1, apitest.Good())
			var lists atomic.Int32
			s.Intercept = func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.HasSuffix(r.URL.Path, "/pods") || r.URL.Query().Get("watch") != "" {
					return false
				}
				n := lists.Add(1) - 1
				if n == 1 {
					time.Sleep(tt.slow)
				}
				if n < 1 || n > tt.bad {
					return false
				}
				http.Error(w, "etcdserver: leader changed", http.StatusInternalServerError)
				return true
			}
			o := smoke(t, t.Context(), s, patient("auth-service"), "--release", id, "--deadline", "20s")
			if o.code != 0 {
				t.Errorf("exit code %d after %d lists\n%s", o.code, lists.Load(), o.err)
			}
		})
	}
}
