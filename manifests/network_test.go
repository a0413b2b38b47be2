package manifests_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// endpoint is one end of a connection: a Pod, or an address outside the cluster.
type endpoint struct {
	namespace string // "" for an address
	labels    labels.Set
	ports     map[string]int32 // the Pod's named ports
	address   string
}

// connection is one that policies let through or not.
type connection struct {
	name     string
	from, to endpoint
	protocol corev1.Protocol
	port     int32
	want     bool
}

// letThrough holds policies of a namespace to connections.
func letThrough(t *testing.T, policies []*networkingv1.NetworkPolicy, namespace string, tests []connection) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := connects(policies, namespace, tt.from, tt.to, tt.protocol, tt.port)
			if err != nil || got != tt.want {
				t.Errorf("let through is %t, want %t (%v)", got, tt.want, err)
			}
		})
	}
}

func TestNetworkPoliciesLetThroughWhatIsNeededAndNothingElse(t *testing.T) {
	t.Parallel()
	eachOverlay(t, func(t *testing.T, o overlay, r *rendered) {
		deployments := named[*appsv1.Deployment](r)
		of := func(name string) endpoint {
			d := deployments[name]
			e := endpoint{namespace: o.namespace, labels: d.Spec.Template.Labels, ports: map[string]int32{}}
			for _, p := range d.Spec.Template.Spec.Containers[0].Ports {
				e.ports[p.Name] = p.ContainerPort
			}
			return e
		}
		in := func(namespace string, l labels.Set) endpoint { return endpoint{namespace: namespace, labels: l} }
		at := func(address string) endpoint { return endpoint{address: address} }
		auth, search := of("auth-service"), of("search-service")
		smoke := in(o.namespace, labels.Set{"batch.kubernetes.io/job-name": "smoke"})
		prometheus := labels.Set{nameLabel: "prometheus"}
		dns := in("kube-system", labels.Set{"k8s-app": "kube-dns"})

		tests := []connection{
			{"the ingress controller reaches a service", in("ingress-nginx", nil), auth, corev1.ProtocolTCP, 8084, true},
			{"the ingress controller reaches no other port", in("ingress-nginx", nil), auth, corev1.ProtocolTCP, 9999, false},
			{"Prometheus scrapes a service", in("monitoring", prometheus), search, corev1.ProtocolTCP, 8086, true},
			{"Grafana beside Prometheus does not reach a service", in("monitoring", labels.Set{nameLabel: "grafana"}), search, corev1.ProtocolTCP, 8086, false},
			{"a Pod that calls itself Prometheus elsewhere does not reach a service", in("default", prometheus), search, corev1.ProtocolTCP, 8086, false},
			{"another namespace does not reach a service", in("default", nil), auth, corev1.ProtocolTCP, 8084, false},
			{"the internet does not reach a service directly", at("203.0.113.7"), auth, corev1.ProtocolTCP, 8084, false},
			{"another namespace does not reach a Pod that no policy names", in("default", nil), smoke, corev1.ProtocolTCP, 8080, false},

			{"a service calls another", auth, search, corev1.ProtocolTCP, 8086, true},
			{"the smoke Job asks a service's Pod", smoke, auth, corev1.ProtocolTCP, 8084, true},
			{"the smoke Job resolves names", smoke, dns, corev1.ProtocolUDP, 53, true},
			{"the smoke Job asks the API server", smoke, at("10.0.12.34"), corev1.ProtocolTCP, 6443, true},
			{"the smoke Job asks Redis Sentinel in another namespace", smoke, in("redis", nil), corev1.ProtocolTCP, 26379, true},
			{"the smoke Job asks Kafka outside the cluster", smoke, at("10.0.5.6"), corev1.ProtocolTCP, 9092, true},

			{"a service resolves names over UDP", auth, dns, corev1.ProtocolUDP, 53, true},
			{"a service resolves names over TCP", auth, dns, corev1.ProtocolTCP, 53, true},
			{"a service resolves names at the node-local cache", auth, at("169.254.20.10"), corev1.ProtocolUDP, 53, true},
			{"a service asks no name server outside", auth, at("203.0.113.53"), corev1.ProtocolUDP, 53, false},
			{"a service reaches PostgreSQL in the VPC", auth, at("10.0.3.4"), corev1.ProtocolTCP, 5432, true},
			{"a service reaches Redis in another namespace", auth, in("redis", nil), corev1.ProtocolTCP, 6379, true},
			{"a service reaches Kafka with IAM in the VPC", auth, at("10.0.5.6"), corev1.ProtocolTCP, 9098, true},
			{"a service reaches no database on the internet", auth, at("203.0.113.7"), corev1.ProtocolTCP, 5432, false},
			{"a service reaches S3", auth, at("52.219.0.10"), corev1.ProtocolTCP, 443, true},
			{"a service reaches EKS Pod Identity", auth, at("169.254.170.23"), corev1.ProtocolTCP, 80, true},
			{"a service reaches EKS Pod Identity over IPv6", auth, at("fd00:ec2::23"), corev1.ProtocolTCP, 80, true},
			{"a service reaches AWS over IPv6", auth, at("2406:da14::1"), corev1.ProtocolTCP, 443, true},
			{"a service does not reach the node's credentials over IPv6", auth, at("fd00:ec2::254"), corev1.ProtocolTCP, 80, false},
			{"nor over IPv6 and HTTPS", auth, at("fd00:ec2::254"), corev1.ProtocolTCP, 443, false},
			{"a service does not reach the node's credentials over HTTP", auth, at("169.254.169.254"), corev1.ProtocolTCP, 80, false},
			{"a service does not reach the node's credentials over HTTPS", auth, at("169.254.169.254"), corev1.ProtocolTCP, 443, false},
			{"a service does not reach SSH anywhere", auth, at("10.0.3.4"), corev1.ProtocolTCP, 22, false},
		}
		letThrough(t, all[*networkingv1.NetworkPolicy](r), o.namespace, tests)
	})
}

