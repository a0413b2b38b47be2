// Package reach is how a Pod or a Service is come to: dialled, from inside the
// cluster; by port-forward or through the API server's proxy, from outside it.
package reach

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// Kind of a target.
type Kind string

// The kinds of targets.
const (
	Pod     Kind = "pod"
	Service Kind = "service"
)

// Target is one port of one Pod or Service.
type Target struct {
	Kind      Kind
	Namespace string
	Name      string
	// Address to dial, without port: the Pod's IP, the Service's cluster IP or
	// its DNS name.
	Address string
	// Port of the Pod or of the Service.
	Port int32
	// TLS is the client's side of https; nil means http.
	TLS *tls.Config
}

// String is "pod/name:port".
func (t Target) String() string { return fmt.Sprintf("%s/%s:%d", t.Kind, t.Name, t.Port) }

// Scheme is http or https.
func (t Target) Scheme() string {
	if t.TLS != nil {
		return "https"
	}
	return "http"
}

// URL of a path at the target. Its host is what a client in the cluster would
// use: the Pod's address, or the Service's name.
func (t Target) URL(path string) string {
	host := t.Address
	if t.Kind == Service {
		host = t.Name + "." + t.Namespace + ".svc"
	}
	return t.Scheme() + "://" + net.JoinHostPort(host, fmt.Sprint(t.Port)) + path
}

// Reach comes to targets.
type Reach interface {
	// Transport gives what sends requests to t, each over a connection of its
	// own. It follows no redirect and uses no proxy of the environment.
	Transport(t Target) (http.RoundTripper, error)
	// Dial opens a connection to an address of the cluster, host:port.
	Dial(ctx context.Context, network, address string) (net.Conn, error)
	// Lookup gives the addresses that host stands for; a host that is an IP
	// address stands for itself.
	Lookup(ctx context.Context, host string) ([]string, error)
	// Rights that the way needs, as "verb resource", for the self-check.
	Rights() []string
}

// Ways are the valid values of --reach.
func Ways() []string { return []string{"auto", "direct", "port-forward", "proxy"} }

// BadWay is the error for a value that is none of [Ways].
func BadWay(way string) error {
	return fmt.Errorf("unknown way %q to reach Pods, valid ways are: %s", way, strings.Join(Ways(), ", "))
}

// transport is an http.Transport that opens a connection for every request.
func transport(t Target, dial func(ctx context.Context, network, addr string) (net.Conn, error)) *http.Transport {
	return &http.Transport{
		DialContext:            dial,
		TLSClientConfig:        t.TLS.Clone(),    // the transport writes into it
		TLSHandshakeTimeout:    30 * time.Second, // the request's own deadline is shorter
		DisableKeepAlives:      true,
		ForceAttemptHTTP2:      true,
		MaxResponseHeaderBytes: 64 << 10,
		ReadBufferSize:         4 << 10,
		WriteBufferSize:        4 << 10,
	}
}
