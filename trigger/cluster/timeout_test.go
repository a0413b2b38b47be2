package cluster

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/proerror77/nova-staging/trigger/application"
)

// TestACallThatIsNeverAnsweredEnds has what stands before the API server accept calls
// and never answer: a worker that waits for ever decides about nothing any more.
func TestACallThatIsNeverAnsweredEnds(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the server does not see the client leave
		<-r.Context().Done()
	}))
	t.Cleanup(s.Close)
	c, err := NewConnection(&rest.Config{Host: s.URL}, "argocd")
	if err != nil {
		t.Fatal(err)
	}
	c.timeout = 50 * time.Millisecond
	app := &application.Application{ObjectMeta: metav1.ObjectMeta{Namespace: "argocd", Name: "nova", ResourceVersion: "1"}}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for name, call := range map[string]func() error{
		"read":   func() error { _, err := c.Get(ctx, "argocd", "nova"); return err },
		"change": func() error { _, err := c.Patch(ctx, app, []byte("[]")); return err },
	} {
		if err := call(); !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
