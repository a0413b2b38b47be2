// Package cluster keeps what the API server says about one namespace: one list
// and one watch for each kind, however many services are looked at.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

// State is the namespace as last heard of. All methods may be called at the
// same time; the objects they return are shared and must not be changed.
type State struct {
	mu          sync.RWMutex
	deployments map[string]*appsv1.Deployment
	replicaSets map[types.UID]*appsv1.ReplicaSet
	pods        map[types.UID]*corev1.Pod
	services    map[string]*corev1.Service
	slices      map[types.UID]*discoveryv1.EndpointSlice
	configMaps  map[string]*corev1.ConfigMap

	owned  map[types.UID]map[types.UID]struct{} // owner → ReplicaSets and Pods
	behind map[string]map[types.UID]struct{}    // Service → EndpointSlices

	listed  map[string]uint64 // by kind, the version of the last list
	kinds   map[string]*kindState
	changed chan struct{}
	pending bool
}

// kindState is how the conversation about one kind goes.
type kindState struct {
	synced bool
	err    error
	since  time.Time // of err
}

// coalesce is how long changes are gathered before anybody is woken: a rollout
// of a thousand Pods must not make every service look again at every event.
const coalesce = 20 * time.Millisecond

// newState makes an empty state that expects the named kinds.
func newState(kinds []string) *State {
	s := &State{
		deployments: map[string]*appsv1.Deployment{},
		replicaSets: map[types.UID]*appsv1.ReplicaSet{},
		pods:        map[types.UID]*corev1.Pod{},
		services:    map[string]*corev1.Service{},
		slices:      map[types.UID]*discoveryv1.EndpointSlice{},
		configMaps:  map[string]*corev1.ConfigMap{},
		owned:       map[types.UID]map[types.UID]struct{}{},
		behind:      map[string]map[types.UID]struct{}{},
		listed:      map[string]uint64{},
		kinds:       map[string]*kindState{},
		changed:     make(chan struct{}),
	}
	s.expect(kinds)
	return s
}

// expect names the kinds without which the state is not complete.
func (s *State) expect(kinds []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.kinds)
	for _, k := range kinds {
		s.kinds[k] = &kindState{}
	}
}

// Changed gives a channel that is closed at the next change.
func (s *State) Changed() <-chan struct{} {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.changed
}

// touch wakes the waiting soon. The lock is held.
func (s *State) touch() {
	if s.pending {
		return
	}
	s.pending = true
	time.AfterFunc(coalesce, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.pending = false
		close(s.changed)
		s.changed = make(chan struct{})
	})
}

// report notes how the last call about a kind went.
func (s *State) report(kind string, synced bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.kinds[kind]
	if err == nil {
		if k.err != nil || (synced && !k.synced) {
			s.touch()
		}
		k.err, k.synced = nil, k.synced || synced
		return
	}
	if k.err == nil {
		k.since = time.Now()
		s.touch()
	}
	k.err = err
}

// Err says what is wrong with the view at the moment: a kind that can not be
// listed, or whose watch is broken and can not be had again. nil means that all
// kinds were read and are being watched.
func (s *State) Err() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var errs []error
	for _, name := range s.kindNames() {
		if k := s.kinds[name]; k.err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, k.err))
		}
	}
	return errors.Join(errs...)
}

func (s *State) kindNames() []string {
	names := make([]string, 0, len(s.kinds))
	for name := range s.kinds {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Wait returns when every kind has been listed once. It gives up when ctx ends
// or when the API server has refused or not answered for as long as patience.
func (s *State) Wait(ctx context.Context, patience time.Duration) error {
	over := time.NewTimer(patience)
	defer over.Stop()
	for {
		changed := s.Changed()
		var missing []string
		s.mu.RLock()
		for _, name := range s.kindNames() {
			if !s.kinds[name].synced {
				missing = append(missing, name)
			}
		}
		s.mu.RUnlock()
		if len(missing) == 0 {
			return nil
		}
		err := s.Err()
		if err != nil && refused(err) {
			return fmt.Errorf("list: %w", err)
		}
		select {
		case <-changed:
		case <-over.C:
			if err == nil {
				err = fmt.Errorf("no answer within %s", patience)
			}
			return fmt.Errorf("list %s: %w", strings.Join(missing, ", "), err)
		case <-ctx.Done():
			if err == nil {
				err = context.Cause(ctx)
			}
			return fmt.Errorf("list %s: %w", strings.Join(missing, ", "), err)
		}
	}
}

// Empty says that the namespace holds nothing of what is watched.
func (s *State) Empty() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.deployments)+len(s.pods)+len(s.services)+len(s.configMaps) == 0
}

