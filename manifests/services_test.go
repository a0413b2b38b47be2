package manifests_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// service is what one service listens on.
type service struct {
	name   string
	port   int32
	health string
}

var services = []service{
	{"auth-service", 8084, "/health"},
	{"user-service", 8080, "/api/v1/health"},
	{"content-service", 8081, "/api/v1/health"},
	{"media-service", 8082, "/health"},
	{"messaging-service", 3000, "/health"},
	{"feed-service", 8000, "/health"},
	{"streaming-service", 8083, "/health"},
	{"search-service", 8086, "/health"},
}

func serviceNames() []string {
	var names []string
	for _, s := range services {
		names = append(names, s.name)
	}
	slices.Sort(names)
	return names
}

const (
	nameLabel      = "app.kubernetes.io/name"
	componentLabel = "app.kubernetes.io/component"
	partOfLabel    = "app.kubernetes.io/part-of"
)

func TestEveryOverlayHasTheEightServicesAndWhatBelongsToThem(t *testing.T) {
	t.Parallel()
	eachOverlay(t, func(t *testing.T, _ overlay, r *rendered) {
		for kind, got := range map[string][]string{
			"Deployment":          slices.Sorted(maps.Keys(named[*appsv1.Deployment](r))),
			"Service":             slices.Sorted(maps.Keys(named[*corev1.Service](r))),
			"Ingress":             slices.Sorted(maps.Keys(named[*networkingv1.Ingress](r))),
			"PodDisruptionBudget": slices.Sorted(maps.Keys(named[*policyv1.PodDisruptionBudget](r))),
		} {
			if diff := cmp.Diff(serviceNames(), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", kind, diff)
			}
		}
		accounts := named[*corev1.ServiceAccount](r)
		for _, name := range serviceNames() {
			if accounts[name] == nil {
				t.Errorf("ServiceAccount %s is missing", name)
			}
		}
	})
}

func TestNoObjectIsRenderedTwice(t *testing.T) {
	t.Parallel()
	eachOverlay(t, func(t *testing.T, _ overlay, r *rendered) {
		seen := map[string]bool{}
		for _, o := range r.objects {
			id := o.typed.GetObjectKind().GroupVersionKind().GroupKind().String() + " " + o.typed.GetNamespace() + "/" + o.typed.GetName()
			if seen[id] {
				t.Errorf("%s is there twice", id)
			}
			seen[id] = true
		}
	})
}

func TestEveryObjectIsInTheOverlaysNamespace(t *testing.T) {
	t.Parallel()
	eachOverlay(t, func(t *testing.T, o overlay, r *rendered) {
		for _, obj := range r.objects {
			if ns, ok := obj.typed.(*corev1.Namespace); ok {
				if ns.Name != o.namespace {
					t.Errorf("the Namespace is %s, want %s", ns.Name, o.namespace)
				}
				continue
			}
			if got := obj.typed.GetNamespace(); got != o.namespace {
				t.Errorf("%s is in namespace %q, want %q", obj, got, o.namespace)
			}
		}
	})
}

func TestTheNamespaceEnforcesRestrictedPodsAndSurvivesPruning(t *testing.T) {
	t.Parallel()
	eachOverlay(t, func(t *testing.T, _ overlay, r *rendered) {
		ns := one[*corev1.Namespace](t, r)
		for _, mode := range []string{"enforce", "warn", "audit"} {
			if got := ns.Labels["pod-security.kubernetes.io/"+mode]; got != "restricted" {
				t.Errorf("%s is %q, want restricted", mode, got)
			}
		}
		if got := ns.Annotations["argocd.argoproj.io/sync-wave"]; got != "-1" {
			t.Errorf("sync-wave is %q, want -1: the labels come before the first Pod", got)
		}
		options := strings.Split(ns.Annotations["argocd.argoproj.io/sync-options"], ",")
		for _, want := range []string{"Prune=false", "Delete=false"} {
			if !slices.Contains(options, want) {
				t.Errorf("sync-options are %q, want %s among them", options, want)
			}
		}
	})
}

