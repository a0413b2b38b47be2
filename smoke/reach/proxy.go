package reach

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// Proxy sends requests through the API server's proxy for Pods and Services.
// The API server does not verify the certificates of what it proxies to, so
// targets with TLS are refused.
type Proxy struct {
	base   *url.URL
	client *http.Client
}

var _ Reach = (*Proxy)(nil)

// NewProxy makes a way through the API server that config leads to.
func NewProxy(config *rest.Config) (*Proxy, error) {
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("find the API server's address: %w", err)
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("make a client of the API server: %w", err)
	}
	return &Proxy{base: base, client: client}, nil
}

// Transport sends what is asked of t to the API server instead.
func (p *Proxy) Transport(t Target) (http.RoundTripper, error) {
	if t.TLS != nil {
		return nil, fmt.Errorf("%w: the API server's proxy does not verify certificates, use --reach port-forward for %s", ErrWay, t)
	}
	return &proxied{Proxy: p, target: t}, nil
}

// Dial is not possible: the proxy speaks HTTP only.
func (p *Proxy) Dial(_ context.Context, _, address string) (net.Conn, error) {
	return nil, fmt.Errorf("%w: the API server's proxy speaks HTTP only, use --reach port-forward for %s", ErrWay, address)
}

// Lookup gives host itself.
func (p *Proxy) Lookup(_ context.Context, host string) ([]string, error) { return []string{host}, nil }

// Rights are those on the proxy subresources.
func (p *Proxy) Rights() []string { return []string{"get pods/proxy", "get services/proxy"} }

type proxied struct {
	*Proxy
	target Target
}

// RoundTrip follows no redirect: it uses the client's transport only.
func (p *proxied) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	path := fmt.Sprintf("/api/v1/namespaces/%s/%ss/%s:%s:%d/proxy%s",
		p.target.Namespace, p.target.Kind, p.target.Scheme(), p.target.Name, p.target.Port, r.URL.EscapedPath())
	u := *p.base
	u.Path, u.RawPath = "", ""
	full, err := u.Parse(strings.TrimSuffix(p.base.EscapedPath(), "/") + path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWay, err)
	}
	full.RawQuery = r.URL.RawQuery
	r.URL, r.Host = full, ""
	transport := p.client.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	res, err := transport.RoundTrip(r)
	if err != nil {
		if r.Context().Err() != nil {
			return nil, err // whether the target or the API server was slow is not known
		}
		return nil, fmt.Errorf("%w: %w", ErrWay, err)
	}
	if res.StatusCode < 400 || !strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		return res, nil
	}
	return own(res)
}

// own tells the API server's own refusals from the target's answers.
func own(res *http.Response) (*http.Response, error) {
	head, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	var status metav1.Status
	if err == nil && json.Unmarshal(head, &status) == nil && status.Kind == "Status" && status.APIVersion == "v1" && status.Message != "" {
		res.Body.Close()
		if res.StatusCode == http.StatusForbidden || res.StatusCode == http.StatusUnauthorized {
			return nil, fmt.Errorf("%w: %s", ErrWay, status.Message)
		}
		return nil, errors.New("through the API server: " + status.Message)
	}
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), res.Body), res.Body}
	return res, nil
}
