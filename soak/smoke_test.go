package soak

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/proerror77/nova-staging/internal/apitest"
	"github.com/proerror77/nova-staging/smoke/command"
)

// lies are ways in which a service that looks well is not. Each makes the handler
// that its Pods answer with, from a good one.
var lies = []struct {
	name string
	tell func(s *apitest.Server, a *apitest.App, pod int, good http.Handler) http.Handler
}{
	{"the image that runs is another one", func(_ *apitest.Server, a *apitest.App, pod int, good http.Handler) http.Handler {
		a.Pods[pod].Status.ContainerStatuses[0].ImageID = apitest.Registry + a.Name + "@" + apitest.Digest("other")
		return good
	}},
	{"the template names no digest", func(_ *apitest.Server, a *apitest.App, _ int, good http.Handler) http.Handler {
		a.Deployment.Spec.Template.Spec.Containers[0].Image = apitest.Registry + a.Name + ":" + apitest.Commit
		a.ReplicaSet.Spec.Template.Spec.Containers[0].Image = apitest.Registry + a.Name + ":" + apitest.Commit
		return good
	}},
	{"a Pod is not ready", func(_ *apitest.Server, a *apitest.App, pod int, good http.Handler) http.Handler {
		a.Pods[pod].Status.Conditions[0].Status = corev1.ConditionFalse
		return good
	}},
	{"an old Pod is still terminating", func(_ *apitest.Server, a *apitest.App, _ int, good http.Handler) http.Handler {
		now := metav1.Now()
		a.AddPod(a.Name+"-old", a.Name+"-7c9f8").DeletionTimestamp = &now
		return good
	}},
	{"the controller has not seen the generation", func(_ *apitest.Server, a *apitest.App, _ int, good http.Handler) http.Handler {
		a.Deployment.Generation++
		return good
	}},
	{"the rollout is not at its end", func(_ *apitest.Server, a *apitest.App, _ int, good http.Handler) http.Handler {
		a.Deployment.Status.UpdatedReplicas--
		return good
	}},
	{"the Pods are somebody else's", func(_ *apitest.Server, a *apitest.App, _ int, good http.Handler) http.Handler {
		for _, p := range a.Pods {
			p.OwnerReferences[0].UID = "uid-of-another"
		}
		return good
	}},
	{"the health page is an error", func(_ *apitest.Server, _ *apitest.App, _ int, good http.Handler) http.Handler {
		return instead(good, "/health", http.StatusServiceUnavailable, "text/plain", "down")
	}},
	{"the metrics page is HTML", func(_ *apitest.Server, _ *apitest.App, _ int, good http.Handler) http.Handler {
		return instead(good, "/metrics", http.StatusOK, "text/html", "<html>sign in</html>")
	}},
	{"the metrics page is half a page", func(_ *apitest.Server, _ *apitest.App, _ int, good http.Handler) http.Handler {
		return instead(good, "/metrics", http.StatusOK, "text/plain; version=0.0.4", apitest.Metrics[:len(apitest.Metrics)-20]+"{")
	}},
}

func instead(good http.Handler, path string, status int, contentType, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path {
			good.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	})
}

// TestSoakSmoke runs smoke SOAK_SMOKES times (default 24) against clusters of
// which one service may lie, while the API server fails at random. It never says
// passed where there is a lie, and never anything else where there is none and
// nothing failed.
func TestSoakSmoke(t *testing.T) {
	t.Parallel()
	seed := setting(t, "SOAK_SEED", uint64(rand.Uint32()))
	n := setting(t, "SOAK_SMOKES", 24)
	t.Logf("seed %d", seed)
	for i := range n {
		t.Run(fmt.Sprint(seed+i), func(t *testing.T) {
			t.Parallel()
			smokeWorld(t, seed+i)
		})
	}
}

func smokeWorld(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 3))
	s := apitest.New(t, "nova")
	lie := rng.IntN(len(lies) + 4) // above: none
	names := []string{"auth-service", "feed-service", "media-service"}[:1+rng.IntN(3)]
	liar := rng.IntN(len(names))
	// Where there is a lie, waiting is all that patience would do.
	patience := "rolloutTimeout: 2s, probeTimeout: 2s, requestTimeout: 1s"
	if lie >= len(lies) {
		patience = "rolloutTimeout: 50s, probeTimeout: 50s, requestTimeout: 20s"
	}
	conf := "apiVersion: staging.nova/v1alpha1\nkind: SmokeTest\ndeadline: 60s\ndefaults: {interval: 50ms, " + patience + "}\nservices:\n"
	told := ""
	for i, name := range names {
		app := apitest.NewApp(name, 1+rng.IntN(3), 8080)
		handler := apitest.Good()
		if i == liar && lie < len(lies) {
			told = name + ": " + lies[lie].name
			handler = lies[lie].tell(s, app, rng.IntN(len(app.Pods)), handler)
		}
		app.Serve(t, handler)
		s.Add(app)
		conf += "- {name: " + name + ", port: 8080}\n"
	}
	id := s.AddRelease(t, names...)
	failed := trouble(s, rng)
	file := filepath.Join(t.TempDir(), "smoke.yaml")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	status := command.Run(t.Context(), []string{
		"run", "--config", file, "--kubeconfig", s.Kubeconfig(t), "--reach", "direct", "-o", "json", "--termination-log", "none", "--release", id,
	}, func(string) string { return "" }, strings.NewReader(""), &stdout, &stderr)
	var report struct{ Verdict string }
	err := json.Unmarshal(stdout.Bytes(), &report)
	passed := status == 0 || report.Verdict == "passed"
	switch {
	case told != "" && passed:
		t.Errorf("seed %d: exit status %d and verdict %q although %s\n%s", seed, status, report.Verdict, told, stdout.String())
	case told == "" && failed() == 0 && (status != 0 || report.Verdict != "passed"):
		t.Errorf("seed %d: exit status %d and verdict %q although all is well\n%s\n%s", seed, status, report.Verdict, stdout.String(), stderr.String())
	case (status == 0) != (report.Verdict == "passed"):
		t.Errorf("seed %d: exit status %d with verdict %q (%v)", seed, status, report.Verdict, err)
	}
	if t.Failed() {
		t.Logf("to see it again: SOAK_SEED=%d SOAK_SMOKES=1 go test -race ./soak -run TestSoakSmoke", seed)
	}
}

// trouble has the API server fail at random, in half of the worlds. It returns a
// function that counts how often it did.
func trouble(s *apitest.Server, rng *rand.Rand) func() int {
	if rng.IntN(2) == 0 {
		return func() int { return 0 }
	}
	share, lasting := rng.Float64()/3, rng.IntN(4) == 0
	status := []int{http.StatusInternalServerError, http.StatusTooManyRequests, http.StatusForbidden, http.StatusGone}[rng.IntN(4)]
	var mu sync.Mutex
	failed := 0
	s.Intercept = func(w http.ResponseWriter, _ *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if !lasting && failed > 5 || rng.Float64() >= share {
			return false
		}
		failed++
		if status == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "0")
		}
		http.Error(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"InternalError","message":"not now"}`, status)
		return true
	}
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return failed
	}
}
