package cluster

import (
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// id is the key an object is kept under. Servers that are not quite real may
// leave the UID out; then kind and name stand in for it.
func id(o metav1.Object) types.UID {
	if uid := o.GetUID(); uid != "" {
		return uid
	}
	return types.UID("name:" + o.GetName())
}

// put takes an object in. The lock is held.
func (s *State) put(o runtime.Object) {
	switch o := o.(type) {
	case *appsv1.Deployment:
		o.ManagedFields = nil
		s.deployments[o.Name] = o
	case *appsv1.ReplicaSet:
		s.drop(s.replicaSets[id(o)])
		o.ManagedFields = nil
		s.replicaSets[id(o)] = o
		link(s.owned, controller(o), id(o))
	case *corev1.Pod:
		s.drop(s.pods[id(o)])
		s.pods[id(o)] = slim(o)
		link(s.owned, controller(o), id(o))
	case *corev1.Service:
		o.ManagedFields = nil
		s.services[o.Name] = o
	case *discoveryv1.EndpointSlice:
		s.drop(s.slices[id(o)])
		o.ManagedFields = nil
		s.slices[id(o)] = o
		link(s.behind, o.Labels[discoveryv1.LabelServiceName], id(o))
	case *corev1.ConfigMap:
		o.ManagedFields = nil
		s.configMaps[o.Name] = o
	}
}

// drop forgets an object. The lock is held.
func (s *State) drop(o runtime.Object) {
	switch o := o.(type) {
	case *appsv1.Deployment:
		delete(s.deployments, o.Name)
	case *appsv1.ReplicaSet:
		if o != nil {
			delete(s.replicaSets, id(o))
			unlink(s.owned, controller(o), id(o))
		}
	case *corev1.Pod:
		if o != nil {
			delete(s.pods, id(o))
			unlink(s.owned, controller(o), id(o))
		}
	case *corev1.Service:
		delete(s.services, o.Name)
	case *discoveryv1.EndpointSlice:
		if o != nil {
			delete(s.slices, id(o))
			unlink(s.behind, o.Labels[discoveryv1.LabelServiceName], id(o))
		}
	case *corev1.ConfigMap:
		delete(s.configMaps, o.Name)
	}
}

// slim drops what no check reads, so that a thousand Pods stay small.
func slim(p *corev1.Pod) *corev1.Pod {
	p.ManagedFields = nil
	p.Annotations = nil
	p.Spec.Volumes = nil
	p.Spec.Tolerations = nil
	p.Spec.Affinity = nil
	p.Spec.TopologySpreadConstraints = nil
	for _, list := range [][]corev1.Container{p.Spec.Containers, p.Spec.InitContainers} {
		for i := range list {
			c := &list[i]
			*c = corev1.Container{Name: c.Name, Image: c.Image, Ports: c.Ports, RestartPolicy: c.RestartPolicy}
		}
	}
	return p
}

// replace swaps all objects of one kind for those of a new list.
func (s *State) replace(kind string, list runtime.Object) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch kind {
	case Deployments:
		clear(s.deployments)
	case ReplicaSets:
		for _, o := range s.replicaSets {
			s.drop(o)
		}
	case Pods:
		for _, o := range s.pods {
			s.drop(o)
		}
	case Services:
		clear(s.services)
	case EndpointSlices:
		for _, o := range s.slices {
			s.drop(o)
		}
	case ConfigMaps:
		clear(s.configMaps)
	}
	s.touch()
	s.listed[kind] = 0
	if m, err := meta.ListAccessor(list); err == nil {
		s.listed[kind] = number(m.GetResourceVersion())
	}
	return meta.EachListItem(list, func(o runtime.Object) error {
		s.put(o)
		return nil
	})
}

// apply takes one event of a watch in, unless it is from before the last list.
func (s *State) apply(kind string, o runtime.Object, gone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m, err := meta.Accessor(o); err == nil {
		if at := number(m.GetResourceVersion()); at > 0 && at <= s.listed[kind] {
			return
		}
	}
	if gone {
		s.drop(o)
	} else {
		s.put(o)
	}
	s.touch()
}

// number is a resource version as a number; 0 where it is none.
func number(version string) uint64 {
	n, err := strconv.ParseUint(version, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
