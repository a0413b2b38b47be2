package ecremulator

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"time"
)

// Server is an Emulator that listens.
type Server struct {
	*Emulator

	// URL is the endpoint's address, such as http://127.0.0.1:40123.
	URL string

	http *http.Server
	done chan struct{}
}

// Serve listens on a free port of the loopback interface until Close.
func (e *Emulator) Serve() (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the emulator: %w", err)
	}
	return e.ServeListener(l), nil
}

// ServeListener serves plain HTTP on l until Close, which closes l as well.
func (e *Emulator) ServeListener(l net.Listener) *Server {
	s := &Server{
		Emulator: e,
		URL:      "http://" + l.Addr().String(),
		http:     &http.Server{Handler: e, ReadHeaderTimeout: 10 * time.Second},
		done:     make(chan struct{}),
	}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(l) // ends with ErrServerClosed
	}()
	return s
}

// Close stops the server and cuts its connections, also those that hang.
func (s *Server) Close() {
	_ = s.http.Close()
	<-s.done
}

// Env returns the environment variables that point any AWS SDK at the server
// with the default credentials, and at nothing else on the machine. It sets no
// region: that comes from the image's name, or from the caller.
func (s *Server) Env() map[string]string { return s.EnvFor(s.Credentials()) }

// EnvFor is [Server.Env] with other credentials.
func (s *Server) EnvFor(c Credentials) map[string]string {
	env := map[string]string{
		"AWS_ENDPOINT_URL_ECR": s.URL,
		"AWS_ENDPOINT_URL_SQS": s.URL,
		"AWS_ENDPOINT_URL_STS": s.URL,
	}
	maps.Copy(env, isolatedEnv())
	maps.Copy(env, c.Env())
	return env
}

// TB is what [Start] needs of a testing.TB. It is spelled out so that programs
// can import the package without package testing.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Start serves a new emulator until the test ends.
func Start(t TB, opts ...Option) *Server {
	t.Helper()
	s, err := New(opts...).Serve()
	if err != nil {
		t.Fatalf("start the ECR emulator: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

// wait sleeps for d, and reports whether the caller is still there.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
