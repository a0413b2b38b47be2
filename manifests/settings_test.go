package manifests_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/proerror77/nova-staging/plugin/command"
)

// stockSettings are the objects of Argo CD v3.6.1 that the component changes, and
// the repo-server's own network policy.
const stockSettings = `apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-cm}
data: {application.instanceLabelKey: yours}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-cmd-params-cm}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-rbac-cm}
data:
  policy.csv: |
    g, yours, role:admin
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: argocd-repo-server-network-policy}
spec:
  podSelector: {matchLabels: {app.kubernetes.io/name: argocd-repo-server}}
  policyTypes: [Ingress]
  ingress:
  - from:
    - podSelector: {matchLabels: {app.kubernetes.io/name: argocd-server}}
    - podSelector: {matchLabels: {app.kubernetes.io/name: argocd-application-controller}}
    - podSelector: {matchLabels: {app.kubernetes.io/name: argocd-notifications-controller}}
    - podSelector: {matchLabels: {app.kubernetes.io/name: argocd-applicationset-controller}}
    ports: [{protocol: TCP, port: 8081}]
  - from: [{namespaceSelector: {}}]
    ports: [{port: 8084}]
`

func settings(t *testing.T) *rendered {
	t.Helper()
	return onStock(t, stockSettings, "settings")
}

func TestSettingsLeaveOthersSettingsAlone(t *testing.T) {
	t.Parallel()
	maps := named[*corev1.ConfigMap](settings(t))
	if maps["argocd-cm"].Data["application.instanceLabelKey"] != "yours" || !strings.Contains(maps["argocd-rbac-cm"].Data["policy.csv"], "g, yours") {
		t.Errorf("%v, %v", maps["argocd-cm"].Data, maps["argocd-rbac-cm"].Data)
	}
}

// TestARenderEndsBeforeItsRequest compares generate's own deadline with what Argo
// CD gives a request.
func TestARenderEndsBeforeItsRequest(t *testing.T) {
	t.Parallel()
	own := deadline(t)
	// Of an Argo CD without these settings, which also fetches and hands over.
	if stock := 60 * time.Second; own > stock*3/4 {
		t.Errorf("generate gives up after %s, too late for the %s of Argo CD's defaults", own, stock)
	}
	params := named[*corev1.ConfigMap](settings(t))["argocd-cmd-params-cm"].Data
	for _, key := range []string{"controller.repo.server.timeout.seconds", "server.repo.server.timeout.seconds"} {
		s, err := strconv.Atoi(params[key])
		if limit := time.Duration(s) * time.Second; err != nil || limit < 2*own {
			t.Errorf("%s is %q (%v), want at least twice generate's %s", key, params[key], err, own)
		}
	}
	if hard := named[*corev1.ConfigMap](settings(t))["argocd-cm"].Data["timeout.hard.reconciliation"]; hard != "0s" {
		t.Errorf("timeout.hard.reconciliation is %q", hard)
	}
}

// deadline is generate's own as the sidecar runs it: by --help, and nothing in
// plugin.yaml that sets another.
func deadline(t *testing.T) time.Duration {
	t.Helper()
	var help bytes.Buffer
	if status := command.Run(t.Context(), command.Program{Args: []string{"--help"}, Stdout: &help, Stderr: &help}); status != 0 {
		t.Fatalf("generate --help: exit status %d\n%s", status, &help)
	}
	found := regexp.MustCompile(`--timeout duration .*\(default (\w+)\)`).FindStringSubmatch(help.String())
	if found == nil {
		t.Fatalf("generate --help does not show its deadline:\n%s", &help)
	}
	own, err := time.ParseDuration(found[1])
	if err != nil {
		t.Fatal(err)
	}
	if file := read(t, "argocd", "plugin.yaml"); strings.Contains(file, "--timeout") {
		t.Errorf("plugin.yaml sets another deadline than %s", own)
	}
	return own
}

// TestThePagesShowGeneratesDeadline wants each page that names it to name the one
// that it is.
func TestThePagesShowGeneratesDeadline(t *testing.T) {
	t.Parallel()
	own := deadline(t)
	for page, shown := range map[string]string{
		"README.md":               `after (\d+ ?s): gave up at the deadline`,
		"docs/argocd-settings.md": `generate gives up after (\d+ ?s)`,
		"docs/limits.md":          `and (\d+ ?s) for all of it`,
		"docs/troubleshooting.md": `after (\d+ ?s): gave up at the deadline|must allow more than (\d+ ?s)`,
	} {
		all := regexp.MustCompile(shown).FindAllStringSubmatch(read(t, "..", page), -1)
		if len(all) != 1+strings.Count(shown, "|") {
			t.Errorf("%s shows it %d times, want %d", page, len(all), 1+strings.Count(shown, "|"))
		}
		for _, m := range all {
			text := strings.ReplaceAll(strings.Join(m[1:], ""), " ", "")
			if d, err := time.ParseDuration(text); err != nil || d != own {
				t.Errorf("%s shows %s, generate gives up after %s", page, m[0], own)
			}
		}
	}
}

