// Command trigger (of bench) loads trigger with many Applications and pushes, on
// a simulated API server, Argo CD and queue, and measures the real binary.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/proerror77/nova-staging/internal/argotest"
	"github.com/proerror77/nova-staging/internal/ecremulator"
)

const (
	account = "025434362120"
	region  = "ap-northeast-1"
	host    = account + ".dkr.ecr." + region + ".amazonaws.com/"
)

func main() {
	var b bench
	flag.StringVar(&b.binary, "trigger", "bin/trigger", "the program to measure")
	flag.IntVar(&b.apps, "applications", 2000, "Applications")
	flag.IntVar(&b.repositories, "repositories", 5000, "repositories")
	flag.IntVar(&b.rate, "rate", 50, "events a second")
	flag.DurationVar(&b.length, "length", time.Minute, "how long events come; the full measurement is 10m")
	flag.DurationVar(&b.settle, "settle", 20*time.Second, "settle time")
	flag.Float64Var(&b.duplicates, "duplicates", 0.05, "how often the queue delivers a message twice")
	flag.Parse()
	if err := b.run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench/trigger:", err)
		os.Exit(1)
	}
}

type bench struct {
	binary             string
	apps, repositories int
	rate               int
	length, settle     time.Duration
	duplicates         float64

	mu     sync.Mutex
	newest map[string]time.Time // of the pushes to an Application's repositories
}

// of names the repositories of an Application: each is used by a few.
func (b *bench) of(app int) []string {
	var all []string
	for i := range 5 {
		all = append(all, fmt.Sprintf("nova/r%04d", (app*5+i*7)%b.repositories))
	}
	return all
}

func (b *bench) run() error {
	api := argotest.New()
	defer api.Close()
	ecr, err := ecremulator.New().Serve()
	if err != nil {
		return err
	}
	defer ecr.Close()
	registry, err := ecr.CreateRegistry(account, region)
	if err != nil {
		return err
	}
	dead := ecremulator.Must(ecr.CreateQueue(account, region, "dead", ecremulator.QueueOptions{}))
	queue := ecremulator.Must(ecr.CreateQueue(account, region, "nova-trigger", ecremulator.QueueOptions{Wait: 20 * time.Second, DeadLetter: dead, MaxReceives: 20}))
	queue.SetDuplicates(b.duplicates, 1)
	queue.SetUnordered(true)
	users := map[string][]string{}
	for i := range b.apps {
		name := fmt.Sprintf("app-%04d", i)
		var images []string
		for _, r := range b.of(i) {
			images = append(images, host+r+":0123456789012345678901234567890123456789")
			users[r] = append(users[r], name)
		}
		api.Add(argotest.App{Name: name, AsOf: "2026-11-20T12:00:00Z", Images: images, Change: ballast})
	}
	dir, err := os.MkdirTemp("", "bench-trigger-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	kubeconfig, err := api.Kubeconfig(dir)
	if err != nil {
		return err
	}

	argo := &argotest.Argo{
		Render:     func(_, asOf string) (string, error) { return asOf, nil }, // every move is a sync
		RenderTime: 500 * time.Millisecond, SyncTime: 5 * time.Second,
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go argo.Run(ctx, api)

	child, url, err := b.start(ctx, ecr, queue, kubeconfig, dir)
	if err != nil {
		return err
	}
	defer func() {
		_ = child.Process.Signal(syscall.SIGTERM)
		_ = child.Wait()
	}()
	idle := api.Counts()
	cpu0, began := cpu(child.Process.Pid), time.Now()

	b.newest = map[string]time.Time{}
	sent := b.send(queue, registry, users)
	fmt.Printf("%d events in %s to %d repositories that %d of %d applications use\n", sent, b.length, b.repositories, len(b.newest), b.apps)
	busy := (cpu(child.Process.Pid) - cpu0) / time.Since(began).Seconds()

	lost := -1
	for deadline := time.Now().Add(b.settle + 2*time.Minute); time.Now().Before(deadline); time.Sleep(500 * time.Millisecond) {
		if lost = b.lost(api); lost == 0 && queue.Len() == 0 {
			break
		}
	}
	counts := api.Counts()
	metrics, err := page(url + "/metrics")
	if err != nil {
		return err
	}
	moves := metric(metrics, `nova_trigger_moves_total{kind="deploy"}`)
	_, deleted := queue.Counts()
	fmt.Printf("lost: %d applications whose as-of is older than their newest push; %d messages left, %d dead, %d of %d deleted\n", lost, queue.Len(), dead.Len(), deleted, sent)
	fmt.Printf("memory: %.0f MiB at most (resident), CPU: %.2f of a core while events came\n", peak(child.Process.Pid), busy)
	fmt.Printf("API server: %d patches, %d reads, %d Events for %.0f moves (%.2f requests a move)\n",
		counts["patch applications"], counts["get applications"]-idle["get applications"], counts["create events"],
		moves, float64(counts["patch applications"]+counts["get applications"]+counts["create events"])/max(1, moves))
	if lost != 0 || queue.Len() != 0 || dead.Len() != 0 {
		return fmt.Errorf("something was lost")
	}
	return nil
}

// ballast makes an Application as large as real ones, whose status lists every
// resource and each field's manager.
func ballast(o map[string]any) {
	var resources []any
	for i := range 60 {
		resources = append(resources, map[string]any{
			"group": "apps", "kind": "Deployment", "namespace": "nova", "name": fmt.Sprintf("service-%d", i), "status": "Synced", "version": "v1",
			"health": map[string]any{"status": "Healthy"},
		})
	}
	o["status"].(map[string]any)["resources"] = resources
}

func (b *bench) start(ctx context.Context, ecr *ecremulator.Server, queue *ecremulator.Queue, kubeconfig, dir string) (*exec.Cmd, string, error) {
	child := exec.CommandContext(ctx, b.binary, "watch", "--kubeconfig", kubeconfig, "--queue-url", ecr.URL+queue.Path(), "--queue-region", region,
		"--settle", b.settle.String(), "--listen", "127.0.0.1:0", "--leader-elect=false", "--push-times=false")
	child.Env = append(os.Environ(), "GOMEMLIMIT=80MiB")
	for k, v := range ecr.Env() {
		child.Env = append(child.Env, k+"="+v)
	}
	logs, err := child.StderrPipe()
	if err != nil {
		return nil, "", err
	}
	if err := child.Start(); err != nil {
		return nil, "", err
	}
	kept, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, "", err
	}
	lines := bufio.NewReader(io.TeeReader(logs, kept))
	url := ""
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return nil, "", fmt.Errorf("%s ended: %s", b.binary, line)
		}
		if m := regexp.MustCompile(`"listen":"([^"]+)"`).FindStringSubmatch(line); m != nil {
			url = "http://" + m[1]
		}
		if strings.Contains(line, `"msg":"acting"`) {
			go func() { _, _ = io.Copy(io.Discard, lines) }()
			return child, url, nil
		}
	}
}

