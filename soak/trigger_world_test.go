package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/proerror77/nova-staging/internal/argotest"
	"github.com/proerror77/nova-staging/internal/ecremulator"
	"github.com/proerror77/nova-staging/trigger/command"
)

const queueAccount = "025434362120"

// staging is a cluster with Argo CD, a registry, a queue, and replicas of trigger.
type staging struct {
	seed     uint64
	rng      *rand.Rand // of whoever acts, in one goroutine
	dir      string
	ecr      *ecremulator.Server
	registry *ecremulator.Registry
	queue    *ecremulator.Queue
	dead     *ecremulator.Queue
	api      *argotest.Server
	argo     *argotest.Argo
	audit    *audit
	trouble  *outage
	repos    []string
	apps     []*deployed
	replicas []*replica
	args     []string       // of trigger watch
	patient  bool           // has time for events that come very late
	late     sync.WaitGroup // events on their way
	did      []string       // for whoever reads a failure

	mu        sync.Mutex
	pushes    []pushed
	broken    bool // renders fail
	malformed int
	asked     map[string]bool // holds by the text
	releases  map[string]int  // by Application
	edits     int
	crashes   int
}

type pushed struct {
	repo, tag string
	at        time.Time
}

// deployed is an Application.
type deployed struct {
	name       string
	repos      []string
	noRollback bool
	edits      []string // labels that others put on it
	once       bool     // moved on request
}

// newStaging makes the staging of a seed. Nothing runs before [staging.run].
func newStaging(seed uint64, dir string, e *ecremulator.Server) (*staging, error) {
	rng := rand.New(rand.NewPCG(seed, 4))
	w := &staging{
		seed: seed, rng: rng, dir: dir, ecr: e, api: argotest.New(), asked: map[string]bool{}, releases: map[string]int{},
		trouble: &outage{rng: rand.New(rand.NewPCG(seed, 5)), hits: map[string]int{}},
	}
	w.audit = &audit{w: w, apps: map[string]*past{}}
	var err error
	if w.registry, err = e.CreateRegistry(fmt.Sprintf("%012d", 100_000_000_000+seed%900_000_000_000), region); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("soak-%d", seed)
	if w.dead, err = e.CreateQueue(queueAccount, region, name+"-dead", ecremulator.QueueOptions{}); err != nil {
		return nil, err
	}
	// As the documentation has it, so that no push dies of kills and duplicates.
	if w.queue, err = e.CreateQueue(queueAccount, region, name, ecremulator.QueueOptions{Wait: 20 * time.Second, DeadLetter: w.dead, MaxReceives: 20}); err != nil {
		return nil, err
	}
	w.queue.SetDuplicates(rng.Float64()/4, seed)
	w.queue.SetUnordered(rng.IntN(2) == 0)
	for i := range 1 + rng.IntN(4) {
		w.repos = append(w.repos, fmt.Sprintf("soak/svc-%d", i))
		if _, err := w.registry.CreateRepository(w.repos[i]); err != nil {
			return nil, err
		}
	}
	w.argo = &argotest.Argo{
		Render: w.render, Smoke: smokes, Retry: 300 * time.Millisecond,
		RenderTime: time.Duration(rng.IntN(100)) * time.Millisecond, SyncTime: time.Duration(rng.IntN(600)) * time.Millisecond,
	}
	if rng.IntN(4) > 0 { // else all rests on times, as after a self-heal
		w.argo.Images, w.argo.ListLate = w.references, rng.IntN(2) == 0
	}
	for i := range 1 + rng.IntN(3) {
		w.add(fmt.Sprintf("app-%d", i))
	}
	w.args = []string{
		"watch", "--queue-url", e.URL + w.queue.Path(), "--settle", "300ms", "--max-wait", "1500ms", "--together-max-wait", "2s",
		"--queue-visibility", "3s", "--listen", "", "--log-level", "debug", "--grace", "2s", "--push-times=false",
	}
	if rng.IntN(4) == 0 {
		w.args = append(w.args, "--poll", "--poll-interval", "1s", "--poll-budget", "6000")
	}
	return w, nil
}

