package command_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/proerror77/nova-staging/internal/apitest"
	"github.com/proerror77/nova-staging/internal/release"
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

// What changes once the Pods have begun to answer is seen at the end, and what was
// learned before is not kept.
func TestWhatChangesWhileItIsAsked(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		args   []string
		change func(s *apitest.Server, a *apitest.App)
		code   int
		check  string
		seen   string
		asked  int32 // pages of metrics, all rounds together; 0 for any
	}{
		{name: "nothing", change: func(*apitest.Server, *apitest.App) {}, check: "health", asked: 2},
		{name: "another template is applied", code: 10, check: "rollout", seen: "has seen generation 3", change: func(s *apitest.Server, a *apitest.App) {
			d := a.Deployment.DeepCopy()
			d.Generation++
			s.Put("deployments", d)
		}},
		{name: "a Pod stops being ready", code: 10, check: "readiness", seen: "condition Ready is False", change: func(s *apitest.Server, a *apitest.App) {
			p := a.Pods[0].DeepCopy()
			p.Status.Conditions[0].Status = corev1.ConditionFalse
			s.Put("pods", p)
		}},
		{name: "the Service leads elsewhere, too", code: 13, check: "routing", seen: "pod/canary", change: func(s *apitest.Server, a *apitest.App) {
			slice := a.Slice.DeepCopy()
			slice.Endpoints[0].TargetRef.Name, slice.Endpoints[0].TargetRef.UID = "canary", "uid-canary"
			s.Put("endpointslices", slice)
		}},
		{name: "a Pod comes", args: []string{"--check", "health,metrics"}, code: 13, check: "health", seen: "connection refused", change: func(s *apitest.Server, a *apitest.App) {
			p := a.Pods[0].DeepCopy()
			p.Name, p.UID, p.Status.PodIP = p.Name+"-new", "uid-new", apitest.Address()
			s.Put("pods", p)
		}},
		{name: "a Pod goes", args: []string{"--check", "health,metrics"}, check: "health", asked: 3, change: func(s *apitest.Server, a *apitest.App) {
			s.Delete("pods", a.Pods[0].Name)
		}},
		{name: "another release is recorded", code: 3, check: "identity", seen: "the release ConfigMap has changed meanwhile", change: func(s *apitest.Server, _ *apitest.App) {
			r := release.New([]release.Image{apitest.Image("user-service")})
			data, err := r.Encode()
			if err != nil {
				panic(err)
			}
			cm := s.Get("configmaps", "nova-release").(*corev1.ConfigMap).DeepCopy()
			cm.Data[release.DataKey] = string(data)
			s.Put("configmaps", cm)
		}},
		{name: "the release is deleted", code: 3, check: "identity", seen: "the release ConfigMap has changed meanwhile", change: func(s *apitest.Server, _ *apitest.App) {
			s.Delete("configmaps", "nova-release")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var s *apitest.Server
			var app *apitest.App
			var id string
			var asked atomic.Int32
			s, app, id = world(t, 2, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/metrics" && asked.Add(1) == 1 {
					time.Sleep(300 * time.Millisecond) // the other checks are over by then
					tt.change(s, app)
					time.Sleep(300 * time.Millisecond) // and the watches have told
				}
				apitest.Good().ServeHTTP(w, r)
			}))
			o := smoke(t, t.Context(), s, conf("auth-service"), append(tt.args, "--release", id)...)
			r := o.find(t, "auth-service", tt.check)
			if said := r.Seen + strings.Join(r.Details, " "); o.code != tt.code || !strings.Contains(said, tt.seen) || (tt.asked > 0 && asked.Load() != tt.asked) {
				t.Errorf("exit code %d after %d pages: %+v\n%s", o.code, asked.Load(), r, o.err)
			}
		})
	}
}

// What is no longer heard of may have changed since: it vouches for nothing.
func TestAWatchThatCanNotBeHad(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"deployments", "replicasets", "endpointslices"} {
		for _, bad := range []int32{3, 1 << 20} {
			t.Run(fmt.Sprintf("%s, %d times", kind, bad), func(t *testing.T) {
				t.Parallel()
				s, _, id := world(t, 1, apitest.Good())
				var n atomic.Int32
				s.Intercept = func(w http.ResponseWriter, r *http.Request) bool {
					if !strings.HasSuffix(r.URL.Path, "/"+kind) || r.URL.Query().Get("watch") == "" || n.Add(1) > bad {
						return false
					}
					http.Error(w, "etcdserver: leader changed", http.StatusInternalServerError)
					return true
				}
				o := smoke(t, t.Context(), s, conf("auth-service"), "--release", id, "--deadline", "5s")
				if want := map[bool]int{true: 0, false: 3}[bad == 3]; o.code != want {
					t.Errorf("exit code %d, want %d\n%s", o.code, want, o.err)
				}
			})
		}
	}
}

// Nor does it condemn: the rollout may have ended since.
func TestAnOldViewOfARollout(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, "nova")
	app := apitest.NewApp("auth-service", 2, 8080)
	app.Serve(t, apitest.Good())
	app.Deployment.Status.AvailableReplicas = 1
	s.Add(app)
	id := s.AddRelease(t, "auth-service")
	s.Intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/deployments") || r.URL.Query().Get("watch") == "" {
			return false
		}
		http.Error(w, "etcdserver: leader changed", http.StatusInternalServerError)
		return true
	}
	o := smoke(t, t.Context(), s, conf("auth-service"), "--release", id)
	r := o.find(t, "auth-service", "rollout")
	if said := strings.Join(r.Details, " "); o.code != 3 || !strings.Contains(r.Seen, "could not look") || !strings.Contains(said, "1 available") {
		t.Errorf("exit code %d: %+v", o.code, r)
	}
}

func TestASignalWhileThePodsAreListedAgain(t *testing.T) {
	t.Parallel()
	s, _, id := world(t, 1, apitest.Good())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var lists atomic.Int32
	s.Intercept = func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/pods") && r.URL.Query().Get("watch") == "" && lists.Add(1) == 2 {
			cancel()
			<-r.Context().Done()
			return true
		}
		return false
	}
	o := smoke(t, ctx, s, patient("auth-service"), "--release", id)
	r := o.find(t, "auth-service", "health")
	if o.code != 21 || r.Verdict != "inconclusive" || !o.report.Partial {
		t.Errorf("exit code %d, partial %t: %+v", o.code, o.report.Partial, r)
	}
}
