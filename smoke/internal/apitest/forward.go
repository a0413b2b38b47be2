package apitest

import "net/http"

func (s *Server) portForward(w http.ResponseWriter, _ *http.Request, pod string) {
	fail(w, http.StatusNotImplemented, "NotImplemented", "no port-forward to "+pod)
}