func (w *staging) add(name string) {
	a := &deployed{name: name}
	for _, r := range w.repos {
		if len(a.repos) == 0 || w.rng.IntN(2) == 0 {
			a.repos = append(a.repos, r)
		}
	}
	var images []string
	for _, r := range a.repos {
		images = append(images, w.registry.Host()+"/"+r+":old")
	}
	annotations := map[string]string{}
	if w.rng.IntN(8) == 0 {
		a.noRollback = true
		annotations["trigger.staging.nova/rollback"] = "off"
	}
	if w.rng.IntN(6) == 0 {
		annotations["trigger.staging.nova/together"] = "true"
	}
	if w.rng.IntN(8) == 0 {
		annotations["trigger.staging.nova/interrupt"] = "true"
	}
	w.api.Add(argotest.App{
		Name: name, AsOf: time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), Images: images, Annotations: annotations, MultiSource: w.rng.IntN(2) == 0,
	})
	w.apps = append(w.apps, a)
}

func (w *staging) app(name string) *deployed {
	return w.apps[slices.IndexFunc(w.apps, func(a *deployed) bool { return a.name == name })]
}

// run starts everything; the function that it returns ends it.
func (w *staging) run() (end func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { w.argo.Run(ctx, w.api) })
	wg.Go(func() { w.audit.follow(w.api.URL) })
	replicas := 1
	if w.rng.IntN(3) == 0 {
		replicas = 2
		w.args = append(w.args, "--lease-duration", "3s", "--lease-renew-deadline", "2s", "--lease-retry-period", "300ms")
	} else {
		w.args = append(w.args, "--leader-elect=false")
	}
	for i := range replicas {
		r := &replica{w: w, name: fmt.Sprintf("trigger-%d", i), log: &tail{}}
		w.replicas = append(w.replicas, r)
		err = errors.Join(err, r.start())
	}
	return func() {
		for _, r := range w.replicas {
			r.kill()
		}
		w.late.Wait()
		cancel()
		w.api.Close()
		wg.Wait()
	}, err
}

// images are the newest of an Application's repositories at an instant.
func (w *staging) images(app string, at time.Time) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	newest := map[string]string{}
	for _, p := range w.pushes {
		if !p.at.After(at) && slices.Contains(w.app(app).repos, p.repo) {
			newest[p.repo] = p.tag
		}
	}
	var all []string
	for _, r := range slices.Sorted(maps.Keys(newest)) {
		all = append(all, r+":"+newest[r])
	}
	return strings.Join(all, " ")
}

func (w *staging) render(app, asOf string) (string, error) {
	w.mu.Lock()
	broken := w.broken
	w.mu.Unlock()
	at, err := time.Parse(time.RFC3339, asOf)
	switch {
	case err != nil:
		return "", err
	case broken:
		return "", errors.New("plugin sidecar failed: ECR throttles")
	}
	return w.images(app, at), nil
}

// references are the images of a render as generate pins them.
func (w *staging) references(_, render string) (all []string) {
	for _, image := range strings.Fields(render) {
		repo, tag, _ := strings.Cut(image, ":")
		if i, err := w.registry.Repository(repo).Image(tag); err == nil {
			all = append(all, w.registry.Host()+"/"+image+"@"+i.Digest)
		}
	}
	return all
}

// smokes fails for a tag that begins with bad.
func smokes(_, render string) (string, bool) {
	for _, image := range strings.Fields(render) {
		if isBad(image) {
			return "Job has failed: health: " + image + " answers 500", false
		}
	}
	return "", true
}

func isBad(images string) bool { return strings.Contains(images, ":bad") }