func TestLabelsSayWhatAnObjectBelongsTo(t *testing.T) {
	t.Parallel()
	eachOverlay(t, func(t *testing.T, _ overlay, r *rendered) {
		for _, o := range r.objects {
			if got := o.typed.GetLabels()[partOfLabel]; got != "nova" {
				t.Errorf("%s: %s is %q, want nova", o, partOfLabel, got)
			}
			if slices.Contains(serviceNames(), o.typed.GetName()) {
				wantServiceLabels(t, o.String(), o.typed.GetName(), o.typed.GetLabels())
			}
		}
		for name, d := range named[*appsv1.Deployment](r) {
			wantServiceLabels(t, "the Pods of "+name, name, d.Spec.Template.Labels)
			// A selector can never be changed: it holds the name and nothing else.
			want := map[string]string{nameLabel: name}
			if diff := cmp.Diff(want, d.Spec.Selector.MatchLabels); diff != "" {
				t.Errorf("selector of %s (-want +got):\n%s", name, diff)
			}
		}
	})
}

func wantServiceLabels(t *testing.T, what, name string, got map[string]string) {
	t.Helper()
	want := map[string]string{nameLabel: name, componentLabel: "backend", partOfLabel: "nova"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("labels of %s (-want +got):\n%s", what, diff)
	}
}

func TestEachServiceIsProbedScrapedAndReachedOnItsPort(t *testing.T) {
	t.Parallel()
	eachOverlay(t, func(t *testing.T, _ overlay, r *rendered) {
		deployments, svcs := named[*appsv1.Deployment](r), named[*corev1.Service](r)
		for _, s := range services {
			t.Run(s.name, func(t *testing.T) {
				d, svc := deployments[s.name], svcs[s.name]
				if d == nil || svc == nil {
					t.Fatal("the Deployment or the Service is missing")
				}
				c := d.Spec.Template.Spec.Containers[0]
				if len(c.Ports) != 1 || c.Ports[0].Name != "http" || c.Ports[0].ContainerPort != s.port {
					t.Errorf("container ports are %+v, want http %d alone", c.Ports, s.port)
				}
				for what, p := range map[string]*corev1.Probe{
					"startup": c.StartupProbe, "liveness": c.LivenessProbe, "readiness": c.ReadinessProbe,
				} {
					switch {
					case p == nil || p.HTTPGet == nil:
						t.Errorf("there is no HTTP %s probe", what)
					case p.HTTPGet.Path != s.health || containerPort(c, p.HTTPGet.Port) != s.port:
						t.Errorf("the %s probe asks %s on port %s, want %s on %d", what, p.HTTPGet.Path, p.HTTPGet.Port.String(), s.health, s.port)
					}
				}
				want := map[string]string{
					"prometheus.io/scrape": "true",
					"prometheus.io/port":   strconv.Itoa(int(s.port)),
					"prometheus.io/path":   "/metrics",
				}
				if diff := cmp.Diff(want, d.Spec.Template.Annotations); diff != "" {
					t.Errorf("Pod annotations (-want +got):\n%s", diff)
				}
				if svc.Spec.Type != corev1.ServiceTypeClusterIP {
					t.Errorf("the Service's type is %s, want ClusterIP", svc.Spec.Type)
				}
				if len(svc.Spec.Ports) != 1 || svc.Spec.Ports[0].Name != "http" || svc.Spec.Ports[0].Port != s.port {
					t.Fatalf("Service ports are %+v, want http %d alone", svc.Spec.Ports, s.port)
				}
				if got := containerPort(c, svc.Spec.Ports[0].TargetPort); got != s.port {
					t.Errorf("targetPort %s resolves to container port %d, want %d", svc.Spec.Ports[0].TargetPort.String(), got, s.port)
				}
			})
		}
	})
}

// containerPort resolves a port as the kubelet does, 0 when nothing listens.
func containerPort(c corev1.Container, port intstr.IntOrString) int32 {
	for _, p := range c.Ports {
		if p.Name == port.StrVal && port.Type == intstr.String || p.ContainerPort == port.IntVal && port.Type == intstr.Int {
			return p.ContainerPort
		}
	}
	return 0
}

