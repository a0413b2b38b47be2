package manifests_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// monitor is a PodMonitor or ServiceMonitor, strictly.
type monitor struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		NamespaceSelector struct {
			MatchNames []string `json:"matchNames"`
		} `json:"namespaceSelector"`
		Selector            metav1.LabelSelector `json:"selector"`
		PodMetricsEndpoints []monitorEndpoint    `json:"podMetricsEndpoints"`
		Endpoints           []monitorEndpoint    `json:"endpoints"`
	} `json:"spec"`
}

type monitorEndpoint struct {
	Port        string `json:"port"`
	Path        string `json:"path"`
	Interval    string `json:"interval"`
	HonorLabels bool   `json:"honorLabels"`
	Relabelings []struct {
		SourceLabels []string `json:"sourceLabels"`
		TargetLabel  string   `json:"targetLabel"`
	} `json:"relabelings"`
}

func TestTheOperatorsObjectsSelectWhatIsThere(t *testing.T) {
	t.Parallel()
	resMap, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join("observability", "operator"))
	if err != nil {
		t.Fatal(err)
	}
	monitors := map[string]monitor{}
	var groups ruleGroups
	for _, res := range resMap.Resources() {
		data, err := res.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		if res.GetApiVersion() != "monitoring.coreos.com/v1" || res.GetNamespace() != "monitoring" {
			t.Errorf("%s: %s in %s", res.GetName(), res.GetApiVersion(), res.GetNamespace())
		}
		if res.GetKind() == "PrometheusRule" {
			var rule struct {
				metav1.TypeMeta   `json:",inline"`
				metav1.ObjectMeta `json:"metadata"`
				Spec              ruleGroups `json:"spec"`
			}
			if err := yaml.UnmarshalStrict(data, &rule); err != nil {
				t.Fatal(err)
			}
			if len(rule.Spec.Groups) != 1 || rule.Spec.Groups[0].Name != rule.Name {
				t.Errorf("PrometheusRule %s has groups %+v, want one of its name", rule.Name, rule.Spec.Groups)
			}
			groups.Groups = append(groups.Groups, rule.Spec.Groups...)
			continue
		}
		var m monitor
		if err := yaml.UnmarshalStrict(data, &m); err != nil {
			t.Fatalf("%s: %v", res.GetName(), err)
		}
		monitors[m.Name] = m
	}
	if diff := cmp.Diff(alertRules(t), groups); diff != "" {
		t.Errorf("operator/prometheusrule.yaml is not rules/nova-staging.yaml (-rules +operator):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"argocd-application-controller", "argocd-repo-server", "nova-services", "nova-trigger"}, slices.Sorted(maps.Keys(monitors))); diff != "" {
		t.Fatalf("monitors (-want +got):\n%s", diff)
	}
	argoCD := installed(t)
	for name, workload := range map[string]string{"argocd-application-controller": "StatefulSet argocd-application-controller", "argocd-repo-server": "Deployment argocd-repo-server"} {
		m := monitors[name]
		if len(m.Spec.Endpoints) != 1 || !slices.Equal(m.Spec.NamespaceSelector.MatchNames, []string{"argocd"}) {
			t.Errorf("%s selects %+v", name, m.Spec)
			continue
		}
		if err := scrapes(argoCD, m, workload); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !monitors["argocd-application-controller"].Spec.Endpoints[0].HonorLabels {
		t.Error("the Application's namespace is lost")
	}
	services := monitors["nova-services"].Spec
	selector, err := metav1.LabelSelectorAsSelector(&services.Selector)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	r := render(t, filepath.Join("nova", "overlays", "staging"))
	for _, d := range all[*appsv1.Deployment](r) {
		if !selector.Matches(labels.Set(d.Spec.Template.Labels)) || !slices.Contains(services.NamespaceSelector.MatchNames, d.Namespace) {
			t.Errorf("%s is not scraped", d.Name)
			continue
		}
		n++
		for _, e := range services.PodMetricsEndpoints {
			if !slices.ContainsFunc(d.Spec.Template.Spec.Containers[0].Ports, func(p corev1.ContainerPort) bool { return p.Name == e.Port }) {
				t.Errorf("%s has no port %s", d.Name, e.Port)
			}
			if e.Path != d.Spec.Template.Annotations["prometheus.io/path"] {
				t.Errorf("%s: %s", d.Name, e.Path)
			}
		}
	}
	if n != 8 {
		t.Errorf("%d services are scraped", n)
	}
}

// scrapes goes the operator's way from a ServiceMonitor to the Pods of a workload:
// one Service by its labels, its port by name, the Pods that it selects, and a network
// policy that lets Prometheus through.
func scrapes(r *rendered, m monitor, workload string) error {
	selector, err := metav1.LabelSelectorAsSelector(&m.Spec.Selector)
	if err != nil {
		return err
	}
	found := slices.DeleteFunc(all[*corev1.Service](r), func(s *corev1.Service) bool { return !selector.Matches(labels.Set(s.Labels)) })
	if len(found) != 1 {
		return fmt.Errorf("%s selects %d Services, want 1", selector, len(found))
	}
	ports := found[0].Spec.Ports
	i := slices.IndexFunc(ports, func(p corev1.ServicePort) bool { return p.Name == m.Spec.Endpoints[0].Port })
	if i < 0 {
		return fmt.Errorf("service %s has the ports %v, none is %s", found[0].Name, ports, m.Spec.Endpoints[0].Port)
	}
	var owners []string
	for _, p := range pods(r) {
		if !labels.SelectorFromSet(found[0].Spec.Selector).Matches(labels.Set(p.template.Labels)) {
			continue
		}
		owners = append(owners, p.owner)
		prometheus := endpoint{namespace: "monitoring", labels: labels.Set{nameLabel: "prometheus"}}
		pod := endpoint{namespace: "argocd", labels: p.template.Labels}
		if ok, err := connects(all[*networkingv1.NetworkPolicy](r), "argocd", prometheus, pod, corev1.ProtocolTCP, ports[i].TargetPort.IntVal); !ok || err != nil {
			return fmt.Errorf("prometheus is not let through to %s, port %s (%v)", p.owner, &ports[i].TargetPort, err)
		}
	}
	if !slices.Equal(owners, []string{workload}) {
		return fmt.Errorf("service %s selects the Pods of %v, want %s", found[0].Name, owners, workload)
	}
	return nil
}
