package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/proerror77/nova-staging/trigger/application"
	"github.com/proerror77/nova-staging/trigger/board"
	"github.com/proerror77/nova-staging/trigger/settle"
	"github.com/proerror77/nova-staging/trigger/watch"
)

// webServer serves board, metrics and health.
type webServer struct {
	watcher  *watch.Watcher
	ages     *board.Ages
	registry *prometheus.Registry
	sources  []string
	replica  string
	leader   func() (name, address string)
	log      *slog.Logger
}

// forwarded marks a request that one replica passed on to another, which must
// not pass it on again.
const forwarded = "X-Nova-Trigger-Forwarded"

// start listens; it gives the address and how to stop.
func (s *webServer) start(listen string) (string, func(), error) {
	if listen == "" {
		return "", func() {}, nil
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return "", nil, fmt.Errorf("listen for board and metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{Registry: s.registry}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !s.watcher.Synced() {
			http.Error(w, "the Applications are not known yet", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.Handle("/", s.passOn(board.Handler(s.status, time.Now)))
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("board and metrics are not served any more", "error", err)
		}
	}()
	return l.Addr().String(), func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
	}, nil
}

// passOn lets the replica that acts answer: it alone knows what is settling.
// When it can not be reached, this one answers.
func (s *webServer) passOn(own http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var address string
		if s.leader != nil {
			_, address = s.leader()
		}
		if s.watcher.Acting() || address == "" || r.Header.Get(forwarded) != "" {
			own.ServeHTTP(w, r)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
		defer cancel()
		proxy := &httputil.ReverseProxy{
			Rewrite: func(p *httputil.ProxyRequest) {
				p.SetURL(&url.URL{Scheme: "http", Host: address})
				p.Out.Header.Set(forwarded, s.replica)
			},
			ErrorHandler: func(w http.ResponseWriter, r *http.Request, _ error) { own.ServeHTTP(w, r) },
			ErrorLog:     slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		}
		proxy.ServeHTTP(w, r.WithContext(ctx))
	})
}

func (s *webServer) status() board.Status {
	st := board.Status{
		Time: time.Now().UTC().Truncate(time.Second), Replica: s.replica, Acting: s.watcher.Acting(), Sources: s.sources, Applications: []board.Row{},
	}
	if s.leader != nil {
		st.Leader, _ = s.leader()
	}
	for _, app := range s.watcher.Applications() {
		st.Applications = append(st.Applications, s.row(app))
	}
	board.Order(st.Applications)
	return st
}

func (s *webServer) row(app *application.Application) board.Row {
	batch := settle.Batch{}
	if s.watcher.Acting() {
		batch = s.watcher.Waiting(app)
	}
	return board.RowOf(app, batch, s.ages.Pushed)
}
