package reach

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"
)

// Tunnels lead to Pods by port-forward.
type Tunnels struct {
	config *rest.Config
	base   *url.URL
}

// NewTunnels makes tunnels into a cluster.
func NewTunnels(config *rest.Config) (*Tunnels, error) {
	p, err := NewProxy(config)
	if err != nil {
		return nil, err
	}
	return &Tunnels{config: config, base: p.base}, nil
}

// Dial opens a connection to a port of a Pod, with a tunnel of its own.
func (t *Tunnels) Dial(ctx context.Context, namespace, pod string, port int32) (net.Conn, error) {
	type opened struct {
		conn net.Conn
		err  error
	}
	done := make(chan opened, 1)
	go func() {
		tunnel, err := t.connect(namespace, pod)
		if err != nil {
			done <- opened{err: err}
			return
		}
		c, err := open(tunnel, port)
		if err != nil {
			tunnel.Close()
			done <- opened{err: err} // a nil *stream is no nil net.Conn
			return
		}
		done <- opened{conn: c}
	}()
	select {
	case o := <-done:
		if o.err != nil {
			return nil, fmt.Errorf("%w: forward a port of pod %s: %w", ErrWay, pod, o.err)
		}
		return o.conn, nil
	case <-ctx.Done():
		go func() {
			if o := <-done; o.conn != nil {
				o.conn.Close()
			}
		}()
		return nil, fmt.Errorf("%w: forward a port of pod %s: %w", ErrWay, pod, ctx.Err())
	}
}

// connect opens a tunnel: over a websocket, or SPDY where the server is older.
func (t *Tunnels) connect(namespace, pod string) (httpstream.Connection, error) {
	u := *t.base
	full, err := u.Parse(strings.TrimSuffix(u.EscapedPath(), "/") + fmt.Sprintf("/api/v1/namespaces/%s/pods/%s/portforward", namespace, pod))
	if err != nil {
		return nil, err
	}
	rt, upgrader, err := spdy.RoundTripperFor(t.config)
	if err != nil {
		return nil, err
	}
	dialer := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: rt}, http.MethodPost, full)
	if ws, err := portforward.NewSPDYOverWebsocketDialerForStreaming(full, t.config); err == nil {
		dialer = portforward.NewFallbackDialerForStreaming(ws, dialer, func(err error) bool {
			return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
		})
	}
	conn, protocol, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
	if err != nil {
		return nil, err
	}
	if protocol != portforward.PortForwardProtocolV1Name {
		conn.Close()
		return nil, fmt.Errorf("the server speaks %q, want %q", protocol, portforward.PortForwardProtocolV1Name)
	}
	return conn, nil
}
