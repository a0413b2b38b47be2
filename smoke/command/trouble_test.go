package command_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/proerror77/nova-staging/internal/apitest"
)

// world is a server with one service, good but for what a test changes.
func world(t *testing.T, pods int, h http.Handler) (*apitest.Server, *apitest.App, string) {
	t.Helper()
	s := apitest.New(t, "nova")
	app := apitest.NewApp("auth-service", pods, 8080)
	if h != nil {
		app.Serve(t, h)
	}
	s.Add(app)
	return s, app, s.AddRelease(t, "auth-service")
}

func nothingPassed(t *testing.T, o outcome, but ...string) {
	t.Helper()
	for _, r := range o.report.Results {
		if r.Verdict == "passed" && !strings.Contains(strings.Join(but, " "), r.Check) {
			t.Errorf("%s %s passed: %s", r.Service, r.Check, r.Seen)
		}
	}
}

func TestTheServerIsNotThere(t *testing.T) {
	t.Parallel()
	s, _, _ := world(t, 1, nil)
	s.Close()
	begun := time.Now()
	o := smoke(t, t.Context(), s, conf("auth-service"), "--deadline", "2s")
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("took %s", took)
	}
	if o.report.Verdict != "inconclusive" || (o.code != 3 && o.code != 20) {
		t.Errorf("exit code %d, %s\n%s", o.code, o.report.Verdict, o.out)
	}
	nothingPassed(t, o)
}

func TestTheServerDiesMidway(t *testing.T) {
	t.Parallel()
	var s *apitest.Server
	dying := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		go s.Close()
		time.Sleep(50 * time.Millisecond)
		apitest.Good().ServeHTTP(w, r)
	})
	var id string
	s, _, id = world(t, 2, dying)
	begun := time.Now()
	o := smoke(t, t.Context(), s, conf("auth-service"), "--release", id, "--deadline", "4s")
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("took %s", took)
	}
	if o.code != 3 || o.report.Verdict != "inconclusive" {
		t.Errorf("exit code %d, %s\n%s", o.code, o.report.Verdict, o.err)
	}
	nothingPassed(t, o, "access", "release")
}

func TestTheNamespaceIsMissing(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, "nova")
	o := smoke(t, t.Context(), s, conf("auth-service"), "-n", "nowhere")
	if r := o.find(t, "auth-service", "rollout"); o.code != 3 || !strings.Contains(r.Seen, "no such namespace") {
		t.Errorf("exit code %d: %+v", o.code, r)
	}
}

func TestRightsAreMissing(t *testing.T) {
	t.Parallel()
	s, _, _ := world(t, 1, apitest.Good())
	s.Deny = func(verb, resource string) bool {
		return resource == "replicasets" || resource == "configmaps" || (resource == "pods" && verb == "watch")
	}
	o := smoke(t, t.Context(), s, conf("auth-service"))
	r := o.find(t, "", "access")
	want := `rules:
- apiGroups: ["apps"]
  resources: ["replicasets"]
  verbs: ["list", "watch"]
- apiGroups: [""]
  resources: ["pods"]
  verbs: ["watch"]
- apiGroups: [""]
  resources: ["configmaps"]
  resourceNames: ["nova-release"]
  verbs: ["list", "watch"]`
	if got := strings.Join(r.Details, "\n"); o.code != 4 || got != want {
		t.Errorf("exit code %d\n%s\nwant\n%s", o.code, got, want)
	}
	nothingPassed(t, o)
}

