package manifests_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/proerror77/nova-staging/internal/dashboard"
)

var dashboardFile = filepath.Join("observability", "grafana", "nova-staging.json")

// dashboardExpressions are all queries of the dashboard, with its variables set.
func dashboardExpressions(t *testing.T) []string {
	t.Helper()
	d, err := dashboard.Read(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	if d.UID != "nova-staging" || len(d.Panels) < 10 {
		t.Fatalf("dashboard %q with %d panels", d.UID, len(d.Panels))
	}
	targets := d.Annotations.List
	ids, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.Title == "" || len(p.Targets) == 0 {
			t.Errorf("panel %d %q with %d queries", p.ID, p.Title, len(p.Targets))
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("panel %q lies on %q, or outside", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		targets = append(targets, p.Targets...)
	}
	for _, target := range targets {
		if target.Datasource.UID != "${datasource}" {
			t.Errorf("%s asks %q", target.Expr, target.Datasource.UID)
		}
	}
	var exprs []string
	for _, q := range d.Queries("5m") {
		exprs = append(exprs, q.Expr)
	}
	if len(exprs) != len(targets) {
		t.Errorf("of %d queries %d ask something", len(targets), len(exprs))
	}
	return exprs
}

func TestTheDashboardAsksWhatPrometheusUnderstands(t *testing.T) {
	t.Parallel()
	type rule struct {
		Record string `json:"record"`
		Expr   string `json:"expr"`
	}
	var rules []rule
	for i, e := range dashboardExpressions(t) {
		rules = append(rules, rule{fmt.Sprintf("query:%d", i), e})
	}
	data, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := promtool(t, "check", "rules", file); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	r, err := build(filesys.MakeFsOnDisk(), filepath.Join("observability", "grafana"))
	if err != nil {
		t.Fatal(err)
	}
	if c := one[*corev1.ConfigMap](t, r); c.Labels["grafana_dashboard"] != "1" || c.Data["nova-staging.json"] != read(t, dashboardFile) {
		t.Errorf("the ConfigMap %s has labels %v", c.Name, c.Labels)
	}
}

// argoCDMetrics are those of Argo CD v3.6.1 that are used, from its controller's and
// repo-server's metrics packages.
var argoCDMetrics = []string{"argocd_app_condition", "argocd_app_info", "argocd_app_reconcile_bucket", "argocd_git_request_total", "argocd_repo_pending_request_total"}

// TestAlertsAndDashboardUseMetricsThatExist reads trigger's metrics from its source.
func TestAlertsAndDashboardUseMetricsThatExist(t *testing.T) {
	t.Parallel()
	exprs := dashboardExpressions(t)
	for _, r := range alertRules(t).rules() {
		exprs = append(exprs, r.Expr)
	}
	used := map[string]bool{}
	for _, e := range exprs {
		for _, name := range regexp.MustCompile(`\b(nova|argocd)_[a-z_]+`).FindAllString(regexp.MustCompile(`"[^"]*"`).ReplaceAllString(e, ""), -1) {
			used[name] = true
		}
	}
	source := ""
	for _, dir := range []string{"metrics", "command", "watch"} {
		files, err := filepath.Glob(filepath.Join("..", "trigger", dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if !strings.HasSuffix(f, "_test.go") {
				source += read(t, f)
			}
		}
	}
	page := read(t, "..", "docs", "observability.md")
	for name := range used {
		short, isTrigger := strings.CutPrefix(name, "nova_trigger_")
		short = strings.TrimSuffix(short, "_bucket")
		switch {
		case isTrigger && source != "" && !strings.Contains(source, `"`+short+`"`):
			t.Errorf("trigger has no metric %s", short)
		case !isTrigger && !slices.Contains(argoCDMetrics, name):
			t.Errorf("%s is none of the metrics that are known to exist", name)
		}
		if !strings.Contains(page, "`"+strings.TrimSuffix(name, "_bucket")+"`") {
			t.Errorf("docs/observability.md does not explain %s", name)
		}
	}
}
