// Package smoke measures smoke against the numbers that it promises. Run with
//
//	go test ./bench/smoke -run '^$' -bench . -benchtime 3x
package smoke

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/internal/apitest"
)

// binary builds smoke once.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "smoke-bench")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "smoke")
	out, err := exec.Command("go", "build", "-o", path, "github.com/proerror77/nova-staging/cmd/smoke").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build smoke: %w\n%s", err, out)
	}
	return path, nil
})

// gauge counts open connections.
type gauge struct{ open, most atomic.Int64 }

func (g *gauge) wrap(h http.Handler, delay time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := g.open.Add(1)
		defer g.open.Add(-1)
		for {
			most := g.most.Load()
			if n <= most || g.most.CompareAndSwap(most, n) {
				break
			}
		}
		time.Sleep(delay)
		h.ServeHTTP(w, r)
	})
}

// scene is a server with services and the config to look at them.
type scene struct {
	server *apitest.Server
	args   []string
	apps   []*apitest.App
	gauge  gauge
}

func newScene(b *testing.B, services, pods int, delay func(i int) time.Duration, handler http.Handler) *scene {
	b.Helper()
	sc := &scene{server: apitest.New(b, "nova")}
	var conf strings.Builder
	conf.WriteString("apiVersion: staging.nova/v1alpha1\nkind: SmokeTest\nservices:\n")
	names := make([]string, services)
	for i := range services {
		names[i] = fmt.Sprintf("service-%03d", i)
		app := apitest.NewApp(names[i], pods, 8080)
		app.Serve(b, sc.gauge.wrap(handler, delay(i)))
		sc.server.Add(app)
		sc.apps = append(sc.apps, app)
		fmt.Fprintf(&conf, "- {name: %s, port: 8080}\n", names[i])
	}
	id := sc.server.AddRelease(b, names...)
	file := filepath.Join(b.TempDir(), "smoke.yaml")
	if err := os.WriteFile(file, []byte(conf.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	sc.args = []string{
		"run", "--config", file, "--kubeconfig", sc.server.Kubeconfig(b), "--reach", "direct", "--release", id,
		"--termination-log", "none", "--progress", "none",
	}
	return sc
}

// measured is what a runner found out.
type measured struct {
	Took   time.Duration
	MaxRSS int64 // bytes
	Err    string
	Output string
}

// runnerEnv makes this program a runner. It names the file for the result.
const runnerEnv = "SMOKE_BENCH_RUNNER"

// TestMain is also the runner: a process inherits its parent's peak of memory,
// and the test holds a thousand Pods, so that a small process has to start smoke.
func TestMain(m *testing.M) {
	file := os.Getenv(runnerEnv)
	if file == "" {
		os.Exit(m.Run())
	}
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=2")
	begun := time.Now()
	out, err := cmd.CombinedOutput()
	r := measured{Took: time.Since(begun), Output: string(out)}
	if err != nil {
		r.Err = err.Error()
	}
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.MaxRSS = u.Maxrss << 10
	}
	data, err := json.Marshal(r)
	if err == nil {
		err = os.WriteFile(file, data, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// smoke runs the binary once and gives its wall time and its peak memory.
func (sc *scene) smoke(b *testing.B) (time.Duration, int64) {
	b.Helper()
	path, err := binary()
	if err != nil {
		b.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	file := filepath.Join(b.TempDir(), "measured.json")
	cmd := exec.Command(self, append([]string{path}, sc.args...)...)
	cmd.Env = append(os.Environ(), runnerEnv+"="+file)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("runner: %v\n%s", err, out)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	var r measured
	if err := json.Unmarshal(data, &r); err != nil {
		b.Fatal(err)
	}
	if r.Err != "" || r.MaxRSS == 0 {
		b.Fatalf("smoke: %s, %d bytes\n%s", r.Err, r.MaxRSS, r.Output)
	}
	return r.Took, r.MaxRSS
}

// BenchmarkEightServices is staging as it is: 8 services with 2 Pods each that
// take between 100 and 800 ms for an answer. The seed's way, one curl after
// another, does the same requests in the same run.
func BenchmarkEightServices(b *testing.B) {
	delay := func(i int) time.Duration { return time.Duration(i+1) * 100 * time.Millisecond }
	sc := newScene(b, 8, 2, delay, apitest.Good())
	slowest := 800 * time.Millisecond
	var total time.Duration
	var memory int64
	for b.Loop() {
		took, rss := sc.smoke(b)
		total, memory = total+took, max(memory, rss)
	}
	mean := total / time.Duration(b.N)
	limit := slowest*12/10 + 200*time.Millisecond
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(mean.Seconds()*1000, "ms/run")
	b.ReportMetric(float64(limit.Milliseconds()), "ms/limit")
	b.ReportMetric(float64(memory)/(1<<20), "MiB-peak")
	if mean > limit {
		b.Errorf("a run takes %s, the limit is %s", mean, limit)
	}
	if took, ok := sequential(b, sc); ok {
		b.ReportMetric(took.Seconds()*1000, "ms/seeds-way")
	}
}

// sequential runs the seed's way.
func sequential(b *testing.B, sc *scene) (time.Duration, bool) {
	b.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		b.Log("curl is not installed: the seed's way is not measured")
		return 0, false
	}
	var urls strings.Builder
	for _, a := range sc.apps {
		fmt.Fprintf(&urls, "http://%s:8080\n", a.Service.Spec.ClusterIP)
		for _, p := range a.Pods {
			fmt.Fprintf(&urls, "http://%s:8080\n", p.Status.PodIP)
		}
	}
	cmd := exec.Command("bash", "sequential.sh")
	cmd.Stdin = strings.NewReader(urls.String())
	begun := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("sequential.sh: %v\n%s", err, out)
	}
	return time.Since(begun), true
}

// BenchmarkTwoHundredServices is 200 services with 5 Pods each, 1,000 Pods.
func BenchmarkTwoHundredServices(b *testing.B) {
	sc := newScene(b, 200, 5, func(int) time.Duration { return 20 * time.Millisecond }, apitest.Good())
	var total time.Duration
	var memory int64
	for b.Loop() {
		took, rss := sc.smoke(b)
		total, memory = total+took, max(memory, rss)
	}
	mean := total / time.Duration(b.N)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(mean.Seconds()*1000, "ms/run")
	b.ReportMetric(float64(memory)/(1<<20), "MiB-peak")
	b.ReportMetric(float64(sc.gauge.most.Load()), "connections-most")
	for _, kind := range []string{"deployments", "replicasets", "pods", "services", "endpointslices", "configmaps"} {
		list, watch := sc.server.Count("list "+kind), sc.server.Count("watch "+kind)
		b.Logf("%s: %.2f lists, %.2f watches a run", kind, float64(list)/float64(b.N), float64(watch)/float64(b.N))
	}
	if mean > 10*time.Second {
		b.Errorf("a run takes %s, the limit is 10s", mean)
	}
	if memory > 64<<20 {
		b.Errorf("a run takes %d MiB, the limit is 64", memory>>20)
	}
	if n := sc.gauge.most.Load(); n > 128 {
		b.Errorf("%d connections at the same time, the limit is 128", n)
	}
}
