package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// The kinds that are watched, named as in RBAC rules.
const (
	Deployments    = "deployments"
	ReplicaSets    = "replicasets"
	Pods           = "pods"
	Services       = "services"
	EndpointSlices = "endpointslices"
	ConfigMaps     = "configmaps"
)

// Wanted says what a run has to see.
type Wanted struct {
	// Namespace that is watched. Required.
	Namespace string
	// ConfigMap is the one ConfigMap that is read. Optional.
	ConfigMap string
	// Workloads switches Deployments, ReplicaSets and Pods on.
	Workloads bool
	// Routes switches Services and EndpointSlices on.
	Routes bool
}

// Kinds that have to be watched for w.
func (w Wanted) Kinds() []string {
	var kinds []string
	if w.Workloads {
		kinds = append(kinds, Deployments, ReplicaSets, Pods)
	}
	if w.Routes {
		kinds = append(kinds, Services, EndpointSlices)
	}
	if w.ConfigMap != "" {
		kinds = append(kinds, ConfigMaps)
	}
	return kinds
}

// Watcher lists and watches, and can list Pods anew at the end.
type Watcher struct {
	*State
	client kubernetes.Interface
	wanted Wanted
}

// NewWatcher makes a watcher that has not begun yet.
func NewWatcher(client kubernetes.Interface, wanted Wanted) *Watcher {
	return &Watcher{State: newState(wanted.Kinds()), client: client, wanted: wanted}
}

// Want replaces what is to be watched. It must come before [Watcher.Start].
func (w *Watcher) Want(wanted Wanted) {
	w.wanted = wanted
	w.expect(wanted.Kinds())
}

// Start begins to list and watch until ctx ends. It returns at once; wait with
// [State.Wait].
func (w *Watcher) Start(ctx context.Context) {
	for _, kind := range w.wanted.Kinds() {
		go w.follow(ctx, kind, w.source(kind))
	}
}

// Reread lists the Pods once more, past every cache, and takes the answer in.
// What was learned from Pods is worth something only if they are still there.
func (w *Watcher) Reread(ctx context.Context) error {
	list, err := w.source(Pods).list(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list pods in namespace %s again: %w", w.wanted.Namespace, err)
	}
	return w.replace(Pods, list)
}

// source is where one kind comes from.
type source struct {
	list  func(context.Context, metav1.ListOptions) (runtime.Object, error)
	watch func(context.Context, metav1.ListOptions) (watch.Interface, error)
}

type lister[L runtime.Object] interface {
	List(context.Context, metav1.ListOptions) (L, error)
	Watch(context.Context, metav1.ListOptions) (watch.Interface, error)
}

func from[L runtime.Object](c lister[L], selector string) source {
	return source{
		list: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = selector
			l, err := c.List(ctx, o)
			if err == nil && l.GetObjectKind() != nil {
				if m, merr := meta.ListAccessor(l); merr == nil && m.GetContinue() != "" {
					return nil, errors.New("the server gave only a part of the list")
				}
			}
			return l, err
		},
		watch: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = selector
			return c.Watch(ctx, o)
		},
	}
}

func (w *Watcher) source(kind string) source {
	ns := w.wanted.Namespace
	switch kind {
	case Deployments:
		return from(w.client.AppsV1().Deployments(ns), "")
	case ReplicaSets:
		return from(w.client.AppsV1().ReplicaSets(ns), "")
	case Pods:
		return from(w.client.CoreV1().Pods(ns), "")
	case Services:
		return from(w.client.CoreV1().Services(ns), "")
	case EndpointSlices:
		return from(w.client.DiscoveryV1().EndpointSlices(ns), "")
	default:
		return from(w.client.CoreV1().ConfigMaps(ns), "metadata.name="+w.wanted.ConfigMap)
	}
}

// Pauses between two attempts after an error.
const (
	firstPause = 100 * time.Millisecond
	longPause  = 2 * time.Second
)

// follow keeps one kind up to date until ctx ends.
func (w *Watcher) follow(ctx context.Context, kind string, src source) {
	pause := firstPause
	failed := func(err error) bool {
		if ctx.Err() != nil {
			return false
		}
		w.report(kind, false, err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, longPause)
		return ctx.Err() == nil
	}
	version := ""
	for ctx.Err() == nil {
		if version == "" {
			list, err := src.list(ctx, metav1.ListOptions{})
			if err == nil {
				version, err = listVersion(list)
			}
			if err == nil {
				err = w.replace(kind, list)
			}
			if err != nil {
				version = ""
				if !failed(err) {
					return
				}
				continue
			}
			w.report(kind, true, nil)
		}
		begun := time.Now()
		next, err := w.stream(ctx, kind, src, version)
		version = next
		if time.Since(begun) > longPause {
			pause = firstPause
		}
		if err == nil && time.Since(begun) < firstPause {
			// A server that hangs up at once is not asked in a tight loop.
			err = errors.New("the server ended the watch at once")
		}
		if err != nil && !failed(err) {
			return
		}
	}
}

// stream watches from version until the stream ends and gives the version to go
// on from, empty when everything must be listed again.
func (w *Watcher) stream(ctx context.Context, kind string, src source, version string) (string, error) {
	from := version
	if from == unversioned {
		from = ""
	}
	stream, err := src.watch(ctx, metav1.ListOptions{ResourceVersion: from, AllowWatchBookmarks: true})
	if err != nil {
		if expired(err) {
			return "", nil
		}
		return version, fmt.Errorf("watch: %w", err)
	}
	defer stream.Stop()
	w.report(kind, false, nil)
	for event := range stream.ResultChan() {
		switch event.Type {
		case watch.Error:
			err := apierrors.FromObject(event.Object)
			if expired(err) {
				return "", nil
			}
			return version, fmt.Errorf("watch: %w", err)
		case watch.Added, watch.Modified, watch.Deleted:
			w.apply(kind, event.Object, event.Type == watch.Deleted)
		}
		if m, err := meta.Accessor(event.Object); err == nil && m.GetResourceVersion() != "" {
			version = m.GetResourceVersion()
		}
	}
	return version, nil
}

// unversioned stands for the version of a list that has none.
const unversioned = "none"

func listVersion(list runtime.Object) (string, error) {
	m, err := meta.ListAccessor(list)
	if err != nil {
		return "", fmt.Errorf("read the list: %w", err)
	}
	if v := m.GetResourceVersion(); v != "" {
		return v, nil
	}
	return unversioned, nil
}

func expired(err error) bool {
	return apierrors.IsResourceExpired(err) || apierrors.IsGone(err)
}

// refused says that asking again will not help.
func refused(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) || apierrors.IsNotFound(err)
}
