package manifests_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/proerror77/nova-staging/internal/release"
	"github.com/proerror77/nova-staging/smoke/access"
	"github.com/proerror77/nova-staging/smoke/config"
	"github.com/proerror77/nova-staging/smoke/verdict"
)

func staging(t *testing.T) *rendered {
	t.Helper()
	return render(t, filepath.Join("nova", "overlays", "staging"))
}

// with renders staging with components listed in its kustomization.
func with(t *testing.T, components ...string) *rendered {
	t.Helper()
	fsys := filesys.MakeFsInMemory()
	err := filepath.Walk("nova", func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if path == filepath.Join("nova", "overlays", "staging", "kustomization.yaml") {
			data = append(data, "\ncomponents:\n"...)
			for _, c := range components {
				data = append(data, ("- ../../components/" + c + "\n")...)
			}
		}
		return fsys.WriteFile(path, data)
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := build(fsys, filepath.Join("nova", "overlays", "staging"))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// smokeConfig reads the config as the Job's volume gives it.
func smokeConfig(t *testing.T, r *rendered) *config.Config {
	t.Helper()
	var found *corev1.ConfigMap
	for _, cm := range all[*corev1.ConfigMap](r) {
		if strings.HasPrefix(cm.Name, "smoke-config") {
			found = cm
		}
	}
	if found == nil {
		t.Fatal("there is no ConfigMap smoke-config")
	}
	if got := one[*batchv1.Job](t, r).Spec.Template.Spec.Volumes[0].ConfigMap.Name; got != found.Name {
		t.Errorf("the Job mounts ConfigMap %s, want %s", got, found.Name)
	}
	dir := t.TempDir()
	for name, text := range found.Data {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	conf, err := config.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return conf
}

func TestSmokeLooksAtEveryServiceWhereItIs(t *testing.T) {
	t.Parallel()
	conf := smokeConfig(t, staging(t))
	want := map[string]string{}
	for _, s := range services {
		want[s.name] = fmt.Sprintf("%d %s /metrics", s.port, s.health)
	}
	got := map[string]string{}
	for _, s := range conf.Services {
		got[s.Name] = fmt.Sprintf("%s %s %s", s.Port, s.Healthy(), s.Measured())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	if got := conf.Release.Name(); got != "nova-release" {
		t.Errorf("the release ConfigMap is %q", got)
	}
	if conf.RedisSentinel != nil || conf.Kafka != nil {
		t.Error("data stores are looked at without their components")
	}
}

func TestTheHookCanNeitherHangNorVanish(t *testing.T) {
	t.Parallel()
	r := staging(t)
	job := one[*batchv1.Job](t, r)
	for name, want := range map[string]string{
		"argocd.argoproj.io/hook": "PostSync", "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation",
	} {
		if got := job.Annotations[name]; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	s := job.Spec
	if s.BackoffLimit == nil || *s.BackoffLimit != 0 || s.TTLSecondsAfterFinished != nil || s.Template.Spec.RestartPolicy != corev1.RestartPolicyNever {
		t.Errorf("backoffLimit %v, ttlSecondsAfterFinished %v, restartPolicy %s", s.BackoffLimit, s.TTLSecondsAfterFinished, s.Template.Spec.RestartPolicy)
	}
	conf := smokeConfig(t, r)
	if s.ActiveDeadlineSeconds == nil {
		t.Fatal("activeDeadlineSeconds is missing")
	}
	if limit := time.Duration(*s.ActiveDeadlineSeconds) * time.Second; limit < conf.Deadline.Std()+time.Minute {
		t.Errorf("activeDeadlineSeconds is %s, the config's deadline %s: want a minute between them to schedule and pull", limit, conf.Deadline)
	}
	found := false
	for _, e := range s.Template.Spec.Containers[0].Env {
		if e.Name == "SMOKE_RELEASE" && e.ValueFrom != nil && e.ValueFrom.FieldRef != nil {
			found = e.ValueFrom.FieldRef.FieldPath == "metadata.annotations['"+release.Annotation+"']"
		}
	}
	if !found {
		t.Errorf("SMOKE_RELEASE does not come from the annotation %s", release.Annotation)
	}
}

func TestSmokesMemoryLimitIsAboveGosOwn(t *testing.T) {
	t.Parallel()
	wantLimitAboveGosOwn(t, one[*batchv1.Job](t, staging(t)).Spec.Template.Spec.Containers[0])
}

// TestADrainedNodeDoesNotFailTheSync wants the first rule to let the Job run again:
// the first that matches decides, and a smoke that is told to stop ends with a code of
// its own.
func TestADrainedNodeDoesNotFailTheSync(t *testing.T) {
	t.Parallel()
	want := batchv1.PodFailurePolicyRule{
		Action: batchv1.PodFailurePolicyActionIgnore,
		OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{
			{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue},
		},
	}
	rules := one[*batchv1.Job](t, staging(t)).Spec.PodFailurePolicy.Rules
	if diff := cmp.Diff(want, rules[0]); diff != "" {
		t.Errorf("the first rule (-want +got):\n%s", diff)
	}
	for _, rule := range rules[1:] {
		if rule.Action != batchv1.PodFailurePolicyActionFailJob || rule.OnExitCodes == nil || len(rule.OnPodConditions) > 0 {
			t.Errorf("rule %+v: want FailJob for an exit code after the first", rule)
		}
	}
}

// TestExitCodesAreTheSameEverywhere holds the Job, --help and the README to the
// table in smoke/verdict.
func TestExitCodesAreTheSameEverywhere(t *testing.T) {
	t.Parallel()
	job := one[*batchv1.Job](t, staging(t))
	var want, got []int32
	for _, c := range verdict.Classes() {
		if c.Code != 0 {
			want = append(want, int32(c.Code))
		}
	}
	for _, rule := range job.Spec.PodFailurePolicy.Rules {
		if rule.OnExitCodes == nil {
			continue // TestADrainedNodeDoesNotFailTheSync
		}
		if rule.Action != batchv1.PodFailurePolicyActionFailJob || rule.OnExitCodes.Operator != batchv1.PodFailurePolicyOnExitCodesOpIn ||
			len(rule.OnExitCodes.Values) != 1 || *rule.OnExitCodes.ContainerName != job.Spec.Template.Spec.Containers[0].Name {
			t.Errorf("rule %+v: want FailJob for one code of the container", rule.OnExitCodes)
		}
		got = append(got, rule.OnExitCodes.Values...)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("podFailurePolicy (-want +got):\n%s", diff)
	}
	if n := len(job.Spec.PodFailurePolicy.Rules); n > 20 {
		t.Errorf("%d rules, the API server takes 20", n)
	}
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range verdict.Classes() {
		if row := fmt.Sprintf("| %d | `%s` | %s |", c.Code, c.Class, c.Meaning); !strings.Contains(string(readme), row) {
			t.Errorf("README.md lacks the row\n%s", row)
		}
		if row := fmt.Sprintf("%3d  %-14s  %s\n", c.Code, c.Class, c.Meaning); !strings.Contains(verdict.Help(), row) {
			t.Errorf("--help lacks the row %q", row)
		}
	}
}

// TestTheRoleIsWhatSmokeAsksFor compares the Role with the rights that smoke
// asks the API server about before it begins: not one less, not one more.
func TestTheRoleIsWhatSmokeAsksFor(t *testing.T) {
	t.Parallel()
	r := staging(t)
	role := named[*rbacv1.Role](r)["smoke"]
	if role == nil {
		t.Fatal("there is no Role smoke")
	}
	var got, want []string
	for _, rule := range role.Rules {
		for _, g := range rule.APIGroups {
			for _, res := range rule.Resources {
				for _, v := range rule.Verbs {
					got = append(got, strings.Join([]string{v, g, res, strings.Join(rule.ResourceNames, ",")}, " "))
				}
			}
		}
	}
	need := access.Need{Workloads: true, Routes: true, ConfigMap: "nova-release", Events: true}
	for _, right := range need.Rights() {
		want = append(want, strings.Join([]string{right.Verb, right.Group, right.Resource, right.Name}, " "))
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rights (-want +got):\n%s", diff)
	}
	binding := named[*rbacv1.RoleBinding](r)["smoke"]
	if binding == nil || binding.RoleRef.Name != "smoke" || len(binding.Subjects) != 1 || binding.Subjects[0].Name != "smoke" || binding.Subjects[0].Namespace != "nova" {
		t.Errorf("the binding is %+v", binding)
	}
	if account := one[*batchv1.Job](t, r).Spec.Template.Spec.ServiceAccountName; account != "smoke" {
		t.Errorf("the Job runs as %q", account)
	}
}

func TestComponentsFitAndSwitchTheirSectionsOn(t *testing.T) {
	t.Parallel()
	sets := [][]string{{"redis-sentinel"}, {"kafka"}, {"redis-sentinel", "kafka"}}
	renders, files := map[string]*rendered{}, map[string][]byte{}
	for _, components := range sets {
		name := strings.Join(components, "+")
		renders[name] = with(t, components...)
		files[name] = renders[name].yaml
	}
	statuses := validate(t, files) // in one go: it costs seconds each time
	for _, components := range sets {
		name := strings.Join(components, "+")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := renders[name]
			conf := smokeConfig(t, r)
			if len(conf.Services) != len(services) {
				t.Errorf("%d services are left", len(conf.Services))
			}
			if got, want := conf.RedisSentinel != nil, slices.Contains(components, "redis-sentinel"); got != want {
				t.Errorf("redisSentinel is on: %t, want %t", got, want)
			}
			if got, want := conf.Kafka != nil, slices.Contains(components, "kafka"); got != want {
				t.Errorf("kafka is on: %t, want %t", got, want)
			}
			defaults, need := one[*corev1.LimitRange](t, r), corev1.ResourceList{}
			for _, d := range all[*appsv1.Deployment](r) {
				add(need, charge(d.Spec.Template.Spec, defaults), peak(d))
			}
			stateful := named[*appsv1.StatefulSet](r)
			for _, s := range stateful {
				add(need, charge(s.Spec.Template.Spec, defaults), int64(*s.Spec.Replicas))
			}
			add(need, jobPod, jobPods)
			hard := one[*corev1.ResourceQuota](t, r).Spec.Hard
			for name, want := range need {
				if got := hard[name]; got.Cmp(want) < 0 || (len(components) == 2 && got.Cmp(want) != 0) {
					t.Errorf("the quota's %s is %s, needed is %s", name, &got, &want)
				}
			}
			for _, p := range pods(r) {
				if found := restricted(p.template.Spec); len(found) > 0 {
					t.Errorf("%s: %s", p.owner, strings.Join(found, "; "))
				}
			}
			for _, o := range r.objects {
				if o.typed.GetLabels()[partOfLabel] != "nova" {
					t.Errorf("%s has no label %s", o, partOfLabel)
				}
			}
			if k := conf.Kafka; k != nil && (int(*stateful["kafka"].Spec.Replicas) != k.MinBrokers || len(k.Brokers) != k.MinBrokers) {
				t.Errorf("%d brokers run, smoke wants %d", *stateful["kafka"].Spec.Replicas, k.MinBrokers)
			}
			if s := conf.RedisSentinel; s != nil && (int(*stateful["redis-sentinel"].Spec.Replicas) != s.Sentinels || int(*stateful["redis"].Spec.Replicas) != s.WantReplicas()+1) {
				t.Errorf("smoke wants %d sentinels and %d replicas", s.Sentinels, s.WantReplicas())
			}
			if found := failures(statuses[name]); len(found) > 0 {
				t.Errorf("the schemas refuse it: %s", strings.Join(found, "; "))
			}
		})
	}
}
