package apitest

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
)

// portForward speaks SPDY only, as servers before websockets did.
func (s *Server) portForward(w http.ResponseWriter, r *http.Request, pod string) {
	s.count("create pods/portforward")
	if r.Header.Get("Upgrade") == "websocket" {
		fail(w, http.StatusBadRequest, "BadRequest", "unable to upgrade: no websockets here")
		return
	}
	if s.Deny != nil && s.Deny("create", "pods/portforward") {
		fail(w, http.StatusForbidden, "Forbidden", "pods is forbidden: cannot create pods/portforward")
		return
	}
	if _, err := httpstream.Handshake(r, w, []string{"portforward.k8s.io"}); err != nil {
		return
	}
	type pair struct{ data, errs httpstream.Stream }
	var mu sync.Mutex
	pairs := map[string]*pair{}
	conn := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(stream httpstream.Stream, replySent <-chan struct{}) error {
		id := stream.Headers().Get(corev1.PortForwardRequestIDHeader)
		mu.Lock()
		defer mu.Unlock()
		p := pairs[id]
		if p == nil {
			p = &pair{}
			pairs[id] = p
		}
		if stream.Headers().Get(corev1.StreamType) == corev1.StreamTypeError {
			p.errs = stream
		} else {
			p.data = stream
		}
		if p.errs != nil && p.data != nil {
			port, _ := strconv.Atoi(stream.Headers().Get(corev1.PortHeader))
			go func() {
				<-replySent
				s.forward(pod, port, p.data, p.errs)
			}()
			delete(pairs, id)
		}
		return nil
	})
	if conn == nil {
		return
	}
	select {
	case <-conn.CloseChan():
	case <-s.shutdown:
		conn.Close()
	}
}

func (s *Server) forward(pod string, port int, data, errs httpstream.Stream) {
	defer errs.Close()
	target, err := net.Dial("tcp", s.address("pods", pod, port))
	if err != nil {
		fmt.Fprintf(errs, "error forwarding port %d to pod %s: %v", port, pod, err)
		data.Close()
		return
	}
	defer target.Close()
	go func() {
		_, _ = io.Copy(target, data)
		if tcp, ok := target.(*net.TCPConn); ok {
			_ = tcp.CloseWrite()
		}
	}()
	_, _ = io.Copy(data, target)
	data.Close()
}