// View is everything that belongs to one service at one moment.
type View struct {
	// Deployment by name; nil when there is none.
	Deployment *appsv1.Deployment
	// ReplicaSets whose controller is Deployment, by UID.
	ReplicaSets []*appsv1.ReplicaSet
	// Pods whose controller is one of ReplicaSets, by UID, and those that Deployment
	// selects whose ReplicaSet is gone; sorted by name.
	Pods []*corev1.Pod
	// Service by name; nil when there is none.
	Service *corev1.Service
	// Slices are the Service's EndpointSlices.
	Slices []*discoveryv1.EndpointSlice
}

// View collects what belongs to the Deployment and the Service of these names.
func (s *State) View(deployment, service string) View {
	s.mu.RLock()
	defer s.mu.RUnlock()
	v := View{Deployment: s.deployments[deployment], Service: s.services[service]}
	if v.Deployment != nil && v.Deployment.UID != "" {
		for id := range s.owned[v.Deployment.UID] {
			if rs := s.replicaSets[id]; rs != nil {
				v.ReplicaSets = append(v.ReplicaSets, rs)
				for id := range s.owned[rs.UID] {
					if p := s.pods[id]; p != nil {
						v.Pods = append(v.Pods, p)
					}
				}
			}
		}
	}
	v.Pods = append(v.Pods, s.orphans(v.Deployment)...)
	for id := range s.behind[service] {
		v.Slices = append(v.Slices, s.slices[id])
	}
	slices.SortFunc(v.ReplicaSets, func(a, b *appsv1.ReplicaSet) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(v.Pods, func(a, b *corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(v.Slices, func(a, b *discoveryv1.EndpointSlice) int { return strings.Compare(a.Name, b.Name) })
	return v
}

// orphans are Pods that a Deployment selects and whose ReplicaSet is not there
// any more: with revisionHistoryLimit 0 it goes while its last Pods still
// terminate, and still answer. The lock is held.
func (s *State) orphans(d *appsv1.Deployment) []*corev1.Pod {
	if d == nil {
		return nil
	}
	var out []*corev1.Pod
	var selected labels.Selector
	for owner, ids := range s.owned {
		if s.replicaSets[owner] != nil {
			continue
		}
		for id := range ids {
			p := s.pods[id]
			if p == nil {
				continue
			}
			if ref := metav1.GetControllerOfNoCopy(p); ref == nil || ref.Kind != "ReplicaSet" {
				continue
			}
			if selected == nil {
				var err error
				if selected, err = metav1.LabelSelectorAsSelector(d.Spec.Selector); err != nil {
					return nil // the API server takes no such selector
				}
			}
			if selected.Matches(labels.Set(p.Labels)) {
				out = append(out, p)
			}
		}
	}
	return out
}

// ConfigMap by name, nil when there is none.
func (s *State) ConfigMap(name string) *corev1.ConfigMap {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.configMaps[name]
}

// Service by name, nil when there is none.
func (s *State) Service(name string) *corev1.Service {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.services[name]
}

// Pods gives all Pods for which keep is true, sorted by name.
func (s *State) Pods(keep func(*corev1.Pod) bool) []*corev1.Pod {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []*corev1.Pod
	for _, p := range s.pods {
		if keep(p) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b *corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Slices gives the EndpointSlices of a Service, sorted by name.
func (s *State) Slices(service string) []*discoveryv1.EndpointSlice {
	return s.View("", service).Slices
}

// controller is the UID of the owner that controls o, empty when none does.
func controller(o metav1.Object) types.UID {
	if ref := metav1.GetControllerOfNoCopy(o); ref != nil {
		return ref.UID
	}
	return ""
}

func link[K comparable](index map[K]map[types.UID]struct{}, key K, id types.UID) {
	if index[key] == nil {
		index[key] = map[types.UID]struct{}{}
	}
	index[key][id] = struct{}{}
}

func unlink[K comparable](index map[K]map[types.UID]struct{}, key K, id types.UID) {
	delete(index[key], id)
	if len(index[key]) == 0 {
		delete(index, key)
	}
}
