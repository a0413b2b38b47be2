package routing_test

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/proerror77/nova-staging/internal/apitest"
	"github.com/proerror77/nova-staging/smoke/cluster"
	"github.com/proerror77/nova-staging/smoke/config"
	"github.com/proerror77/nova-staging/smoke/routing"
	"github.com/proerror77/nova-staging/smoke/verdict"
)

func TestWhereAServiceLeads(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	// second adds the slice of the other address family.
	second := func(v *cluster.View, change func(*discoveryv1.EndpointSlice)) {
		s := v.Slices[0].DeepCopy()
		s.Name, s.AddressType = "auth-y", discoveryv1.AddressTypeIPv6
		for i := range s.Endpoints {
			s.Endpoints[i].Addresses = []string{"fd00::" + string(rune('1'+i))}
		}
		change(s)
		v.Slices = append(v.Slices, s)
	}
	tests := []struct {
		name   string
		change func(v *cluster.View)
		seen   string // empty: only the current Pods, and all
	}{
		{"to all current Pods", func(*cluster.View) {}, ""},
		{"to all of them, in both address families", func(v *cluster.View) { second(v, func(*discoveryv1.EndpointSlice) {}) }, ""},
		{"to all of them, whether ready is not said", func(v *cluster.View) { v.Slices[0].Endpoints[0].Conditions.Ready = nil }, ""},
		{"to all of them, spread over slices", func(v *cluster.View) {
			other := v.Slices[0].DeepCopy()
			v.Slices[0].Endpoints, other.Endpoints = v.Slices[0].Endpoints[:1], other.Endpoints[1:]
			v.Slices = append(v.Slices, other)
		}, ""},
		{"to all of them by addresses that name no Pod", func(v *cluster.View) {
			second(v, func(*discoveryv1.EndpointSlice) {})
			for _, s := range v.Slices {
				for i := range s.Endpoints {
					s.Endpoints[i].TargetRef = nil
					v.Pods[i].Status.PodIPs = append(v.Pods[i].Status.PodIPs, corev1.PodIP{IP: s.Endpoints[i].Addresses[0]})
				}
			}
		}, ""},
		{"also to a terminating Pod, which gets no requests", func(v *cluster.View) {
			e := *v.Slices[0].Endpoints[0].DeepCopy()
			e.TargetRef.Name, e.TargetRef.UID = "auth-old", "uid-old"
			e.Conditions = discoveryv1.EndpointConditions{Ready: &no, Serving: &yes, Terminating: &yes}
			v.Slices[0].Endpoints = append(v.Slices[0].Endpoints, e)
		}, ""},
		{"to a Pod of the same name that is another one", func(v *cluster.View) { v.Slices[0].Endpoints[0].TargetRef.UID = "uid-before" }, "it also leads to pod/"},
		{"to an address of nobody", func(v *cluster.View) {
			v.Slices[0].Endpoints[0].TargetRef, v.Slices[0].Endpoints[0].Addresses = nil, []string{"192.0.2.1"}
		}, "it also leads to 192.0.2.1"},
		{"to a stranger in the other address family only", func(v *cluster.View) {
			second(v, func(s *discoveryv1.EndpointSlice) {
				s.Endpoints = s.Endpoints[:1]
				s.Endpoints[0].TargetRef.Name, s.Endpoints[0].TargetRef.UID = "canary", "uid-canary"
			})
		}, "it also leads to pod/canary"},
		{"not to one of the Pods", func(v *cluster.View) { v.Slices[0].Endpoints = v.Slices[0].Endpoints[:1] }, "it does not lead to auth-7c9f8-1"},
		{"not to one of the Pods that is not ready", func(v *cluster.View) { v.Slices[0].Endpoints[1].Conditions.Ready = &no }, "it does not lead to auth-7c9f8-1"},
		{"nowhere", func(v *cluster.View) { v.Slices = nil }, "no endpoint is ready"},
		{"out of the cluster", func(v *cluster.View) { v.Service.Spec.Type = corev1.ServiceTypeExternalName }, "ExternalName"},
		{"by another port", func(v *cluster.View) { v.Service.Spec.Ports[0].Port = 80 }, "has no TCP port 8080, it has: http 80"},
		{"by UDP", func(v *cluster.View) { v.Service.Spec.Ports[0].Protocol = corev1.ProtocolUDP }, "has no TCP port 8080"},
		{"there is none", func(v *cluster.View) { v.Service = nil }, "there is none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := apitest.NewApp("auth", 2, 8080)
			v := cluster.View{
				Deployment: a.Deployment, ReplicaSets: []*appsv1.ReplicaSet{a.ReplicaSet}, Pods: a.Pods,
				Service: a.Service, Slices: []*discoveryv1.EndpointSlice{a.Slice},
			}
			tt.change(&v)
			f := routing.Judge("auth", config.Port{Number: 8080}, v)
			if want := (tt.seen == ""); (f.Verdict == verdict.Passed) != want || !strings.Contains(f.Seen, tt.seen) {
				t.Errorf("%s: %q, want %q", f.Verdict, f.Seen, tt.seen)
			}
			if tt.seen == "" && !strings.HasPrefix(f.Seen, "2 ready endpoints") {
				t.Errorf("%q, want 2 endpoints", f.Seen)
			}
		})
	}
}

func TestPortsOfPods(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		target intstr.IntOrString
		ask    config.Port
		want   int32
		err    string
	}{
		{"a number", intstr.FromInt32(9000), config.Port{Number: 80}, 9000, ""},
		{"none, which is the Service's", intstr.IntOrString{}, config.Port{Number: 80}, 80, ""},
		{"a name", intstr.FromString("web"), config.Port{Name: "http"}, 8080, ""},
		{"a name of a sidecar's", intstr.FromString("proxy"), config.Port{Number: 80}, 15000, ""},
		{"a name that no container has", intstr.FromString("admin"), config.Port{Number: 80}, 0, `has a port named "admin"`},
		{"a port that the Service has not", intstr.FromInt32(9000), config.Port{Name: "grpc"}, 0, "has no TCP port grpc"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			svc := &corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: tt.target}}}}
			pod := &corev1.Pod{Spec: corev1.PodSpec{
				Containers:     []corev1.Container{{Name: "app", Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: 8080}}}},
				InitContainers: []corev1.Container{{Name: "proxy", Ports: []corev1.ContainerPort{{Name: "proxy", ContainerPort: 15000}}}},
			}}
			got, err := routing.PodPort(svc, tt.ask, pod)
			if got != tt.want || (tt.err == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("%d, %v; want %d, %q", got, err, tt.want, tt.err)
			}
		})
	}
}
