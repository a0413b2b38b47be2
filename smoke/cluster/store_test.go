package cluster

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// A watch that lags behind tells of what was before the list; taken in, it would
// make a Pod that restarted look as it did when it was asked.
func TestEventsFromBeforeTheList(t *testing.T) {
	t.Parallel()
	pod := func(name string, version string, restarts int32) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid-" + name), ResourceVersion: version},
			Status:     corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{RestartCount: restarts}}},
		}
	}
	list := func(version string) *corev1.PodList {
		return &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: version}, Items: []corev1.Pod{*pod("a", "95", 2), *pod("b", "50", 0)}}
	}
	type event struct {
		pod  *corev1.Pod
		gone bool
	}
	tests := []struct {
		name, version string
		event         event
		want          string
	}{
		{"an old state of a Pod", "100", event{pod: pod("a", "94", 1)}, "a:2 b:0 "},
		{"a Pod that was gone by then", "100", event{pod: pod("c", "99", 0)}, "a:2 b:0 "},
		{"a Pod that was deleted and came again", "100", event{pod: pod("b", "49", 0), gone: true}, "a:2 b:0 "},
		{"a state since then", "100", event{pod: pod("a", "101", 3)}, "a:3 b:0 "},
		{"a Pod that is deleted since then", "100", event{pod: pod("b", "101", 0), gone: true}, "a:2 "},
		{"versions that are no numbers", "x", event{pod: pod("a", "y", 3)}, "a:3 b:0 "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newState([]string{Pods})
			if err := s.replace(Pods, list(tt.version)); err != nil {
				t.Fatal(err)
			}
			s.apply(Pods, tt.event.pod, tt.event.gone)
			got := ""
			for _, p := range s.Pods(func(*corev1.Pod) bool { return true }) {
				got += fmt.Sprintf("%s:%d ", p.Name, p.Status.ContainerStatuses[0].RestartCount)
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
