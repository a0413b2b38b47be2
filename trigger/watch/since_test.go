package watch

import (
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic/fake"

	"github.com/proerror77/nova-staging/trigger/application"
	"github.com/proerror77/nova-staging/trigger/cluster"
	"github.com/proerror77/nova-staging/trigger/metrics"
	"github.com/proerror77/nova-staging/trigger/move"
	"github.com/proerror77/nova-staging/trigger/push"
	"github.com/proerror77/nova-staging/trigger/settle"
)

// knowing is a watcher that knows some Applications and does nothing yet.
func knowing(t *testing.T, apps ...*application.Application) *Watcher {
	t.Helper()
	w, err := New(Options{
		Dynamic: fake.NewSimpleDynamicClient(runtime.NewScheme()), Client: (*cluster.Connection)(nil), By: "test",
		Rules:   settle.Rules{Quiet: time.Minute, MaxWait: time.Hour, TogetherMaxWait: time.Hour},
		Metrics: metrics.New(prometheus.NewRegistry()), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range apps {
		if err := w.stores[0].GetStore().Add(a); err != nil {
			t.Fatal(err)
		}
		w.index.set(a)
	}
	return w
}

// TestSinceWhenAPollerLooks: later, and a push would be in no render and never told;
// much earlier, and all that was ever pushed would be told again.
func TestSinceWhenAPollerLooks(t *testing.T) {
	t.Parallel()
	now := time.Now().Truncate(time.Second)
	app := func(name, image string, ago time.Duration) *application.Application {
		return &application.Application{
			ObjectMeta: metav1.ObjectMeta{Namespace: "argocd", Name: name}, Selected: true,
			Images: []string{"025434362120.dkr.ecr.ap-northeast-1.amazonaws.com/nova/" + image + ":1"}, AsOf: now.Add(-ago),
		}
	}
	broken := app("broken", "auth", 0)
	broken.Broken, broken.AsOf, broken.Record.Instant = application.ErrNotMovable, time.Time{}, now.Add(-9*time.Hour)
	for _, tt := range []struct {
		name string
		apps []*application.Application
		want time.Duration // ago
	}{
		{"one Application, less a margin", []*application.Application{app("a", "auth", time.Hour)}, time.Hour + move.Margin},
		{"the one that is furthest behind", []*application.Application{
			app("a", "auth", time.Hour), app("b", "auth", 3*time.Hour), app("c", "auth", 2*time.Hour),
		}, 3*time.Hour + move.Margin},
		{"not one of another repository", []*application.Application{app("a", "auth", time.Hour), app("b", "user", 3*time.Hour)}, time.Hour + move.Margin},
		{"not one that a person set ahead", []*application.Application{app("a", "auth", time.Hour), app("b", "auth", -3*time.Hour)}, time.Hour + move.Margin},
		{"not one that can not be moved", []*application.Application{app("a", "auth", time.Hour), broken}, time.Hour + move.Margin},
		{"now when none can", []*application.Application{broken}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := knowing(t, tt.apps...).Since(push.Repository{Account: "025434362120", Region: "ap-northeast-1", Name: "nova/auth"})
			if want := now.Add(-tt.want); got.Before(want) || got.After(want.Add(5*time.Second)) {
				t.Errorf("%s ago, want %s", now.Sub(got), tt.want)
			}
		})
	}
}
