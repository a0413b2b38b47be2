package build

import (
	"bytes"
	"errors"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
)

// captureStderr runs f and gives the lines that it printed on os.Stderr and
// through package log. kustomize warns there, and Argo CD would show those
// warnings as part of an error that they have nothing to do with.
func captureStderr(f func()) []string {
	r, w, err := os.Pipe()
	if err != nil {
		f()
		return nil
	}
	var text bytes.Buffer
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(&text, r)
	}()
	stderr, logger := os.Stderr, log.Writer()
	os.Stderr = w
	log.SetOutput(w)
	func() {
		defer func() {
			os.Stderr = stderr
			log.SetOutput(logger)
			_ = w.Close()
			<-read
			_ = r.Close()
		}()
		f()
	}()
	var lines []string
	for line := range strings.SplitSeq(text.String(), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

var errBlocked = errors.New("fetching is not allowed")

type blocked struct{}

func (blocked) RoundTrip(*http.Request) (*http.Response, error) { return nil, errBlocked }

// blockHTTP is the second fence behind the guard's check of each kustomization
// file: kustomize fetches with the default transport from wherever a path is
// allowed, generators and inline transformers included. The returned function
// restores it.
func blockHTTP(allow bool) (restore func()) {
	if allow {
		return func() {}
	}
	before := http.DefaultTransport
	http.DefaultTransport = blocked{}
	return func() { http.DefaultTransport = before }
}
