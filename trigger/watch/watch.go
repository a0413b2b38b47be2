// Package watch is trigger's long-running part: it hears of pushes, knows the
// Applications, and acts.
package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"

	"github.com/proerror77/nova-staging/trigger/application"
	"github.com/proerror77/nova-staging/trigger/apply"
	"github.com/proerror77/nova-staging/trigger/cluster"
	"github.com/proerror77/nova-staging/trigger/metrics"
	"github.com/proerror77/nova-staging/trigger/move"
	"github.com/proerror77/nova-staging/trigger/push"
	"github.com/proerror77/nova-staging/trigger/settle"
)

// Options of a [Watcher].
type Options struct {
	// Dynamic lists and watches Applications, Client changes them. Required.
	Dynamic dynamic.Interface
	Client  apply.Client
	// Namespaces to look at. Optional, default all.
	Namespaces []string
	// Selector restricts the Applications that are read at all, by label. Optional.
	Selector string
	// Rules for Applications that say nothing else. Required.
	Rules settle.Rules
	// By is this process, for records. Required.
	By string
	// NoRollback turns automatic rollback off.
	NoRollback bool
	// Grace replaces [move.Grace]. Optional.
	Grace time.Duration
	// Registry is the registry's clock: how far it is ahead of ours. Optional.
	Registry func() time.Duration
	// Workers decide at the same time. Optional, default 4.
	Workers int
	Metrics *metrics.Metrics
	Log     *slog.Logger
}

// Watcher knows the Applications and acts on pushes. Make it with [New].
type Watcher struct {
	o       Options
	writer  *apply.Writer
	index   *index
	tracker *settle.Tracker
	queue   workqueue.TypedRateLimitingInterface[string]
	stores  []cache.SharedIndexInformer
	said    *said

	mu     sync.Mutex
	acting bool
}

// New makes a watcher; [Watcher.Follow] lets it know the Applications.
func New(o Options) (*Watcher, error) {
	switch {
	case o.Dynamic == nil, o.Client == nil, o.Metrics == nil, o.Log == nil, o.By == "":
		return nil, errors.New("make a watcher: a required option is missing")
	case o.Rules.Quiet <= 0 || o.Rules.MaxWait < o.Rules.Quiet || o.Rules.TogetherMaxWait < o.Rules.Quiet:
		return nil, fmt.Errorf("settle time is %s, want more than 0 and at most the maximum waits %s and %s", o.Rules.Quiet, o.Rules.MaxWait, o.Rules.TogetherMaxWait)
	}
	if o.Registry == nil {
		o.Registry = func() time.Duration { return 0 }
	}
	if o.Workers == 0 {
		o.Workers = 4
	}
	// One informer for each: an Application that two know is two Applications.
	o.Namespaces = slices.Compact(slices.Sorted(slices.Values(o.Namespaces)))
	if len(o.Namespaces) == 0 || slices.Contains(o.Namespaces, metav1.NamespaceAll) {
		o.Namespaces = []string{metav1.NamespaceAll}
	}
	w := &Watcher{
		o: o, index: newIndex(), tracker: settle.NewTracker(), said: newSaid(),
		writer: &apply.Writer{Client: o.Client, Metrics: o.Metrics, Log: o.Log},
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[string](200*time.Millisecond, 30*time.Second)),
	}
	for _, ns := range o.Namespaces {
		informer, err := w.informer(ns)
		if err != nil {
			return nil, err
		}
		w.stores = append(w.stores, informer)
	}
	return w, nil
}

func (w *Watcher) informer(namespace string) (cache.SharedIndexInformer, error) {
	resource := w.o.Dynamic.Resource(application.Resource).Namespace(namespace)
	informer := cache.NewSharedIndexInformer(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, lo metav1.ListOptions) (runtime.Object, error) {
			lo.LabelSelector = w.o.Selector
			if lo.ResourceVersion == "0" || lo.ResourceVersion == "" {
				// In pages: thousands of whole Applications at once would be most of
				// the memory that this process ever uses. Pages need a fresh list.
				lo.ResourceVersion, lo.ResourceVersionMatch = "", ""
			}
			return w.list(ctx, resource, lo)
		},
		WatchFuncWithContext: func(ctx context.Context, lo metav1.ListOptions) (apiwatch.Interface, error) {
			lo.LabelSelector = w.o.Selector
			return resource.Watch(ctx, lo)
		},
	}, &unstructured.Unstructured{}, 0, cache.Indexers{})
	if err := informer.SetTransform(func(obj any) (any, error) {
		if u, ok := obj.(*unstructured.Unstructured); ok {
			return parsed(u), nil
		}
		return obj, nil
	}); err != nil {
		return nil, fmt.Errorf("follow applications: %w", err)
	}
	if err := informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
		w.o.Metrics.Errors.WithLabelValues("kubernetes").Inc()
		w.said.every(time.Minute, "watch "+namespace, func() {
			w.o.Log.Error("Applications can not be followed for now", "namespace", namespace, "error", err)
		})
	}); err != nil {
		return nil, fmt.Errorf("follow applications: %w", err)
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { w.changed(obj) },
		UpdateFunc: func(_, obj any) { w.changed(obj) },
		DeleteFunc: func(obj any) {
			if key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(obj); err == nil {
				w.index.remove(key)
				w.queue.Add(key)
			}
		},
	})
	return informer, err
}

// pageSize of a list: some hundred Applications are a few MiB of JSON.
const pageSize = 100

