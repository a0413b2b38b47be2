package manifests_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// promtool runs Prometheus' own checker. Where nothing may be left out, its absence
// fails the test.
func promtool(t *testing.T, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath("promtool"); err != nil {
		const what = "promtool is not installed (apt-get install prometheus): the alerts are not tested"
		if os.Getenv("CI") == "true" {
			t.Fatal(what)
		}
		t.Skip(what)
	}
	out, err := exec.CommandContext(t.Context(), "promtool", args...).CombinedOutput()
	return string(out), err
}

var (
	rulesFile     = filepath.Join("observability", "rules", "nova-staging.yaml")
	ruleTestsFile = filepath.Join("observability", "rules", "nova-staging_test.yaml")
)

type alertRule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for,omitempty"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

type ruleGroup struct {
	Name  string      `json:"name"`
	Rules []alertRule `json:"rules"`
}

type ruleGroups struct {
	Groups []ruleGroup `json:"groups"`
}

// rules of all groups.
func (g ruleGroups) rules() []alertRule {
	var all []alertRule
	for _, group := range g.Groups {
		all = append(all, group.Rules...)
	}
	return all
}

func alertRules(t *testing.T) ruleGroups {
	t.Helper()
	var g ruleGroups
	if err := yaml.UnmarshalStrict([]byte(read(t, rulesFile)), &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Groups) != 2 || g.Groups[0].Name != "nova-staging" || g.Groups[1].Name != "nova-trigger" {
		t.Fatalf("groups %+v, want nova-staging and nova-trigger", g.Groups)
	}
	return g
}

