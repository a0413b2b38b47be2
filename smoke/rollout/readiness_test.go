package rollout_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/proerror77/nova-staging/smoke/rollout"
)

func TestMarksTellProcessesApart(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*corev1.Pod)
		same   bool
	}{
		{"nothing", func(*corev1.Pod) {}, true},
		{"its labels", func(p *corev1.Pod) { p.Labels = map[string]string{"a": "b"} }, true},
		{"the Pod", func(p *corev1.Pod) { p.UID = "uid-2" }, false},
		{"a restart", func(p *corev1.Pod) { p.Status.ContainerStatuses[0].RestartCount++ }, false},
		{"another container", func(p *corev1.Pod) { p.Status.ContainerStatuses[0].ContainerID = "containerd://2" }, false},
		{"another image", func(p *corev1.Pod) { p.Status.ContainerStatuses[0].ImageID = "app@sha256:2" }, false},
		{"a restart of a sidecar", func(p *corev1.Pod) { p.Status.InitContainerStatuses[0].RestartCount++ }, false},
		{"another image in a sidecar", func(p *corev1.Pod) { p.Status.InitContainerStatuses[0].ImageID = "proxy@sha256:2" }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			pod := &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Name: "auth-1", UID: "uid-1"},
				Status: corev1.PodStatus{
					ContainerStatuses:     []corev1.ContainerStatus{{Name: "app", ImageID: "app@sha256:1", ContainerID: "containerd://1"}},
					InitContainerStatuses: []corev1.ContainerStatus{{Name: "proxy", ImageID: "proxy@sha256:1", ContainerID: "containerd://p"}},
				},
			}
			before := rollout.Marks(rollout.Pods{Current: []*corev1.Pod{pod.DeepCopy()}})["pod/auth-1"]
			tt.change(pod)
			if after := rollout.Marks(rollout.Pods{Current: []*corev1.Pod{pod}})["pod/auth-1"]; (before == after) != tt.same {
				t.Errorf("before %s\nafter  %s", before, after)
			}
		})
	}
}