func TestEachServiceRollsOutWithoutLosingRequests(t *testing.T) {
	t.Parallel()
	eachOverlay(t, func(t *testing.T, o overlay, r *rendered) {
		accounts := named[*corev1.ServiceAccount](r)
		for name, d := range named[*appsv1.Deployment](r) {
			t.Run(name, func(t *testing.T) {
				if d.Spec.Replicas == nil || *d.Spec.Replicas != o.replicas {
					t.Errorf("replicas are not %d", o.replicas)
				}
				rolling := d.Spec.Strategy.RollingUpdate
				if rolling == nil || rolling.MaxUnavailable.IntValue() != 0 || rolling.MaxSurge.IntValue() != 1 {
					t.Errorf("strategy is %+v, want maxUnavailable 0 and maxSurge 1", d.Spec.Strategy)
				}
				spec := d.Spec.Template.Spec
				c := spec.Containers[0]
				if c.ImagePullPolicy != corev1.PullAlways {
					t.Errorf("imagePullPolicy is %q, want Always", c.ImagePullPolicy)
				}
				want := []corev1.EnvVar{{Name: "APP_ENV", Value: o.appEnv}, {Name: "LOG_LEVEL", Value: o.logLevel}}
				if diff := cmp.Diff(want, c.Env); diff != "" {
					t.Errorf("env (-want +got):\n%s", diff)
				}
				if c.Lifecycle == nil || c.Lifecycle.PreStop == nil || c.Lifecycle.PreStop.Sleep == nil {
					t.Fatal("preStop does not sleep: endpoints still send requests to a Pod that stops at once")
				}
				if grace := spec.TerminationGracePeriodSeconds; grace == nil || *grace < c.Lifecycle.PreStop.Sleep.Seconds+30 {
					t.Error("less than 30 s of the grace period are left after preStop")
				}
				if a := accounts[spec.ServiceAccountName]; spec.ServiceAccountName != name || a == nil ||
					a.AutomountServiceAccountToken == nil || *a.AutomountServiceAccountToken ||
					spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken {
					t.Errorf("serviceAccountName is %q, want its own account, with no token mounted", spec.ServiceAccountName)
				}
			})
		}
	})
}

// TestSelectorsMatchExactlyTheirPods covers everything that selects Pods by
// label for one service: one Pod template too many, the smoke Job's say, would
// put it behind the Service.
func TestSelectorsMatchExactlyTheirPods(t *testing.T) {
	t.Parallel()
	eachOverlay(t, func(t *testing.T, _ overlay, r *rendered) {
		want := func(what, service string, selector labels.Selector, err error) {
			t.Helper()
			if err != nil {
				t.Errorf("selector of %s: %v", what, err)
				return
			}
			var got []string
			for _, p := range pods(r) {
				if selector.Matches(labels.Set(p.template.Labels)) {
					got = append(got, p.owner)
				}
			}
			if diff := cmp.Diff([]string{"Deployment " + service}, got); diff != "" {
				t.Errorf("Pods selected by %s (-want +got):\n%s", what, diff)
			}
		}
		for name, s := range named[*corev1.Service](r) {
			want("Service "+name, name, labels.SelectorFromSet(s.Spec.Selector), nil)
		}
		for name, b := range named[*policyv1.PodDisruptionBudget](r) {
			selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
			want("PodDisruptionBudget "+name, name, selector, err)
		}
		for name, d := range named[*appsv1.Deployment](r) {
			selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
			want("Deployment "+name, name, selector, err)
			var keys []string
			for _, c := range d.Spec.Template.Spec.TopologySpreadConstraints {
				keys = append(keys, c.TopologyKey)
				what := fmt.Sprintf("the spreading of %s over %s", name, c.TopologyKey)
				selector, err := spreadSelector(c, d.Spec.Template.Labels)
				want(what, name, selector, err)
				if !slices.Contains(c.MatchLabelKeys, appsv1.DefaultDeploymentUniqueLabelKey) {
					t.Errorf("%s counts the Pods of the ReplicaSet that is about to go", what)
				}
			}
			if diff := cmp.Diff([]string{corev1.LabelTopologyZone, corev1.LabelHostname}, keys); diff != "" {
				t.Errorf("topology keys of %s (-want +got):\n%s", name, diff)
			}
		}
	})
}

// spreadSelector is the selector that the scheduler uses: the constraint's, and
// for each of matchLabelKeys the Pod's own value.
func spreadSelector(c corev1.TopologySpreadConstraint, podLabels map[string]string) (labels.Selector, error) {
	s := c.LabelSelector.DeepCopy()
	for _, key := range c.MatchLabelKeys {
		if value, ok := podLabels[key]; ok { // the scheduler, too, leaves out a key that the Pod lacks
			metav1.AddLabelToSelector(s, key, value)
		}
	}
	return metav1.LabelSelectorAsSelector(s)
}