func TestAlertsFireWhenTheyShould(t *testing.T) {
	t.Parallel()
	if out, err := promtool(t, "check", "rules", rulesFile); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := promtool(t, "test", "rules", ruleTestsFile); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestTheAlertTestsWouldNoticeAnAlertThatNeverFires breaks every rule, and wants to
// hear of every one.
func TestTheAlertTestsWouldNoticeAnAlertThatNeverFires(t *testing.T) {
	t.Parallel()
	broken := alertRules(t)
	for _, g := range broken.Groups {
		for i := range g.Rules {
			g.Rules[i].Expr = "vector(0) > 1"
		}
	}
	rules, err := yaml.Marshal(broken)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, data := range map[string][]byte{filepath.Base(rulesFile): rules, filepath.Base(ruleTestsFile): []byte(read(t, ruleTestsFile))} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := promtool(t, "test", "rules", filepath.Join(dir, filepath.Base(ruleTestsFile)))
	if err == nil {
		t.Fatalf("it passes without any alert:\n%s", out)
	}
	for _, r := range broken.rules() {
		if !strings.Contains(out, "alertname: "+r.Alert+",") {
			t.Errorf("nobody misses %s:\n%s", r.Alert, out)
		}
	}
}

// TestAVerifiedStagingWithoutTriggerIsQuiet is about those who deploy by trigger once
// alone: they leave out the group nova-trigger.
func TestAVerifiedStagingWithoutTriggerIsQuiet(t *testing.T) {
	t.Parallel()
	g := alertRules(t)
	var cases []any
	for _, r := range g.rules() {
		cases = append(cases, map[string]any{"eval_time": "26h", "alertname": r.Alert, "exp_alerts": []any{}})
	}
	g.Groups = g.Groups[:1]
	dir := t.TempDir()
	for name, content := range map[string]any{
		"rules.yaml": g,
		"test.yaml": map[string]any{
			"rule_files": []string{"rules.yaml"}, "evaluation_interval": "1m",
			"tests": []any{map[string]any{
				"interval": "1m",
				"input_series": []any{map[string]string{
					"series": `argocd_app_info{name="nova-staging", namespace="argocd", project="nova", sync_status="Synced", health_status="Healthy", phase="Succeeded"}`,
					"values": "1x1600",
				}},
				"alert_rule_test": cases,
			}},
		},
	} {
		data, err := yaml.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := promtool(t, "test", "rules", filepath.Join(dir, "test.yaml")); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for _, r := range g.rules() {
		if strings.Contains(r.Expr, "nova_trigger_") {
			t.Errorf("%s is on trigger's metrics, and not in its group", r.Alert)
		}
	}
}

func TestEachAlertIsTestedBothWaysAndExplained(t *testing.T) {
	t.Parallel()
	var tests struct {
		Tests []struct {
			AlertRuleTest []struct {
				Alertname string `json:"alertname"`
				ExpAlerts []any  `json:"exp_alerts"`
			} `json:"alert_rule_test"`
		} `json:"tests"`
	}
	if err := yaml.Unmarshal([]byte(read(t, ruleTestsFile)), &tests); err != nil {
		t.Fatal(err)
	}
	fires, quiet := map[string]bool{}, map[string]bool{}
	for _, c := range tests.Tests {
		for _, a := range c.AlertRuleTest {
			if len(a.ExpAlerts) > 0 {
				fires[a.Alertname] = true
			} else {
				quiet[a.Alertname] = true
			}
		}
	}
	page := read(t, "..", "docs", "observability.md")
	for _, r := range alertRules(t).rules() {
		if !fires[r.Alert] || !quiet[r.Alert] {
			t.Errorf("%s: a case in which it fires: %t, in which it does not: %t", r.Alert, fires[r.Alert], quiet[r.Alert])
		}
		if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s: %v %v", r.Alert, r.Labels, r.Annotations)
		}
		if !strings.Contains(page, "\n### "+r.Alert+"\n") || !strings.HasSuffix(r.Annotations["runbook_url"], "/docs/observability.md#"+strings.ToLower(r.Alert)) {
			t.Errorf("%s has no section in docs/observability.md, or %s is not it", r.Alert, r.Annotations["runbook_url"])
		}
	}
}

// TestTheScrapeConfigurationFindsTheServices hands the staging Pods to Prometheus as
// its discovery would, and reads the targets that are left. Debian's promtool is
// built without discovery in Kubernetes.
func TestTheScrapeConfigurationFindsTheServices(t *testing.T) {
	t.Parallel()
	var config map[string]any
	if err := yaml.UnmarshalStrict([]byte(read(t, "observability", "prometheus", "prometheus.yaml")), &config); err != nil {
		t.Fatal(err)
	}
	var statics []any
	want := map[string]string{}
	add := func(ip string, meta map[string]string) {
		meta["__meta_kubernetes_namespace"], meta["__meta_kubernetes_pod_ip"] = "nova", ip
		if meta["__meta_kubernetes_pod_phase"] == "" {
			meta["__meta_kubernetes_pod_phase"] = "Running"
		}
		statics = append(statics, map[string]any{"targets": []string{ip + ":1"}, "labels": meta})
	}
	for i, d := range all[*appsv1.Deployment](render(t, filepath.Join("nova", "overlays", "staging"))) {
		meta := map[string]string{"__meta_kubernetes_pod_name": d.Name + "-1", "__meta_kubernetes_pod_label_app_kubernetes_io_name": d.Name}
		for k, v := range d.Spec.Template.Annotations {
			meta["__meta_kubernetes_pod_annotation_"+regexp.MustCompile(`[^a-zA-Z0-9]`).ReplaceAllString(k, "_")] = v
		}
		ip := fmt.Sprintf("10.0.0.%d", i+1)
		want[d.Name] = ip + ":" + d.Spec.Template.Annotations["prometheus.io/port"] + d.Spec.Template.Annotations["prometheus.io/path"]
		add(ip, meta)
	}
	add("10.0.1.1", map[string]string{"__meta_kubernetes_pod_name": "not-annotated"})
	add("10.0.1.2", map[string]string{"__meta_kubernetes_pod_name": "ended", "__meta_kubernetes_pod_phase": "Succeeded", "__meta_kubernetes_pod_annotation_prometheus_io_scrape": "true", "__meta_kubernetes_pod_annotation_prometheus_io_port": "8080"})
	job := config["scrape_configs"].([]any)[0].(map[string]any)
	discovery, _ := json.Marshal(job["kubernetes_sd_configs"])
	if string(discovery) != `[{"namespaces":{"names":["argocd","nova"]},"role":"pod"}]` {
		t.Errorf("discovery is %s", discovery)
	}
	delete(job, "kubernetes_sd_configs")
	job["static_configs"] = statics
	rules, err := filepath.Abs(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	config["rule_files"] = []string{rules}
	data, err := yaml.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "prometheus.yaml")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := promtool(t, "check", "config", file); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := promtool(t, "check", "service-discovery", "--timeout=1s", file, "nova-staging")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var found []struct {
		Labels map[string]string `json:"labels"`
	}
	if err := json.Unmarshal([]byte(out[strings.Index(out, "["):]), &found); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got := map[string]string{}
	for _, f := range found {
		if l := f.Labels; len(l) > 0 {
			got[l["service"]] = l["__address__"] + l["__metrics_path__"]
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
}

func TestAnnotationsAreForThePodsThatHaveMetrics(t *testing.T) {
	t.Parallel()
	workload := func(kind, name string) string {
		return fmt.Sprintf("apiVersion: apps/v1\nkind: %s\nmetadata: {name: %s}\nspec:\n  selector: {matchLabels: {a: b}}\n  template:\n    metadata: {labels: {a: b}, annotations: {kept: \"yes\"}}\n    spec: {containers: [{name: c, image: i}]}\n---\n", kind, name)
	}
	stock := workload("StatefulSet", "argocd-application-controller") + workload("Deployment", "argocd-repo-server") + workload("Deployment", "nova-trigger") + strings.TrimSuffix(workload("Deployment", "argocd-server"), "---\n")
	want := map[string]string{"argocd-application-controller": "8082", "argocd-repo-server": "8084", "nova-trigger": "8080", "argocd-server": ""}
	got := map[string]string{}
	for _, o := range onStock(t, stock, "../observability/annotations").objects {
		var template corev1.PodTemplateSpec
		switch x := o.typed.(type) {
		case *appsv1.Deployment:
			template = x.Spec.Template
		case *appsv1.StatefulSet:
			template = x.Spec.Template
		}
		a := template.Annotations
		got[o.typed.GetName()] = a["prometheus.io/port"]
		if a["kept"] != "yes" || (a["prometheus.io/port"] != "") != (a["prometheus.io/scrape"] == "true") {
			t.Errorf("%s: %v", o, a)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ports (-want +got):\n%s", diff)
	}
}