// list reads all pages, and cuts each Application down to what is kept of it
// before the next page is read.
func (w *Watcher) list(ctx context.Context, resource dynamic.ResourceInterface, lo metav1.ListOptions) (runtime.Object, error) {
	all := &unstructured.UnstructuredList{}
	lo.Limit = pageSize
	for {
		page, err := resource.List(ctx, lo)
		if err != nil {
			return nil, err
		}
		if all.Object == nil {
			all.Object = map[string]any{"apiVersion": page.GetAPIVersion(), "kind": page.GetKind()}
		}
		for i := range page.Items {
			all.Items = append(all.Items, *reduced(&page.Items[i]))
		}
		all.SetResourceVersion(page.GetResourceVersion())
		if lo.Continue = page.GetContinue(); lo.Continue == "" {
			return all, nil
		}
	}
}

func (w *Watcher) changed(obj any) {
	app, ok := obj.(*application.Application)
	if !ok {
		return
	}
	if app.Selected {
		w.index.set(app)
	} else {
		w.index.remove(app.Key())
	}
	w.queue.Add(app.Key())
}

// Follow keeps the Applications known until ctx ends. It returns once they are
// all known, or with the reason why not.
func (w *Watcher) Follow(ctx context.Context) error {
	var synced []cache.InformerSynced
	for _, s := range w.stores {
		go s.RunWithContext(ctx)
		synced = append(synced, s.HasSynced)
	}
	if !cache.WaitForCacheSync(ctx.Done(), synced...) {
		return fmt.Errorf("read all applications: %w", context.Cause(ctx))
	}
	return nil
}

// Synced says whether all Applications are known.
func (w *Watcher) Synced() bool {
	for _, s := range w.stores {
		if !s.HasSynced() {
			return false
		}
	}
	return true
}

// Applications lists those that are selected.
func (w *Watcher) Applications() []*application.Application {
	var all []*application.Application
	for _, s := range w.stores {
		for _, obj := range s.GetStore().List() {
			if app, ok := obj.(*application.Application); ok && app.Selected {
				all = append(all, app)
			}
		}
	}
	return all
}

func (w *Watcher) get(key string) *application.Application {
	for _, s := range w.stores {
		if obj, ok, err := s.GetStore().GetByKey(key); err == nil && ok {
			app, _ := obj.(*application.Application)
			return app
		}
	}
	return nil
}

// Acting says whether this replica acts.
func (w *Watcher) Acting() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.acting
}

func (w *Watcher) setActing(v bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acting = v
}

// Act hears of pushes and acts until ctx ends. The Applications must be known.
// It may be called again after it returned.
func (w *Watcher) Act(ctx context.Context, sources ...push.Source) error {
	if !w.Synced() {
		return errors.New("act: the applications are not known yet")
	}
	w.setActing(true)
	defer w.setActing(false)
	for _, app := range w.Applications() {
		w.queue.Add(app.Key()) // what another replica left unfinished
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	for range w.o.Workers {
		wg.Go(func() { w.work(ctx) })
	}
	errs := make(chan error, len(sources))
	for _, s := range sources {
		wg.Go(func() { errs <- s.Run(ctx, w.Deliver) })
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-errs:
	}
	cancel()
	w.queue.Add("") // wakes a worker, which sees that it is to end
	wg.Wait()
	return err
}

// Deliver takes a push over from a source.
func (w *Watcher) Deliver(d push.Delivery) {
	keys := w.index.of(d.Push.Repository)
	if len(keys) == 0 {
		w.o.Metrics.Pushes.WithLabelValues("irrelevant").Inc()
		w.said.once("irrelevant "+d.Push.Repository.String(), func() {
			w.o.Log.Info("no selected Application uses this repository", "repository", d.Push.Repository.String())
		})
		d.Done()
		return
	}
	keys = slices.DeleteFunc(keys, func(key string) bool {
		app := w.get(key)
		if app == nil || !move.Covered(w.now(), app, d.Push) {
			return false
		}
		if app.Settings.Together {
			w.tracker.Remember(key, d.Push, time.Now())
			w.queue.Add(key) // it may complete the set of others that wait
		}
		return true
	})
	if len(keys) == 0 {
		w.o.Metrics.Pushes.WithLabelValues("covered").Inc()
		d.Done()
		return
	}
	done := after(len(keys), d.Done)
	fresh := false
	for _, key := range keys {
		app := w.get(key)
		together := app != nil && app.Settings.Together
		fresh = w.tracker.Add(key, d.Push, time.Now(), together, done) || fresh
		w.queue.Add(key)
	}
	if !fresh {
		w.o.Metrics.Pushes.WithLabelValues("duplicate").Inc()
		return
	}
	w.o.Metrics.Pushes.WithLabelValues("accepted").Inc()
	w.o.Log.Debug("push", "repository", d.Push.Repository.String(), "tag", d.Push.Tag, "time", d.Push.Time, "applications", len(keys))
}

// after gives a function that calls done at its n-th call.
func after(n int, done func()) func() {
	var mu sync.Mutex
	return func() {
		mu.Lock()
		n--
		last := n == 0
		mu.Unlock()
		if last {
			done()
		}
	}
}

// interface checks
var _ apply.Client = (*cluster.Connection)(nil)

func (w *Watcher) now() move.Now {
	wall := time.Now()
	return move.Now{Wall: wall, Registry: wall.Add(w.o.Registry())}
}
