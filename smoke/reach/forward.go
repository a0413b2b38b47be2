package reach

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"

	"github.com/proerror77/nova-staging/smoke/cluster"
	"github.com/proerror77/nova-staging/smoke/config"
	"github.com/proerror77/nova-staging/smoke/routing"
)

// Forward comes to Pods by port-forward, with a tunnel for every connection, and
// to Services through the API server's proxy. Names of the cluster are found in its state,
// not in DNS.
type Forward struct {
	state     *cluster.Watcher
	namespace string
	proxy     *Proxy
	tunnels   *Tunnels
}

var _ Reach = (*Forward)(nil)

// NewForward makes a way by port-forward into one namespace.
func NewForward(config *rest.Config, state *cluster.Watcher, namespace string) (*Forward, error) {
	p, err := NewProxy(config)
	if err != nil {
		return nil, err
	}
	return &Forward{state: state, namespace: namespace, proxy: p, tunnels: &Tunnels{config: config, base: p.base}}, nil
}

// Rights are those for tunnels and for the Services' proxy.
func (f *Forward) Rights() []string { return []string{"create pods/portforward", "get services/proxy"} }

// Transport opens a tunnel for every request. A Service
// with TLS is reached by way of a Pod behind it, because the API server would
// not verify the certificate.
func (f *Forward) Transport(t Target) (http.RoundTripper, error) {
	if t.Kind == Service && t.TLS == nil {
		return f.proxy.Transport(t)
	}
	return transport(t, func(ctx context.Context, _, _ string) (net.Conn, error) {
		if t.Kind == Service {
			return f.Dial(ctx, "tcp", net.JoinHostPort(t.Name, strconv.Itoa(int(t.Port))))
		}
		return f.dialPod(ctx, t.Name, t.Port)
	}), nil
}

// Dial opens a stream to the Pod that an address of the cluster stands for.
func (f *Forward) Dial(ctx context.Context, _, address string) (net.Conn, error) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWay, err)
	}
	number, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("%w: port %q is no number", ErrWay, portText)
	}
	port := int32(number)
	if p := f.pod(host); p != nil {
		return f.dialPod(ctx, p.Name, port)
	}
	if svc := f.service(host); svc != nil {
		pods := f.behind(svc)
		if len(pods) == 0 {
			return nil, fmt.Errorf("no ready Pod is behind Service %s", svc.Name)
		}
		if svc.Spec.ClusterIP != corev1.ClusterIPNone {
			if port, err = routing.PodPort(svc, config.Port{Number: port}, pods[0]); err != nil {
				return nil, err
			}
		}
		return f.dialPod(ctx, pods[0].Name, port)
	}
	return nil, fmt.Errorf("%w: %s is no Pod or Service of namespace %s, so no port can be forwarded to it", ErrWay, host, f.namespace)
}

// Lookup gives the Pods' addresses for a headless Service, and host itself for
// everything else.
func (f *Forward) Lookup(_ context.Context, host string) ([]string, error) {
	svc := f.service(host)
	if svc == nil || svc.Spec.ClusterIP != corev1.ClusterIPNone {
		return []string{host}, nil
	}
	var ips []string
	for _, p := range f.behind(svc) {
		ips = append(ips, p.Status.PodIP)
	}
	if len(ips) == 0 {
		return nil, fmt.Errorf("no ready Pod is behind Service %s", svc.Name)
	}
	return ips, nil
}

// labels splits a name into what it has before the namespace, checking that the
// rest leads to this namespace.
func (f *Forward) labels(host string) []string {
	parts := strings.Split(strings.TrimSuffix(host, "."), ".")
	if i := slices.Index(parts, "svc"); i > 0 {
		if parts[i-1] != f.namespace {
			return nil
		}
		return parts[:i-1]
	}
	if n := len(parts); n > 1 && parts[n-1] == f.namespace {
		return parts[:n-1]
	}
	return parts
}

// service finds "name", "name.namespace" or "name.namespace.svc…".
func (f *Forward) service(host string) *corev1.Service {
	if l := f.labels(host); len(l) == 1 {
		return f.state.Service(l[0])
	}
	return nil
}

// pod finds a Pod by its address or by its name under a headless Service.
func (f *Forward) pod(host string) *corev1.Pod {
	isIP := net.ParseIP(host) != nil
	name := ""
	if l := f.labels(host); !isIP && len(l) == 2 {
		name = l[0]
	}
	found := f.state.Pods(func(p *corev1.Pod) bool {
		if p.DeletionTimestamp != nil || p.Status.Phase != corev1.PodRunning {
			return false
		}
		return (isIP && p.Status.PodIP == host) || (name != "" && (p.Name == name || p.Spec.Hostname == name))
	})
	if len(found) == 0 {
		return nil
	}
	return found[0]
}

// behind lists the Pods that a Service leads to.
func (f *Forward) behind(svc *corev1.Service) []*corev1.Pod {
	ends := routing.Endpoints(f.state.Slices(svc.Name))
	return f.state.Pods(func(p *corev1.Pod) bool {
		return slices.ContainsFunc(ends, func(e routing.Endpoint) bool { return e.Serving && e.Is(p) })
	})
}

func (f *Forward) dialPod(ctx context.Context, pod string, port int32) (net.Conn, error) {
	return f.tunnels.Dial(ctx, f.namespace, pod, port)
}
