package world

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

// outside is the internet as the shell of a reader sees it: an HTTPS proxy behind
// which the hosts of AWS are the lab, and what installs Argo CD is the file that
// the suite installs. Other hosts are themselves.
type outside struct {
	// proxy is its URL, ca the PEM certificate of who signs for the hosts.
	proxy string
	ca    []byte

	lab    string // host:port
	argoCD string // a file, or empty
	signer *x509.Certificate
	key    *ecdsa.PrivateKey
	mu     sync.Mutex
	leaves map[string]*tls.Certificate
	conns  chan net.Conn
	ctx    context.Context
}

// openOutside serves it until ctx ends.
func openOutside(ctx context.Context, lab, argoCD string) (*outside, error) {
	o := &outside{lab: lab, argoCD: argoCD, leaves: map[string]*tls.Certificate{}, conns: make(chan net.Conn), ctx: ctx}
	if err := o.becomeAuthority(); err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	o.proxy = "http://" + listener.Addr().String()
	outer := &http.Server{Handler: http.HandlerFunc(o.connect), ReadHeaderTimeout: 10 * time.Second}
	inner := &http.Server{Handler: http.HandlerFunc(o.answer), ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _, _ = outer.Close(), inner.Close() })
	go func() { _ = outer.Serve(listener) }()
	go func() { _ = inner.Serve(o) }()
	return o, nil
}

// plain serves one host of the lab's without TLS, for a Docker daemon, which
// knows neither proxy nor certificate. It gives the address.
func (o *outside) plain(host string) (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(o.ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	s := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Host = host
		o.answer(w, r)
	})}
	context.AfterFunc(o.ctx, func() { _ = s.Close() })
	go func() { _ = s.Serve(listener) }()
	return listener.Addr().String(), nil
}

const argoCDHost = "raw.githubusercontent.com"

func (o *outside) ours(host string) bool {
	return strings.HasSuffix(host, ".amazonaws.com") || host == argoCDHost && o.argoCD != ""
}

// connect answers CONNECT: our hosts get our certificate, others their own.
func (o *outside) connect(w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	if r.Method != http.MethodConnect || err != nil {
		http.Error(w, "only CONNECT HOST:PORT", http.StatusMethodNotAllowed)
		return
	}
	var there net.Conn
	if !o.ours(host) {
		if there, err = (&net.Dialer{Timeout: 10 * time.Second}).DialContext(r.Context(), "tcp", r.Host); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
	}
	here, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = io.WriteString(here, "HTTP/1.1 200 Connection established\r\n\r\n")
	if there == nil {
		o.conns <- tls.Server(here, &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return o.leaf(host) }})
		return
	}
	join(here, there)
}

// answer is what our hosts say.
func (o *outside) answer(w http.ResponseWriter, r *http.Request) {
	if host, _, _ := strings.Cut(r.Host, ":"); host == argoCDHost {
		if !strings.HasPrefix(r.URL.Path, "/argoproj/argo-cd/") {
			http.NotFound(w, r)
			return
		}
		http.ServeFile(w, r, o.argoCD)
		return
	}
	(&httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(&url.URL{Scheme: "http", Host: o.lab})
		p.Out.Host = p.In.Host // it is signed, and names the registry
	}}).ServeHTTP(w, r)
}

// Accept, Close and Addr make it the listener of the connections to our hosts.
func (o *outside) Accept() (net.Conn, error) {
	select {
	case c := <-o.conns:
		return c, nil
	case <-o.ctx.Done():
		return nil, net.ErrClosed
	}
}

func (o *outside) Close() error   { return nil }
func (o *outside) Addr() net.Addr { return &net.TCPAddr{} }

func (o *outside) becomeAuthority() (err error) {
	if o.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "nova e2e"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, o.key.Public(), o.key)
	if err != nil {
		return err
	}
	if o.signer, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	o.ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return nil
}

func (o *outside) leaf(host string) (*tls.Certificate, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if c := o.leaves[host]; c != nil {
		return c, nil
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(o.leaves) + 2)), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: o.signer.NotBefore, NotAfter: o.signer.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, o.signer, o.key.Public(), o.key)
	if err != nil {
		return nil, err
	}
	o.leaves[host] = &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: o.key}
	return o.leaves[host], nil
}

// trusted are the certificates of the machine and our own.
func (o *outside) trusted() []byte {
	for _, file := range []string{os.Getenv("SSL_CERT_FILE"), "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem"} {
		if b, err := os.ReadFile(file); err == nil {
			return append(append(b, '\n'), o.ca...)
		}
	}
	return o.ca
}
