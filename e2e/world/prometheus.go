package world

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/prometheus/common/model"
	"k8s.io/client-go/kubernetes"

	"github.com/proerror77/nova-staging/internal/dashboard"
)

// Prometheus is the one in the cluster, with the shipped scrape configuration and
// rules.
type Prometheus struct{ kube kubernetes.Interface }

var (
	ruleFor        = regexp.MustCompile(`(?m)^(    for:) \d+[mh]$`)
	scrapeInterval = regexp.MustCompile(`(?m)^(  scrape_interval:) 30s$`)
)

// layOutMonitoring puts scrape configuration and rules beside the Prometheus that
// reads them. They are the shipped ones but for their times: it scrapes and
// evaluates every two seconds, and an alert fires after two.
func (w *World) layOutMonitoring() error {
	shipped := filepath.Join(w.settings.Root, "manifests", "observability")
	for file, from := range map[string]struct {
		path    string
		pattern *regexp.Regexp
		head    string
	}{
		"scrape.yaml": {filepath.Join(shipped, "prometheus", "prometheus.yaml"), scrapeInterval, "global: {evaluation_interval: 2s}\n"},
		"rules.yaml":  {filepath.Join(shipped, "rules", "nova-staging.yaml"), ruleFor, ""},
	} {
		b, err := os.ReadFile(from.path)
		if err != nil {
			return err
		}
		if !from.pattern.Match(b) {
			return fmt.Errorf("%s: no line matches %s", from.path, from.pattern)
		}
		text := from.head + from.pattern.ReplaceAllString(string(b), "$1 2s")
		if err := os.WriteFile(filepath.Join(w.temp, "monitoring", file), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// DashboardQueries are those of the shipped dashboard.
func (w *World) DashboardQueries() ([]dashboard.Query, error) {
	d, err := dashboard.Read(filepath.Join(w.settings.Root, "manifests", "observability", "grafana", "nova-staging.json"))
	return d.Queries("1m"), err
}

// Query evaluates an expression now.
func (p *Prometheus) Query(ctx context.Context, expr string) (model.Vector, error) {
	body, err := p.kube.CoreV1().Services("monitoring").
		ProxyGet("http", "prometheus", "http", "/api/v1/query", map[string]string{"query": expr}).DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("query %s: %w", expr, err)
	}
	var answer struct {
		Data struct{ Result model.Vector }
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("query %s: the answer is no vector: %w", expr, err)
	}
	return answer.Data.Result, nil
}

// Until waits until an expression has results, or none.
func (p *Prometheus) Until(ctx context.Context, limit time.Duration, expr string, results bool) error {
	what := expr + " has results"
	if !results {
		what = expr + " has no results"
	}
	return until(ctx, limit, what, func(ctx context.Context) (bool, string) {
		series, err := p.Query(ctx, expr)
		return err == nil && len(series) > 0 == results, fmt.Sprintf("%v (%v)", series, err)
	})
}

// Alert waits until an alert fires, or is silent.
func (p *Prometheus) Alert(ctx context.Context, name string, fires bool) error {
	return p.Until(ctx, time.Minute, fmt.Sprintf("ALERTS{alertname=%q, alertstate=\"firing\"}", name), fires)
}
