package reach

import (
	"context"
	"fmt"
	"net"
	"net/http"
)

// Direct dials. It works where Pod addresses are routed: in the cluster.
type Direct struct {
	// Dialer opens connections. The zero value is ready.
	Dialer net.Dialer
	// Resolver looks names up. Optional, default the system's.
	Resolver *net.Resolver
}

var _ Reach = (*Direct)(nil)

// Transport dials the target's address whatever the URL says.
func (d *Direct) Transport(t Target) (http.RoundTripper, error) {
	if t.Address == "" {
		return nil, fmt.Errorf("reach %s: it has no address", t)
	}
	address := net.JoinHostPort(t.Address, fmt.Sprint(t.Port))
	return transport(t, func(ctx context.Context, _, _ string) (net.Conn, error) {
		return d.Dialer.DialContext(ctx, "tcp", address)
	}), nil
}

// Dial opens a connection.
func (d *Direct) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return d.Dialer.DialContext(ctx, network, address)
}

// Lookup asks the resolver.
func (d *Direct) Lookup(ctx context.Context, host string) ([]string, error) {
	if net.ParseIP(host) != nil {
		return []string{host}, nil
	}
	r := d.Resolver
	if r == nil {
		r = net.DefaultResolver
	}
	return r.LookupHost(ctx, host)
}

// Rights are none.
func (d *Direct) Rights() []string { return nil }
