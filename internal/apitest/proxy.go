package apitest

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// address is where a Pod or Service really listens.
func (s *Server) address(resource, name string, port int) string {
	switch o := s.Get(resource, name).(type) {
	case *corev1.Pod:
		return net.JoinHostPort(o.Status.PodIP, strconv.Itoa(port))
	case *corev1.Service:
		return net.JoinHostPort(o.Spec.ClusterIP, strconv.Itoa(port))
	}
	return ""
}

// proxy is …/services/http:name:port/proxy/path and the same for Pods.
func (s *Server) proxy(w http.ResponseWriter, r *http.Request, resource, target, path string) {
	s.count("get " + resource + "/proxy")
	parts := strings.Split(target, ":")
	if len(parts) == 2 {
		parts = append([]string{"http"}, parts...)
	}
	if len(parts) != 3 {
		fail(w, http.StatusBadRequest, "BadRequest", "no such target "+target)
		return
	}
	port, _ := strconv.Atoi(parts[2])
	address := s.address(resource, parts[1], port)
	if address == "" {
		fail(w, http.StatusNotFound, "NotFound", resource+" "+parts[1]+" not found")
		return
	}
	req, err := http.NewRequestWithContext(r.Context(), r.Method, parts[0]+"://"+address+path+"?"+r.URL.RawQuery, nil)
	if err != nil {
		fail(w, http.StatusInternalServerError, "InternalError", err.Error())
		return
	}
	req.Header = r.Header.Clone()
	res, err := (&http.Transport{DisableKeepAlives: true, DisableCompression: true}).RoundTrip(req)
	if err != nil {
		fail(w, http.StatusServiceUnavailable, "ServiceUnavailable", "error trying to reach service: "+err.Error())
		return
	}
	defer res.Body.Close()
	for k, v := range res.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(res.StatusCode)
	_, _ = io.Copy(w, res.Body)
}