// push puts an image into the registry, whose event may come late and twice.
func (w *staging) push() {
	repo := w.repos[w.rng.IntN(len(w.repos))]
	r := w.registry.Repository(repo)
	w.mu.Lock()
	// The time and the image in one: no render sees only one of them.
	p := pushed{repo: repo, tag: fmt.Sprintf("good%d", len(w.pushes)), at: time.Now()}
	if w.rng.IntN(4) == 0 {
		p.tag = fmt.Sprintf("bad%d", len(w.pushes))
	}
	w.pushes = append(w.pushes, p)
	digest, err := r.PushAt(p.at, ecremulator.OCIImage(fmt.Sprint(w.seed, p.tag)), p.tag)
	w.mu.Unlock()
	if err != nil {
		panic(err)
	}
	w.note("push of %s:%s", repo, p.tag)
	body := ecremulator.NewEvent(r, "PUSH", digest, p.tag, p.at).JSON()
	times, late := 1, time.Duration(0)
	if w.rng.IntN(6) == 0 {
		times = 2
	}
	if w.rng.IntN(5) == 0 {
		late = time.Duration(w.rng.IntN(2500)) * time.Millisecond
	}
	if w.rng.IntN(60) == 0 && w.patient {
		late = 13 * time.Second // beyond what clocks may differ by
	}
	for i := range times {
		w.late.Go(func() {
			time.Sleep(late * time.Duration(i+1))
			w.queue.Send(body)
		})
	}
}

func (w *staging) note(format string, args ...any) {
	w.did = append(w.did, time.Now().UTC().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

// replica is trigger watch as a supervisor runs it: when it ends by itself it is
// started again.
type replica struct {
	w    *staging
	name string
	log  *tail
	door *door
	stop context.CancelFunc
	done chan struct{}
}

func (r *replica) start() error {
	w := r.w
	r.door = newDoor(w.api.URL, w.trouble)
	config := filepath.Join(w.dir, r.name)
	if err := os.WriteFile(config, []byte(kubeconfig(r.door.URL)), 0o600); err != nil {
		return err
	}
	var ctx context.Context
	ctx, r.stop = context.WithCancel(context.Background())
	r.done = make(chan struct{})
	args := append(slices.Clone(w.args), "--kubeconfig", config)
	env := func(k string) string { return map[string]string{"POD_NAME": r.name}[k] }
	go func() {
		defer close(r.done)
		for ctx.Err() == nil {
			command.Run(ctx, command.Program{Args: args, Env: env, Stdout: io.Discard, Stderr: r.log})
			if ctx.Err() != nil {
				return
			}
			w.mu.Lock()
			w.crashes++
			w.mu.Unlock()
			time.Sleep(100 * time.Millisecond)
		}
	}()
	return nil
}

// end lets the process end as Kubernetes asks it to.
func (r *replica) end() {
	r.stop()
	<-r.done
	r.door.slam()
	r.door.Close()
}

// kill drops the process: from now on nothing that it does has an effect, and
// what it knew is gone.
func (r *replica) kill() {
	r.door.slam()
	cut := r.w.ecr.Inject(ecremulator.Fault{Kind: ecremulator.CutConnection, Op: ecremulator.AnyOperation, Queue: r.w.queueName()})
	r.stop()
	<-r.done
	cut.Remove()
	r.door.Close()
}

func (w *staging) queueName() string { return filepath.Base(w.queue.Path()) }

func kubeconfig(url string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: test
clusters: [{name: test, cluster: {server: %q}}]
users: [{name: test, user: {}}]
contexts: [{name: test, context: {cluster: test, user: test, namespace: argocd}}]
`, url)
}

// tail keeps the end of a log.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailSize = 48 << 10

func (l *tail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text = append(l.text, p...); len(l.text) > 2*tailSize {
		l.text = slices.Clone(l.text[len(l.text)-tailSize:])
	}
	return len(p), nil
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text[max(0, len(l.text)-tailSize):])
}
