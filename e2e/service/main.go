// Command service stands in for one of the eight Nova services in the e2e tests:
// a server with a health document and Prometheus metrics, whose image says which
// service and version it is and how it misbehaves.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	s, err := fromEnv(os.Getenv)
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := s.run(ctx); err != nil {
		log.Fatal(err)
	}
}

// server is one service. Its image sets all fields by environment variables.
type server struct {
	name, version, port, healthPath string
	// misbehave is empty or one of the ways below.
	misbehave string
}

// Ways to misbehave.
const (
	saysDown    = "says-down"    // /health answers 200 with a document that says it is down: probes are satisfied
	metricsHTML = "metrics-html" // /metrics answers 200 with an HTML page
)

func fromEnv(getenv func(string) string) (*server, error) {
	s := &server{
		name: getenv("SERVICE"), version: getenv("VERSION"), port: getenv("PORT"),
		healthPath: getenv("HEALTH_PATH"), misbehave: getenv("MISBEHAVE"),
	}
	if s.name == "" || s.version == "" || s.port == "" || s.healthPath == "" {
		return nil, errors.New("SERVICE, VERSION, PORT and HEALTH_PATH must be set")
	}
	switch s.misbehave {
	case "", saysDown, metricsHTML:
		return s, nil
	}
	return nil, fmt.Errorf("MISBEHAVE=%q is not one of %s, %s", s.misbehave, saysDown, metricsHTML)
}

func (s *server) run(ctx context.Context) error {
	log.Printf("%s %s listens on port %s (APP_ENV=%s)", s.name, s.version, s.port, os.Getenv("APP_ENV"))
	h := &http.Server{Addr: ":" + s.port, Handler: s.handler(), ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { _ = h.Shutdown(context.Background()) })
	if err := h.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+s.healthPath, func(w http.ResponseWriter, _ *http.Request) {
		status := "ok"
		if s.misbehave == saysDown {
			status = "down"
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, "{\"status\":%q,\"service\":%q,\"version\":%q}\n", status, s.name, s.version)
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		if s.misbehave == metricsHTML {
			w.Header().Set("Content-Type", "text/html")
			_, _ = fmt.Fprintln(w, "<!DOCTYPE html><title>Not found</title>")
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = fmt.Fprintf(w, "# HELP build_info What runs.\n# TYPE build_info gauge\nbuild_info{service=%q,revision=%q} 1\n", s.name, s.version)
	})
	return mux
}
