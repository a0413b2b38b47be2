package manifests_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/labels"
)

func triggers(t *testing.T) *rendered {
	t.Helper()
	return render(t, filepath.Join("argocd", "trigger"))
}

func TestTriggersBudgetLetsNodesDrainAndKeepsOneThatActs(t *testing.T) {
	t.Parallel()
	r := triggers(t)
	replicas := int(*one[*appsv1.Deployment](t, r).Spec.Replicas)
	b := one[*policyv1.PodDisruptionBudget](t, r).Spec
	stay, err := mustStay(b, replicas)
	if err != nil {
		t.Fatal(err)
	}
	if stay < 1 || stay >= replicas {
		t.Errorf("%d of %d replicas must stay: want one that acts, and one that can be drained", stay, replicas)
	}
	if p := b.UnhealthyPodEvictionPolicy; p == nil || *p != policyv1.AlwaysAllow {
		t.Error("replicas that are not Ready could block a drain")
	}
	for _, p := range pods(r) {
		if ok, err := selects(b.Selector, p.template.Labels); err != nil || !ok {
			t.Errorf("the budget does not select %s (%v)", p.owner, err)
		}
	}
}

func TestTriggersMemoryLimitIsAboveGosOwn(t *testing.T) {
	t.Parallel()
	wantLimitAboveGosOwn(t, one[*appsv1.Deployment](t, triggers(t)).Spec.Template.Spec.Containers[0])
}

// wantLimitAboveGosOwn wants room for what Go's limit does not count: the collector
// works harder before the kernel ends the process.
func wantLimitAboveGosOwn(t *testing.T, c corev1.Container) {
	t.Helper()
	i := slices.IndexFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == "GOMEMLIMIT" })
	if i < 0 {
		t.Fatal("GOMEMLIMIT is not set")
	}
	own, err := resource.ParseQuantity(strings.TrimSuffix(c.Env[i].Value, "B"))
	if err != nil {
		t.Fatalf("GOMEMLIMIT is %s: %v", c.Env[i].Value, err)
	}
	limit, request := c.Resources.Limits.Memory(), c.Resources.Requests.Memory()
	if limit.Value() < own.Value()*4/3 {
		t.Errorf("the limit is %s, GOMEMLIMIT %s: want a third as much again", limit, &own)
	}
	if request.IsZero() || own.Cmp(*request) < 0 {
		t.Errorf("the request is %s, GOMEMLIMIT %s: want what it asks for to be of use to it", request, &own)
	}
}

func TestTriggersPodMeetsTheRestrictedStandard(t *testing.T) {
	t.Parallel()
	for _, p := range pods(triggers(t)) {
		for _, found := range restricted(p.template.Spec) {
			t.Errorf("%s: %s", p.owner, found)
		}
	}
}

func TestTriggerTalksToWhatItNeedsAndNothingElse(t *testing.T) {
	t.Parallel()
	const namespace = "argocd"
	r := triggers(t)
	trigger := endpoint{namespace: namespace, labels: one[*appsv1.Deployment](t, r).Spec.Template.Labels}
	in := func(ns, name string) endpoint { return endpoint{namespace: ns, labels: labels.Set{nameLabel: name}} }
	at := func(address string) endpoint { return endpoint{address: address} }
	dns := endpoint{namespace: "kube-system", labels: labels.Set{"k8s-app": "kube-dns"}}
	tests := []connection{
		{"SQS, ECR and STS on the internet", trigger, at("52.119.1.2"), corev1.ProtocolTCP, 443, true},
		{"SQS, ECR and STS at VPC endpoints", trigger, at("10.0.3.4"), corev1.ProtocolTCP, 443, true},
		{"the API server", trigger, at("10.0.0.10"), corev1.ProtocolTCP, 6443, true},
		{"EKS Pod Identity", trigger, at("169.254.170.23"), corev1.ProtocolTCP, 80, true},
		{"EKS Pod Identity over IPv6", trigger, at("fd00:ec2::23"), corev1.ProtocolTCP, 80, true},
		{"DNS", trigger, dns, corev1.ProtocolUDP, 53, true},
		{"DNS over TCP", trigger, dns, corev1.ProtocolTCP, 53, true},
		{"DNS at the node's cache", trigger, at("169.254.20.10"), corev1.ProtocolUDP, 53, true},
		{"the other replica's board", trigger, trigger, corev1.ProtocolTCP, 8080, true},
		{"the node's credentials", trigger, at("169.254.169.254"), corev1.ProtocolTCP, 80, false},
		{"the credentials of another agent on the node", trigger, at("169.254.170.2"), corev1.ProtocolTCP, 80, false},
		{"the node's credentials over IPv6", trigger, at("fd00:ec2::254"), corev1.ProtocolTCP, 80, false},
		{"plain HTTP", trigger, at("203.0.113.7"), corev1.ProtocolTCP, 80, false},
		{"SSH", trigger, at("203.0.113.7"), corev1.ProtocolTCP, 22, false},
		{"the repo-server", trigger, in(namespace, "argocd-repo-server"), corev1.ProtocolTCP, 8081, false},
		{"Redis", trigger, in(namespace, "argocd-redis"), corev1.ProtocolTCP, 6379, false},
		{"a service of Nova", trigger, in("nova", "auth-service"), corev1.ProtocolTCP, 8084, false},
		{"another Pod with trigger's name elsewhere", trigger, in("default", trigger.labels[nameLabel]), corev1.ProtocolTCP, 8080, false},
		{"Prometheus scrapes it", in("monitoring", "prometheus"), trigger, corev1.ProtocolTCP, 8080, true},
		{"another port of it", in("monitoring", "prometheus"), trigger, corev1.ProtocolTCP, 6060, false},
		{"others in Argo CD's namespace are not confined", in(namespace, "argocd-server"), at("203.0.113.7"), corev1.ProtocolTCP, 587, true},
	}
	letThrough(t, all[*networkingv1.NetworkPolicy](r), namespace, tests)
}