// send puts events into the queue at an even rate.
func (b *bench) send(queue *ecremulator.Queue, registry *ecremulator.Registry, users map[string][]string) int {
	repositories := make([]*ecremulator.Repository, b.repositories)
	for i := range repositories {
		repositories[i] = ecremulator.Must(registry.CreateRepository(fmt.Sprintf("nova/r%04d", i)))
	}
	random := rand.New(rand.NewPCG(1, 1))
	sent, began := 0, time.Now()
	for ; time.Since(began) < b.length; sent++ {
		time.Sleep(time.Until(began.Add(time.Duration(sent) * time.Second / time.Duration(b.rate))))
		r := repositories[random.IntN(len(repositories))]
		now := time.Now()
		b.mu.Lock()
		for _, app := range users[r.Name()] {
			b.newest[app] = now
		}
		b.mu.Unlock()
		queue.Send(ecremulator.NewEvent(r, "PUSH", "sha256:"+strings.Repeat("a", 64), fmt.Sprintf("%040x", sent), now).JSON())
	}
	return sent
}

// lost counts the Applications whose instant does not take in their newest push.
func (b *bench) lost(api *argotest.Server) int {
	n := 0
	for app, newest := range b.newest {
		at, err := time.Parse(time.RFC3339, api.AsOf("argocd", app))
		if err != nil || at.Before(newest) {
			n++
		}
	}
	return n
}

func page(url string) (string, error) {
	res, err := http.Get(url)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	return string(data), err
}

func metric(page, name string) float64 {
	for line := range strings.SplitSeq(page, "\n") {
		if v, ok := strings.CutPrefix(line, name+" "); ok {
			f, _ := strconv.ParseFloat(v, 64)
			return f
		}
	}
	return 0
}

// cpu is the seconds of processor time that a process has used.
func cpu(pid int) float64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	return (user + system) / 100
}

// peak is the largest resident memory of a process, in MiB.
func peak(pid int) float64 {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(data)
	if m == nil {
		return 0
	}
	kb, _ := strconv.ParseFloat(string(m[1]), 64)
	return kb / 1024
}