func TestNoNetworkPolicyIsForPodsThatDoNotExist(t *testing.T) {
	t.Parallel()
	eachOverlay(t, func(t *testing.T, _ overlay, r *rendered) {
		for _, p := range all[*networkingv1.NetworkPolicy](r) {
			selector, err := metav1.LabelSelectorAsSelector(&p.Spec.PodSelector)
			if err != nil {
				t.Fatalf("%s: %v", p.Name, err)
			}
			if !slices.ContainsFunc(pods(r), func(p pod) bool { return selector.Matches(labels.Set(p.template.Labels)) }) {
				t.Errorf("%s selects no Pod", p.Name)
			}
		}
	})
}

// connects says whether the policies of a namespace let a connection through:
// the sender's egress and the receiver's ingress, each open unless a policy
// selects the Pod for that direction.
func connects(policies []*networkingv1.NetworkPolicy, namespace string, from, to endpoint, protocol corev1.Protocol, port int32) (bool, error) {
	var out, in []rule
	outClosed, inClosed := false, false
	for _, p := range policies {
		if selected, err := selects(&p.Spec.PodSelector, from.labels); err != nil {
			return false, err
		} else if selected && from.namespace == namespace && slices.Contains(p.Spec.PolicyTypes, networkingv1.PolicyTypeEgress) {
			outClosed = true
			for _, e := range p.Spec.Egress {
				out = append(out, rule{e.To, e.Ports})
			}
		}
		if selected, err := selects(&p.Spec.PodSelector, to.labels); err != nil {
			return false, err
		} else if selected && to.namespace == namespace && slices.Contains(p.Spec.PolicyTypes, networkingv1.PolicyTypeIngress) {
			inClosed = true
			for _, i := range p.Spec.Ingress {
				in = append(in, rule{i.From, i.Ports})
			}
		}
	}
	sent, err := anyAllows(out, namespace, to, to.ports, protocol, port)
	if err != nil {
		return false, err
	}
	received, err := anyAllows(in, namespace, from, to.ports, protocol, port)
	return (sent || !outClosed) && (received || !inClosed), err
}

// rule is an ingress or egress rule; no peers, or no ports, means all.
type rule struct {
	peers []networkingv1.NetworkPolicyPeer
	ports []networkingv1.NetworkPolicyPort
}

func anyAllows(rules []rule, namespace string, peer endpoint, targetPorts map[string]int32, protocol corev1.Protocol, port int32) (bool, error) {
	for _, r := range rules {
		if !allowsPort(r.ports, targetPorts, protocol, port) {
			continue
		}
		if len(r.peers) == 0 {
			return true, nil
		}
		for _, p := range r.peers {
			if ok, err := isPeer(p, namespace, peer); ok || err != nil {
				return ok, err
			}
		}
	}
	return false, nil
}

func allowsPort(ports []networkingv1.NetworkPolicyPort, targetPorts map[string]int32, protocol corev1.Protocol, port int32) bool {
	if len(ports) == 0 {
		return true
	}
	for _, p := range ports {
		if (p.Protocol == nil && protocol == corev1.ProtocolTCP || p.Protocol != nil && *p.Protocol == protocol) &&
			(p.Port == nil || p.Port.StrVal == "" && p.Port.IntVal == port || p.Port.StrVal != "" && targetPorts[p.Port.StrVal] == port) {
			return true
		}
	}
	return false
}

func isPeer(p networkingv1.NetworkPolicyPeer, namespace string, e endpoint) (bool, error) {
	if p.IPBlock != nil {
		// Whether an ipBlock covers Pods is up to the network plugin: rely on it
		// for addresses only.
		return e.namespace == "" && inBlock(*p.IPBlock, e.address), nil
	}
	if e.namespace == "" {
		return false, nil
	}
	if p.NamespaceSelector == nil && e.namespace != namespace {
		return false, nil
	}
	if p.NamespaceSelector != nil {
		if ok, err := selects(p.NamespaceSelector, labels.Set{corev1.LabelMetadataName: e.namespace}); !ok || err != nil {
			return false, err
		}
	}
	if p.PodSelector != nil {
		return selects(p.PodSelector, e.labels)
	}
	return true, nil
}

func inBlock(b networkingv1.IPBlock, address string) bool {
	a := netip.MustParseAddr(address)
	return netip.MustParsePrefix(b.CIDR).Contains(a) &&
		!slices.ContainsFunc(b.Except, func(e string) bool { return netip.MustParsePrefix(e).Contains(a) })
}

func selects(s *metav1.LabelSelector, l labels.Set) (bool, error) {
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		return false, fmt.Errorf("selector %v: %w", s, err)
	}
	return selector.Matches(l), nil
}
