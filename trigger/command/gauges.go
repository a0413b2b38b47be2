package command

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/proerror77/nova-staging/trigger/application"
	"github.com/proerror77/nova-staging/trigger/board"
	"github.com/proerror77/nova-staging/trigger/cluster"
	"github.com/proerror77/nova-staging/trigger/watch"
)

// registerGauges shows what is known.
func registerGauges(r prometheus.Registerer, w *watch.Watcher, conn *cluster.Connection) {
	gauge := func(name, help string, f func() float64) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "nova", Subsystem: "trigger", Name: name, Help: help}, f))
	}
	gauge("applications", "Applications that are selected.", func() float64 { return float64(len(w.Applications())) })
	gauge("applications_broken", "Selected Applications whose as-of can not be moved.", func() float64 {
		n := 0
		for _, a := range w.Applications() {
			if a.Broken != nil {
				n++
			}
		}
		return float64(n)
	})
	gauge("applications_held", "Applications that are held by a person.", func() float64 {
		n := 0
		for _, a := range w.Applications() {
			if a.Settings.Hold != "" {
				n++
			}
		}
		return float64(n)
	})
	gauge("waiting_pushes", "Pushes that are settling.", func() float64 { return float64(w.WaitingPushes()) })
	r.MustRegister(states{w.Applications})
	r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Namespace: "nova", Subsystem: "trigger", Name: "kubernetes_requests_total", Help: "Requests to the API server.",
	}, func() float64 {
		read, write := conn.Requests()
		return float64(read + write)
	}))
}

// states collects what the board says of each Application. There is one series for
// an Application, that of its present state: those it has left go stale, and
// thousands of Applications are thousands of series and no more.
type states struct {
	applications func() []*application.Application
}

var stateDesc = prometheus.NewDesc(prometheus.BuildFQName("nova", "trigger", "application_state"),
	"1 for the state that a selected Application is in.", []string{"application", "state"}, nil)

func (s states) Describe(c chan<- *prometheus.Desc) { c <- stateDesc }

func (s states) Collect(c chan<- prometheus.Metric) {
	for _, app := range s.applications() {
		c <- prometheus.MustNewConstMetric(stateDesc, prometheus.GaugeValue, 1, app.Key(), board.State(app))
	}
}