// The review may say yes where the request is refused all the same.
func TestAListIsRefused(t *testing.T) {
	t.Parallel()
	s, _, _ := world(t, 1, apitest.Good())
	s.Intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/pods") {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":"no"}`))
			return true
		}
		return false
	}
	o := smoke(t, t.Context(), s, conf("auth-service"))
	if o.code != 3 {
		t.Errorf("exit code %d\n%s", o.code, o.out)
	}
	nothingPassed(t, o, "access")
}

func TestAStaleRelease(t *testing.T) {
	t.Parallel()
	s, _, _ := world(t, 1, apitest.Good())
	o := smoke(t, t.Context(), s, patient("auth-service"), "--release", "0123456789abcdef")
	if r := o.find(t, "", "release"); o.code != 5 || r.Verdict != "inconclusive" || !strings.Contains(r.Expected, "0123456789abcdef") {
		t.Errorf("exit code %d: %+v", o.code, r)
	}
	nothingPassed(t, o, "access rollout readiness routing health metrics")
}

// A Pod that is replaced while it answers must not vouch for its successor.
func TestAPodIsReplacedWhileItAnswers(t *testing.T) {
	t.Parallel()
	for _, forever := range []bool{false, true} {
		var s *apitest.Server
		var app *apitest.App
		var n atomic.Int32
		replacing := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/metrics" && (n.Add(1) == 1 || forever) {
				p := app.Pods[0].DeepCopy()
				p.Status.ContainerStatuses[0].RestartCount = n.Load()
				s.Put("pods", p)
			}
			apitest.Good().ServeHTTP(w, r)
		})
		var id string
		s, app, id = world(t, 1, replacing)
		o := smoke(t, t.Context(), s, patient("auth-service"), "--release", id)
		switch r := o.find(t, "auth-service", "health"); {
		case !forever && (o.code != 0 || n.Load() != 2):
			t.Errorf("one restart: exit code %d after %d looks: %+v", o.code, n.Load(), r)
		case forever && (o.code != 3 || r.Verdict != "inconclusive" || !strings.Contains(r.Seen, "replaced or has restarted")):
			t.Errorf("restarts all the time: exit code %d: %+v", o.code, r)
		}
	}
}

func TestASignalAtAnyMoment(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{0, time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond, 60 * time.Millisecond, 150 * time.Millisecond} {
		t.Run(after.String(), func(t *testing.T) {
			t.Parallel()
			slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(250 * time.Millisecond)
				apitest.Good().ServeHTTP(w, r)
			})
			s, _, id := world(t, 2, slow)
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(after, cancel)
			termination := filepath.Join(t.TempDir(), "log")
			begun := time.Now()
			o := smoke(t, ctx, s, conf("auth-service"), "--release", id, "--termination-log", termination)
			if took := time.Since(begun); took > 20*time.Second {
				t.Errorf("took %s", took)
			}
			if o.code != 21 || !o.report.Partial || len(o.report.Results) != 10 {
				t.Errorf("exit code %d, partial %t, %d results\n%s", o.code, o.report.Partial, len(o.report.Results), o.err)
			}
			text, err := os.ReadFile(termination)
			if err != nil || !strings.Contains(string(text), "stopped by a signal") || len(text) > 4096 {
				t.Errorf("termination message: %v %q", err, text)
			}
		})
	}
}

func TestTheDeadlineComesFirst(t *testing.T) {
	t.Parallel()
	hanging := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	s, _, id := world(t, 2, hanging)
	c := patient("auth-service")
	begun := time.Now()
	o := smoke(t, t.Context(), s, c, "--release", id, "--deadline", "4s")
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("took %s", took)
	}
	if o.code == 0 || o.report.Verdict == "passed" || !o.report.Partial {
		t.Errorf("exit code %d, %s", o.code, o.report.Verdict)
	}
	if r := o.find(t, "auth-service", "health"); r.Verdict == "passed" || !strings.Contains(r.Seen, "no answer within") {
		t.Errorf("%+v", r)
	}
}

func TestDoomedPodsEndTheWait(t *testing.T) {
	t.Parallel()
	waiting := func(reason, message string) func(*apitest.App) {
		return func(a *apitest.App) {
			c := &a.Pods[0].Status.ContainerStatuses[0]
			c.Ready, c.ImageID = false, ""
			c.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
		}
	}
	tests := []struct {
		name, seen string
		change     func(*apitest.App)
		logs       bool
	}{
		{name: "an image that can not be pulled", seen: "ImagePullBackOff: no such image", change: waiting("ImagePullBackOff", "no such image")},
		{name: "a Secret that is missing", seen: `secret "db" not found`, change: waiting("CreateContainerConfigError", `secret "db" not found`)},
		{name: "a crash loop", seen: "CrashLoopBackOff", change: waiting("CrashLoopBackOff", "back-off 10s"), logs: true},
		{
			name: "an init container that fails", seen: "container migrate",
			change: func(a *apitest.App) {
				waiting("PodInitializing", "")(a)
				a.Pods[0].Status.InitContainerStatuses = []corev1.ContainerStatus{{
					Name: "migrate", RestartCount: 3, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
				}}
			},
		},
		{
			name: "no node with room", seen: "Unschedulable: 0/3 nodes",
			change: func(a *apitest.App) {
				a.Pods[0].Status.Phase, a.Pods[0].Status.ContainerStatuses = corev1.PodPending, nil
				a.Pods[0].Status.Conditions = []corev1.PodCondition{{
					Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/3 nodes are available",
				}}
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := apitest.New(t, "nova")
			app := apitest.NewApp("auth-service", 1, 8080)
			app.Deployment.Status.AvailableReplicas, app.Deployment.Status.UnavailableReplicas = 0, 1
			tt.change(app)
			s.Add(app)
			s.SetLog(app.Pods[0].Name, "app", "starting\npassword=hunter2 token: abcdef\nAKIAIOSFODNN7EXAMPLE\nfatal: no database\n")
			id := s.AddRelease(t, "auth-service")
			c := patient("auth-service")
			begun := time.Now()
			o := smoke(t, t.Context(), s, c, "--release", id)
			r := o.find(t, "auth-service", "rollout")
			if o.code != 11 || !strings.Contains(r.Seen, tt.seen) || r.Hint == "" || time.Since(begun) > 20*time.Second {
				t.Errorf("exit code %d after %s: %+v", o.code, time.Since(begun), r)
			}
			logs := strings.Join(r.Logs, "\n")
			if tt.logs != strings.Contains(logs, "fatal: no database") {
				t.Errorf("log lines: %q", logs)
			}
			for _, secret := range []string{"hunter2", "abcdef", "AKIA"} {
				if strings.Contains(o.out+o.err, secret) {
					t.Errorf("%s is in the output", secret)
				}
			}
		})
	}
}

// After a sync it is there, or will not come.
func TestADeploymentThatIsNotThereIsNotWaitedForLong(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, "nova")
	id := s.AddRelease(t, "auth-service")
	begun := time.Now()
	o := smoke(t, t.Context(), s, patient("auth-service"), "--release", id)
	if r := o.find(t, "auth-service", "rollout"); o.code == 0 || r.Verdict != "failed" || time.Since(begun) > 20*time.Second {
		t.Errorf("exit code %d after %s: %+v", o.code, time.Since(begun), r)
	}
}

// What comes up soon after is still told of.
func TestADoomedServiceLeavesOthersSomeTime(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, "nova")
	late := apitest.NewApp("auth-service", 1, 8080)
	late.Serve(t, apitest.Good())
	good := late.Deployment.DeepCopy()
	late.Deployment.Status.AvailableReplicas = 0
	doomed := apitest.NewApp("user-service", 1, 8080)
	doomed.Deployment.Status.AvailableReplicas, doomed.Deployment.Status.UnavailableReplicas = 0, 1
	c := &doomed.Pods[0].Status.ContainerStatuses[0]
	c.Ready, c.ImageID = false, ""
	c.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "InvalidImageName"}}
	s.Add(late)
	s.Add(doomed)
	id := s.AddRelease(t, "auth-service", "user-service")
	time.AfterFunc(1500*time.Millisecond, func() { s.Put("deployments", good) })
	o := smoke(t, t.Context(), s, patient("auth-service", "user-service"), "--release", id)
	if r := o.find(t, "user-service", "rollout"); o.code != 11 || !strings.Contains(r.Seen, "InvalidImageName") {
		t.Errorf("exit code %d: %+v", o.code, r)
	}
	for _, check := range []string{"rollout", "readiness", "identity", "routing", "health"} {
		if r := o.find(t, "auth-service", check); r.Verdict != "passed" {
			t.Errorf("%s: %+v", check, r)
		}
	}
}

// starting is a world whose one Deployment lacks a Pod, with the Deployment as it is
// once it is there, and the release.
func starting(t *testing.T) (s *apitest.Server, good *appsv1.Deployment, id string) {
	t.Helper()
	s = apitest.New(t, "nova")
	app := apitest.NewApp("auth-service", 1, 8080)
	app.Serve(t, apitest.Good())
	good = app.Deployment.DeepCopy()
	app.Deployment.Status.AvailableReplicas = 0
	s.Add(app)
	return s, good, s.AddRelease(t, "auth-service")
}

func TestWatchesThatBreakAreTakenUpAgain(t *testing.T) {
	t.Parallel()
	s, good, id := starting(t)
	time.AfterFunc(200*time.Millisecond, s.CutWatches)
	time.AfterFunc(300*time.Millisecond, func() { s.Put("deployments", good) })
	c := patient("auth-service")
	o := smoke(t, t.Context(), s, c, "--release", id)
	if o.code != 0 {
		t.Errorf("exit code %d\n%s", o.code, o.err)
	}
	if n := s.Count("list deployments"); n != 1 {
		t.Errorf("Deployments were listed %d times, want 1: a broken watch goes on where it was", n)
	}
}

func TestWatchesThatAreTooOldBeginAnew(t *testing.T) {
	t.Parallel()
	s, good, id := starting(t)
	// What changes while no watch is open is only to be had by a list.
	var once sync.Once
	s.Intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("watch") == "" || !strings.HasSuffix(r.URL.Path, "/deployments") {
			return false
		}
		once.Do(func() {
			s.Put("deployments", good)
			s.Forget()
		})
		return false
	}
	o := smoke(t, t.Context(), s, patient("auth-service"), "--release", id)
	if o.code != 0 {
		t.Errorf("exit code %d\n%s", o.code, o.err)
	}
	if n := s.Count("list deployments"); n != 2 {
		t.Errorf("Deployments were listed %d times, want 2: again when the server had forgotten their changes", n)
	}
}

func TestEventsAndFiles(t *testing.T) {
	t.Parallel()
	s, _, id := world(t, 1, page("/health", "text/html", "<html>"))
	dir := t.TempDir()
	o := smoke(t, t.Context(), s, conf("auth-service"), "--release", id, "--events", "always",
		"--json-file", filepath.Join(dir, "r.json"), "--junit-file", filepath.Join(dir, "r.xml"), "--termination-log", filepath.Join(dir, "t"))
	if o.code != 13 {
		t.Errorf("exit code %d", o.code)
	}
	for file, want := range map[string]string{
		"r.json": `"class": "health"`, "r.xml": `<testcase name="health" classname="smoke.auth-service"`, "t": "auth-service health failed",
	} {
		if text, err := os.ReadFile(filepath.Join(dir, file)); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v\n%s", file, err, text)
		}
	}
	events := s.Events()
	if len(events) != 2 || events[0].Reason != "SmokeFailed" || events[1].InvolvedObject.Name != "auth-service" || len(events[0].Message) > 1024 {
		t.Errorf("events: %+v", events)
	}
}
