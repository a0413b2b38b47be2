// Package routing judges whether a Service leads to the Pods that were rolled
// out, to all of them and to nothing else.
package routing

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/proerror77/nova-staging/smoke/cluster"
	"github.com/proerror77/nova-staging/smoke/config"
	"github.com/proerror77/nova-staging/smoke/rollout"
	"github.com/proerror77/nova-staging/smoke/verdict"
)

// Judge compares the endpoints behind the Service with the current Pods.
func Judge(name string, port config.Port, v cluster.View) verdict.Finding {
	target := "service/" + name
	if v.Service == nil {
		f := verdict.Fail(target, "a Service named "+name, "there is none")
		f.Hint = "compare services[].service in the config with the manifests"
		return f
	}
	if v.Service.Spec.Type == corev1.ServiceTypeExternalName {
		return verdict.Fail(target, "a Service that leads to Pods", "it is of type ExternalName")
	}
	if !port.IsZero() {
		if _, err := ServicePort(v.Service, port); err != nil {
			return verdict.Fail(target, "port "+port.String(), err.Error())
		}
	}
	current := rollout.Sort(v).Current
	missing := map[string]bool{}
	for _, p := range current {
		missing[p.Name] = true
	}
	total, strangers := 0, []string(nil)
	for _, e := range Endpoints(v.Slices) {
		if !e.Serving {
			continue
		}
		i := slices.IndexFunc(current, func(p *corev1.Pod) bool { return e.Is(p) })
		if i < 0 {
			total++
			strangers = append(strangers, e.String())
			continue
		}
		if name := current[i].Name; missing[name] { // else it is there by its other address
			total++
			delete(missing, name)
		}
	}
	switch {
	case total == 0:
		f := verdict.Fail(target, "endpoints", "no endpoint is ready")
		f.Hint = "compare the Service's selector with the Pods' labels"
		return f
	case len(strangers) > 0:
		f := verdict.Fail(target, "only Pods of the present rollout behind it", "it also leads to "+strings.Join(first(strangers), ", "))
		f.Hint = "an old Pod still gets requests, or the selector matches Pods of another workload"
		return f
	case len(missing) > 0:
		var names []string
		for n := range missing {
			names = append(names, n)
		}
		slices.Sort(names)
		return verdict.Fail(target, fmt.Sprintf("all %d current Pods behind it", len(current)), "it does not lead to "+strings.Join(first(names), ", "))
	}
	return verdict.Pass(fmt.Sprintf("%d ready endpoints, all of them current Pods", total))
}

func first(names []string) []string {
	if len(names) > 3 {
		return append(slices.Clone(names[:3]), fmt.Sprintf("%d more", len(names)-3))
	}
	return names
}

// Endpoint is one place that a Service leads to.
type Endpoint struct {
	PodName, PodUID string // empty when the endpoint names no Pod
	Addresses       []string
	// Serving endpoints get requests.
	Serving bool
	Ports   []discoveryv1.EndpointPort
}

// Is says whether the endpoint is this very Pod.
func (e Endpoint) Is(p *corev1.Pod) bool {
	if e.PodUID != "" {
		return e.PodUID == string(p.UID)
	}
	return slices.ContainsFunc(e.Addresses, func(a string) bool {
		return a != "" && (a == p.Status.PodIP || slices.Contains(p.Status.PodIPs, corev1.PodIP{IP: a}))
	})
}

func (e Endpoint) String() string {
	if e.PodName != "" {
		return "pod/" + e.PodName
	}
	return strings.Join(e.Addresses, "/")
}

// Endpoints flattens slices. An endpoint that is in several slices, one for
// each address family, is given once.
func Endpoints(list []*discoveryv1.EndpointSlice) []Endpoint {
	var out []Endpoint
	for _, s := range list {
		for _, e := range s.Endpoints {
			n := Endpoint{Addresses: e.Addresses, Ports: s.Ports, Serving: e.Conditions.Ready == nil || *e.Conditions.Ready}
			if ref := e.TargetRef; ref != nil && (ref.Kind == "Pod" || ref.Kind == "") {
				n.PodName, n.PodUID = ref.Name, string(ref.UID)
			}
			same := slices.IndexFunc(out, func(o Endpoint) bool { return n.PodUID != "" && o.PodUID == n.PodUID })
			if same >= 0 {
				out[same].Serving = out[same].Serving || n.Serving
				continue
			}
			out = append(out, n)
		}
	}
	return out
}

// ServicePort finds a Service's port by number or name.
func ServicePort(s *corev1.Service, port config.Port) (corev1.ServicePort, error) {
	var have []string
	for _, p := range s.Spec.Ports {
		if (port.Name != "" && p.Name == port.Name) || (port.Number != 0 && p.Port == port.Number) {
			if p.Protocol == "" || p.Protocol == corev1.ProtocolTCP {
				return p, nil
			}
		}
		have = append(have, fmt.Sprintf("%s %d", p.Name, p.Port))
	}
	return corev1.ServicePort{}, fmt.Errorf("service %s has no TCP port %s, it has: %s", s.Name, port, strings.Join(have, ", "))
}

// PodPort is the number of the port that a Service's port leads to in a Pod.
func PodPort(s *corev1.Service, port config.Port, pod *corev1.Pod) (int32, error) {
	p, err := ServicePort(s, port)
	if err != nil {
		return 0, err
	}
	if p.TargetPort.StrVal == "" {
		if n := p.TargetPort.IntVal; n != 0 {
			return n, nil
		}
		return p.Port, nil
	}
	for _, list := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
		for _, c := range list {
			for _, cp := range c.Ports {
				if cp.Name == p.TargetPort.StrVal {
					return cp.ContainerPort, nil
				}
			}
		}
	}
	return 0, fmt.Errorf("no container of pod %s has a port named %q, which Service %s leads to", pod.Name, p.TargetPort.StrVal, s.Name)
}