func TestRBACOfTheProject(t *testing.T) {
	t.Parallel()
	// By person: what is allowed. Everything else that is asked is not.
	allowed := map[string][]string{
		"nova-viewers":    {"applications get nova/nova-staging", "logs get nova/nova-staging", "projects get nova"},
		"nova-developers": {"applications sync nova/nova-staging", "applications action/apps/Deployment/restart nova/nova-staging"},
		"nova-operators":  {"applications update nova/nova-staging", "applications delete/batch/Job/nova/smoke nova/nova-staging", "applications delete//Pod/nova/auth-service-1 nova/nova-staging"},
		"strangers":       nil,
	}
	order := []string{"strangers", "nova-viewers", "nova-developers", "nova-operators"}
	requests := []string{
		"applications get other/app", "applications sync other/app", "applications update other/app", "logs get other/app",
		"applications create nova/another", "applications delete nova/nova-staging", "applications override nova/nova-staging", "applications rollback nova/nova-staging",
		"applications delete/apps/Deployment/nova/auth-service nova/nova-staging", "applications update/apps/Deployment/nova/auth-service nova/nova-staging",
		"applications action/batch/CronJob/create-job nova/nova-staging",
		"exec create nova/nova-staging", "projects update nova", "projects get other", "clusters get https://kubernetes.default.svc", "repositories get https://github.com/proerror77/Nova.git", "accounts update admin",
	}
	for _, who := range order {
		requests = append(requests, allowed[who]...)
	}
	want, got := map[string]bool{}, map[string]bool{}
	var questions, may []string
	for _, who := range order {
		may = append(may, allowed[who]...) // each may what those before it may
		for _, r := range requests {
			q := who + " " + r
			questions = append(questions, q)
			want[q] = slices.Contains(may, r)
		}
	}
	data := named[*corev1.ConfigMap](settings(t))["argocd-rbac-cm"].Data
	// As Argo CD puts them together (util/rbac, PolicyCSV).
	policy := data["policy.csv"]
	for _, key := range slices.Sorted(maps.Keys(data)) {
		if strings.HasPrefix(key, "policy.") && strings.HasSuffix(key, ".csv") && key != "policy.csv" {
			policy += "\n" + data[key]
		}
	}
	askArgoCD(t, "rbac", map[string]any{"policy": policy, "requests": questions}, &got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("allowed (-want +got):\n%s", diff)
	}
}

func TestTheRepoServerTalksToWhatItNeedsAndNothingElse(t *testing.T) {
	t.Parallel()
	const namespace = "argocd"
	in := func(ns, name string) endpoint { return endpoint{namespace: ns, labels: labels.Set{nameLabel: name}} }
	at := func(address string) endpoint { return endpoint{address: address} }
	repo := in(namespace, "argocd-repo-server")
	dns := endpoint{namespace: "kube-system", labels: labels.Set{"k8s-app": "kube-dns"}}
	tests := []connection{
		{"ECR on the internet", repo, at("52.119.1.2"), corev1.ProtocolTCP, 443, true},
		{"ECR and STS at a VPC endpoint", repo, at("10.0.3.4"), corev1.ProtocolTCP, 443, true},
		{"ECR over IPv6", repo, at("2406:da14::1"), corev1.ProtocolTCP, 443, true},
		{"Git over SSH", repo, at("140.82.112.3"), corev1.ProtocolTCP, 22, true},
		{"EKS Pod Identity", repo, at("169.254.170.23"), corev1.ProtocolTCP, 80, true},
		{"EKS Pod Identity over IPv6", repo, at("fd00:ec2::23"), corev1.ProtocolTCP, 80, true},
		{"Redis", repo, in(namespace, "argocd-redis"), corev1.ProtocolTCP, 6379, true},
		{"Redis behind HAProxy", repo, in(namespace, "argocd-redis-ha-haproxy"), corev1.ProtocolTCP, 6379, true},
		{"DNS", repo, dns, corev1.ProtocolUDP, 53, true},
		{"DNS over TCP", repo, dns, corev1.ProtocolTCP, 53, true},
		{"DNS at the node's cache", repo, at("169.254.20.10"), corev1.ProtocolUDP, 53, true},
		{"the node's credentials", repo, at("169.254.169.254"), corev1.ProtocolTCP, 80, false},
		{"the node's credentials over HTTPS", repo, at("169.254.169.254"), corev1.ProtocolTCP, 443, false},
		{"the node's credentials over IPv6", repo, at("fd00:ec2::254"), corev1.ProtocolTCP, 80, false},
		{"another name server", repo, at("203.0.113.53"), corev1.ProtocolUDP, 53, false},
		{"plain HTTP", repo, at("203.0.113.7"), corev1.ProtocolTCP, 80, false},
		{"mail", repo, at("203.0.113.7"), corev1.ProtocolTCP, 587, false},
		{"another Pod of Argo CD", repo, in(namespace, "argocd-server"), corev1.ProtocolTCP, 8080, false},
		{"another namespace's Redis", repo, in("redis", "argocd-redis"), corev1.ProtocolTCP, 6379, false},
		{"a service of Nova", repo, in("nova", "auth-service"), corev1.ProtocolTCP, 8084, false},
		{"the controller asks it", in(namespace, "argocd-application-controller"), repo, corev1.ProtocolTCP, 8081, true},
		{"the server asks it", in(namespace, "argocd-server"), repo, corev1.ProtocolTCP, 8081, true},
		{"Prometheus scrapes it", in("monitoring", "prometheus"), repo, corev1.ProtocolTCP, 8084, true},
		{"another namespace does not ask it", in("default", "x"), repo, corev1.ProtocolTCP, 8081, false},
		{"others in Argo CD's namespace are not confined", in(namespace, "argocd-server"), at("203.0.113.7"), corev1.ProtocolTCP, 587, true},
	}
	letThrough(t, all[*networkingv1.NetworkPolicy](settings(t)), namespace, tests)
}