func TestDisruptionBudgetsLetNodesDrainAndKeepTheServiceUp(t *testing.T) {
	t.Parallel()
	eachOverlay(t, func(t *testing.T, o overlay, r *rendered) {
		for name, b := range named[*policyv1.PodDisruptionBudget](r) {
			available, err := mustStay(b.Spec, int(o.replicas))
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if available >= int(o.replicas) {
				t.Errorf("%s: %d of %d replicas must stay: a node could never be drained", name, available, o.replicas)
			}
			if available < 1 && o.replicas > 1 {
				t.Errorf("%s: all %d replicas may go at once", name, o.replicas)
			}
			if p := b.Spec.UnhealthyPodEvictionPolicy; p == nil || *p != policyv1.AlwaysAllow {
				t.Errorf("%s: a Pod that is not Ready could block a drain", name)
			}
		}
	})
}

// mustStay is how many of replicas Pods the budget keeps, rounded as the
// disruption controller does.
func mustStay(b policyv1.PodDisruptionBudgetSpec, replicas int) (int, error) {
	switch {
	case b.MinAvailable != nil && b.MaxUnavailable == nil:
		return intstr.GetScaledValueFromIntOrPercent(b.MinAvailable, replicas, true)
	case b.MaxUnavailable != nil && b.MinAvailable == nil:
		may, err := intstr.GetScaledValueFromIntOrPercent(b.MaxUnavailable, replicas, true)
		return max(replicas-may, 0), err
	}
	return 0, fmt.Errorf("want exactly one of minAvailable and maxUnavailable")
}

func TestEachServiceIsPublishedUnderItsOwnHostWithoutItsMetrics(t *testing.T) {
	t.Parallel()
	eachOverlay(t, func(t *testing.T, o overlay, r *rendered) {
		svcs := named[*corev1.Service](r)
		for name, ing := range named[*networkingv1.Ingress](r) {
			host := strings.TrimSuffix(name, "-service") + "." + o.domain
			if ing.Spec.IngressClassName == nil || *ing.Spec.IngressClassName == "" {
				t.Errorf("%s: no class, so no controller may feel responsible", name)
			}
			if len(ing.Spec.Rules) != 1 || ing.Spec.Rules[0].Host != host {
				t.Fatalf("%s: rules are %+v, want host %s alone", name, ing.Spec.Rules, host)
			}
			if len(ing.Spec.TLS) != 1 || !slices.Equal(ing.Spec.TLS[0].Hosts, []string{host}) || ing.Spec.TLS[0].SecretName == "" {
				t.Errorf("%s: tls is %+v, want %s with a Secret", name, ing.Spec.TLS, host)
			}
			for _, p := range ing.Spec.Rules[0].HTTP.Paths {
				if strings.HasPrefix("/metrics/", strings.TrimSuffix(p.Path, "/")+"/") {
					t.Errorf("%s: path %s publishes /metrics", name, p.Path)
				}
				backend := p.Backend.Service
				if backend == nil || backend.Name != name || svcs[name] == nil ||
					!slices.ContainsFunc(svcs[name].Spec.Ports, func(sp corev1.ServicePort) bool { return sp.Name == backend.Port.Name }) {
					t.Errorf("%s: path %s leads to %+v, want a port of Service %s", name, p.Path, p.Backend, name)
				}
			}
		}
	})
}

// TestValuesAreWrittenAsTheAPIServerGivesThemBack guards against an Application
// that is OutOfSync for ever: Argo CD compares 1000m in git with "1" in the
// cluster.
func TestValuesAreWrittenAsTheAPIServerGivesThemBack(t *testing.T) {
	t.Parallel()
	eachOverlay(t, func(t *testing.T, _ overlay, r *rendered) {
		for _, o := range r.objects {
			back, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o.typed)
			if err != nil {
				t.Fatalf("%s: %v", o, err)
			}
			wantWithin(t, o.String(), o.raw, back)
		}
	})
}

// wantWithin reports values of want that got does not have; got may have more.
func wantWithin(t *testing.T, path string, want, got any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		g, _ := got.(map[string]any)
		for k, v := range want {
			wantWithin(t, path+"."+k, v, g[k])
		}
	case []any:
		g, _ := got.([]any)
		if len(g) != len(want) {
			t.Errorf("%s has %d items, comes back with %d", path, len(want), len(g))
			return
		}
		for i, v := range want {
			wantWithin(t, fmt.Sprintf("%s[%d]", path, i), v, g[i])
		}
	default:
		if fmt.Sprint(want) != fmt.Sprint(got) {
			t.Errorf("%s is written %v, comes back as %v", path, want, got)
		}
	}
}
