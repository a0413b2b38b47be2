package reach

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/streaming/pkg/httpstream"
)

// open gives the one connection that a tunnel is used for. Several could share
// it, but a stream that the other side does not read, as after a refused
// connection, blocks others in the same tunnel.
func open(tunnel httpstream.Connection, port int32) (*stream, error) {
	headers := http.Header{}
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	headers.Set(corev1.PortHeader, strconv.Itoa(int(port)))
	headers.Set(corev1.PortForwardRequestIDHeader, "1")
	errs, err := tunnel.CreateStream(headers)
	if err != nil {
		return nil, fmt.Errorf("open the error stream: %w", err)
	}
	errs.Close() // nothing is written to it
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := tunnel.CreateStream(headers)
	if err != nil {
		return nil, fmt.Errorf("open the data stream: %w", err)
	}
	s := &stream{data: data, errs: errs, tunnel: tunnel, port: port, said: make(chan struct{})}
	go s.listen()
	return s, nil
}

// stream is one forwarded connection.
type stream struct {
	data, errs httpstream.Stream
	tunnel     httpstream.Connection
	port       int32
	said       chan struct{} // closed when the other side has said what went wrong
	err        error
	once       sync.Once

	mu      sync.Mutex
	timers  [2]*time.Timer // of the deadlines for reading and for writing
	expired bool
}

var _ net.Conn = (*stream)(nil)

// listen reads what the kubelet says went wrong.
func (s *stream) listen() {
	defer close(s.said)
	text, err := io.ReadAll(io.LimitReader(s.errs, 4<<10))
	if err != nil || len(text) == 0 {
		return
	}
	if strings.Contains(string(text), "connection refused") {
		s.err = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
		return
	}
	s.err = errors.New("the node says: " + strings.TrimSpace(string(text)))
}

// Read reads what the Pod sends. Where it sends nothing more, the node may have
// said why.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.data.Read(p)
	if err != nil && n == 0 {
		if s.over() {
			return 0, os.ErrDeadlineExceeded
		}
		select {
		case <-s.said:
			if s.err != nil {
				return 0, s.err
			}
		case <-time.After(200 * time.Millisecond):
		}
	}
	return n, err
}

func (s *stream) Write(p []byte) (int, error) {
	n, err := s.data.Write(p)
	if err != nil && s.over() {
		err = os.ErrDeadlineExceeded
	}
	return n, err
}

// Close gives the tunnel up. It does not wait for the other side to agree.
func (s *stream) Close() error {
	_ = s.SetDeadline(time.Time{})
	return s.close()
}

func (s *stream) close() error {
	s.once.Do(func() {
		go func() {
			_ = s.data.Reset()
			_ = s.tunnel.Close()
		}()
	})
	return nil
}

// LocalAddr and RemoteAddr have no meaning behind a tunnel.
func (s *stream) LocalAddr() net.Addr { return forwarded(0) }

func (s *stream) RemoteAddr() net.Addr { return forwarded(s.port) }

// SetDeadline sets both deadlines. One that passes ends the connection for good:
// a tunnel has no way to give up a single read.
func (s *stream) SetDeadline(t time.Time) error {
	s.set(0, t)
	s.set(1, t)
	return nil
}

func (s *stream) SetReadDeadline(t time.Time) error {
	s.set(0, t)
	return nil
}

func (s *stream) SetWriteDeadline(t time.Time) error {
	s.set(1, t)
	return nil
}

func (s *stream) set(which int, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.timers[which]; old != nil {
		old.Stop()
		s.timers[which] = nil
	}
	if t.IsZero() {
		return
	}
	s.timers[which] = time.AfterFunc(time.Until(t), func() {
		s.mu.Lock()
		s.expired = true
		s.mu.Unlock()
		_ = s.close()
	})
}

func (s *stream) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.expired
}

type forwarded int32

func (f forwarded) Network() string { return "port-forward" }

func (f forwarded) String() string { return "port " + strconv.Itoa(int(f)) }