// A policy without a namespace lands in default where the kustomization sets none.
func TestTheRepoServersPolicyNamesItsNamespace(t *testing.T) {
	t.Parallel()
	var p networkingv1.NetworkPolicy
	readYAML(t, &p, "argocd", "settings", "networkpolicy.yaml")
	if p.Namespace != "argocd" {
		t.Errorf("namespace %q, want argocd", p.Namespace)
	}
}

// TestWhoMayMoveAsOfIsLimited: RBAC lets them patch all of an Application, so each of
// the two brings the policy that does not, and taking one away leaves the other's.
func TestWhoMayMoveAsOfIsLimited(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, folder := range []string{"trigger", filepath.Join("settings", "ci")} {
		r, err := build(filesys.MakeFsOnDisk(), filepath.Join("argocd", folder))
		if err != nil {
			t.Fatal(err)
		}
		policies, bindings := all[*admissionv1.ValidatingAdmissionPolicy](r), all[*admissionv1.ValidatingAdmissionPolicyBinding](r)
		if len(policies) != 1 || len(bindings) != 1 {
			t.Fatalf("%s has %d policies and %d bindings, want one each", folder, len(policies), len(bindings))
		}
		name := policies[0].Name
		if bindings[0].Spec.PolicyName != name || !slices.Contains(bindings[0].Spec.ValidationActions, admissionv1.Deny) {
			t.Errorf("%s: the policy %s is bound by %+v", folder, name, bindings[0].Spec)
		}
		if names[name] {
			t.Errorf("%s: the name %s is the other's, too", folder, name)
		}
		names[name] = true
	}
}

// TestCIMayDoWhatTheWorkflowDoes reads the commands of the staging workflow and the
// Roles that are shipped for it.
func TestCIMayDoWhatTheWorkflowDoes(t *testing.T) {
	t.Parallel()
	r, err := build(filesys.MakeFsOnDisk(), filepath.Join("argocd", "settings", "ci"))
	if err != nil {
		t.Fatal(err)
	}
	var rights []string
	for _, role := range all[*rbacv1.Role](r) {
		for _, rule := range role.Rules {
			for _, res := range rule.Resources {
				for _, verb := range rule.Verbs {
					rights = append(rights, strings.TrimSpace(role.Namespace+" "+verb+" "+res+" "+strings.Join(rule.ResourceNames, ",")))
				}
			}
		}
	}
	slices.Sort(rights)
	want := []string{
		"argocd get applications nova-staging", "argocd patch applications nova-staging",
		"nova get configmaps nova-release", "nova get pods", "nova get pods/log", "nova list pods",
	}
	if diff := cmp.Diff(want, rights); diff != "" {
		t.Errorf("rights (-want +got):\n%s", diff)
	}
	for _, b := range all[*rbacv1.RoleBinding](r) {
		if len(b.Subjects) != 1 || b.Subjects[0].Kind != "Group" || b.Subjects[0].Name != "nova-staging-ci" {
			t.Errorf("%s binds %v", b.Namespace, b.Subjects)
		}
	}
	workflow, err := os.ReadFile(filepath.Join("..", ".github", "workflows", "staging-deploy.yml"))
	if err != nil {
		t.Fatal(err)
	}
	// Each kubectl command on the cluster's objects is one of these rights.
	asked := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^ *[^#\n]*?kubectl --namespace "\$NAMESPACE" (get pods|logs|get configmap nova-release)?`).FindAllStringSubmatch(string(workflow), -1) {
		if m[1] == "" {
			t.Errorf("the workflow asks for something else: %s", m[0])
		}
		asked[m[1]] = true
	}
	if len(asked) != 3 {
		t.Errorf("the workflow asks for %v, want all three", asked)
	}
	for file, statuses := range validate(t, map[string][]byte{"settings": settings(t).yaml, "ci": r.yaml}) {
		if found := failures(statuses); len(found) > 0 {
			t.Errorf("%s: %s", file, strings.Join(found, "; "))
		}
	}
}
