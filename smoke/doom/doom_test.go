package doom_test

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/proerror77/nova-staging/smoke/cluster"
	"github.com/proerror77/nova-staging/smoke/doom"
)

// view is a Deployment with one Pod of one container.
func view(c corev1.ContainerStatus) cluster.View {
	yes := true
	owner := func(name string) []metav1.OwnerReference {
		return []metav1.OwnerReference{{Kind: "ReplicaSet", Name: name, UID: "uid-rs", Controller: &yes}}
	}
	c.Name = "app"
	return cluster.View{
		Deployment:  &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "auth", UID: "uid-auth"}},
		ReplicaSets: []*appsv1.ReplicaSet{{ObjectMeta: metav1.ObjectMeta{Name: "auth-1", UID: "uid-rs"}}},
		Pods: []*corev1.Pod{{
			ObjectMeta: metav1.ObjectMeta{Name: "auth-1-x", UID: "uid-pod", OwnerReferences: owner("auth-1")},
			Status:     corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{c}},
		}},
	}
}

func TestCrashesOverTime(t *testing.T) {
	t.Parallel()
	ended := &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error"}
	running := func(restarts int32) corev1.ContainerStatus {
		c := corev1.ContainerStatus{RestartCount: restarts, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
		if restarts > 0 {
			c.LastTerminationState.Terminated = ended
		}
		return c
	}
	crashed := func(restarts int32) corev1.ContainerStatus {
		return corev1.ContainerStatus{RestartCount: restarts, State: corev1.ContainerState{Terminated: ended}}
	}
	backOff := func(restarts int32) corev1.ContainerStatus {
		c := corev1.ContainerStatus{RestartCount: restarts, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}}
		c.LastTerminationState.Terminated = ended
		return c
	}
	ready := running(1)
	ready.Ready = true
	tests := []struct {
		name   string
		steps  []corev1.ContainerStatus // 10 s apart, 15 s are the limit
		doomed string                   // the reason at the last step
	}{
		{"it restarted long ago and is not ready now", []corev1.ContainerStatus{running(1), running(1), running(1), running(1)}, ""},
		{"it crashed once and takes its time to start", []corev1.ContainerStatus{crashed(0), running(1), running(1), running(1)}, ""},
		{"it crashed once and is well again", []corev1.ContainerStatus{crashed(0), running(1), ready}, ""},
		{"it crashes again and again, and runs for a while each time", []corev1.ContainerStatus{crashed(0), running(1), running(1), crashed(1)}, "Error"},
		{"it is in a crash loop", []corev1.ContainerStatus{running(1), backOff(1), running(2), backOff(2)}, "CrashLoopBackOff"},
		{"it restarted long ago and crashes now", []corev1.ContainerStatus{running(1), running(1), running(1), crashed(1)}, ""},
		{"two crashes with good times between them", []corev1.ContainerStatus{crashed(0), ready, crashed(1)}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tracker := doom.NewTracker(doom.Limits{Start: 15 * time.Second, Schedule: time.Minute})
			got := ""
			for i, step := range tt.steps {
				if got != "" {
					t.Fatalf("doomed before step %d: %s", i, got)
				}
				if s := tracker.Observe(view(step), time.Unix(int64(10*i), 0)); s != nil {
					got = s.Reason
				}
			}
			if got != tt.doomed {
				t.Errorf("doomed %q, want %q", got, tt.doomed)
			}
		})
	}
}
