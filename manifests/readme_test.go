package manifests_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// quotaColumns are the columns of the README's table.
var quotaColumns = []corev1.ResourceName{
	corev1.ResourcePods, corev1.ResourceRequestsCPU, corev1.ResourceRequestsMemory, corev1.ResourceLimitsCPU, corev1.ResourceLimitsMemory,
}

func TestTheREADMEsTablesAreThoseOfTheRender(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("nova", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	want := func(row string) {
		t.Helper()
		if !strings.Contains(string(data), "\n"+row+"\n") {
			t.Errorf("the README lacks this row:\n%s", row)
		}
	}
	staging := named[*appsv1.Deployment](render(t, filepath.Join("nova", "overlays", "staging")))
	for _, s := range services {
		r := staging[s.name].Spec.Template.Spec.Containers[0].Resources
		want(fmt.Sprintf("| %s | %d | `%s` | %s | %s | %s | %s |", s.name, s.port, s.health,
			r.Requests.Cpu(), r.Requests.Memory(), r.Limits.Cpu(), r.Limits.Memory()))
	}
	for _, o := range overlays {
		r := render(t, o.dir())
		sum := corev1.ResourceList{}
		for _, d := range all[*appsv1.Deployment](r) {
			add(sum, charge(d.Spec.Template.Spec, one[*corev1.LimitRange](t, r)), int64(*d.Spec.Replicas))
		}
		want(quotaRow(o.name+", services", sum))
		want(quotaRow(o.name+", quota", one[*corev1.ResourceQuota](t, r).Spec.Hard))
	}
}

func quotaRow(what string, amounts corev1.ResourceList) string {
	row := "| " + what + " |"
	for _, name := range quotaColumns {
		q := amounts[name]
		row += " " + q.String() + " |"
	}
	return row
}

// TestACopiedFolderIsAWholeService does what the README tells a newcomer to do
// in the base, and looks at the ninth service that comes out.
func TestACopiedFolderIsAWholeService(t *testing.T) {
	t.Parallel()
	fsys := filesys.MakeFsInMemory()
	base := filepath.Join("nova", "base")
	write := func(file, content string) {
		t.Helper()
		if err := fsys.WriteFile(file, []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	newcomer := strings.NewReplacer("auth", "billing", "8084", "8090")
	err := filepath.Walk(base, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		content := string(data)
		if path == filepath.Join(base, "kustomization.yaml") {
			content = strings.Replace(content, "- auth-service\n", "- auth-service\n- billing-service\n", 1)
		}
		write(path, content)
		if filepath.Base(filepath.Dir(path)) == "auth-service" {
			write(newcomer.Replace(path), newcomer.Replace(content))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := build(fsys, base)
	if err != nil {
		t.Fatal(err)
	}

	d, old := named[*appsv1.Deployment](r)["billing-service"], named[*appsv1.Deployment](r)["auth-service"]
	if d == nil || old == nil {
		t.Fatal("the copy, or the original, is not in the render")
	}
	wantServiceLabels(t, "the copy", "billing-service", d.Spec.Template.Labels)
	if found := restricted(d.Spec.Template.Spec); len(found) > 0 {
		t.Errorf("the copy is not restricted: %s", strings.Join(found, "; "))
	}
	if got := containerPort(d.Spec.Template.Spec.Containers[0], named[*corev1.Service](r)["billing-service"].Spec.Ports[0].TargetPort); got != 8090 {
		t.Errorf("the copy's Service leads to port %d, want 8090", got)
	}
	if len(old.Spec.Template.Spec.TopologySpreadConstraints) != len(d.Spec.Template.Spec.TopologySpreadConstraints) {
		t.Error("the copy lacks the spreading of the original")
	}
	for _, o := range r.objects {
		if o.typed.GetName() == "billing-service" && strings.Contains(fmt.Sprint(o.raw), "auth") {
			t.Errorf("%s still speaks of auth", o)
		}
	}
}
