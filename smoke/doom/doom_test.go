package doom_test

import (
	"strings"
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

func TestSignsOverTime(t *testing.T) {
	t.Parallel()
	waiting := func(reason string) func(*cluster.View) {
		return func(v *cluster.View) {
			v.Pods[0].Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}
		}
	}
	progress := func(reason string) func(*cluster.View) {
		return func(v *cluster.View) {
			v.Deployment.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: reason}}
		}
	}
	tests := []struct {
		name   string
		change func(*cluster.View)
		after  int // seconds until it is doomed; 0 means never
		reason string
		hint   string
	}{
		{"nothing", func(*cluster.View) {}, 0, "", ""},
		{"a container that is being made", waiting("ContainerCreating"), 0, "", ""},
		{"a name that is none", waiting("InvalidImageName"), 1, "InvalidImageName", "check name and digest"},
		{"an image that can not be pulled", waiting("ErrImagePull"), 16, "ErrImagePull", "check name and digest"},
		{"a Secret that is missing", waiting("CreateContainerConfigError"), 16, "CreateContainerConfigError", "a Secret"},
		{"a quota that is used up", func(v *cluster.View) {
			v.ReplicaSets[0].Status.Conditions = []appsv1.ReplicaSetCondition{{Type: appsv1.ReplicaSetReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate"}}
		}, 16, "FailedCreate", "check quota"},
		{"no node with room", func(v *cluster.View) {
			v.Pods[0].Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable}}
		}, 61, "Unschedulable", "no node"},
		{"a gate that keeps it from being scheduled", func(v *cluster.View) {
			v.Pods[0].Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "SchedulingGated"}}
		}, 0, "", ""},
		{"a rollout that the controller gave up", progress("ProgressDeadlineExceeded"), 1, "ProgressDeadlineExceeded", "describe"},
		{"a rollout that was given up for another generation", func(v *cluster.View) {
			progress("ProgressDeadlineExceeded")(v)
			v.Deployment.Generation = 2
		}, 0, "", ""},
		{"an init container that has done its work", func(v *cluster.View) {
			v.Pods[0].Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "init", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}}}
		}, 0, "", ""},
		{"an old Pod whose image can not be pulled", func(v *cluster.View) {
			waiting("ErrImagePull")(v)
			v.Pods[0].OwnerReferences[0].UID = "uid-old"
		}, 0, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := view(corev1.ContainerStatus{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}})
			tt.change(&v)
			tracker := doom.NewTracker(doom.Limits{Start: 15 * time.Second, Schedule: time.Minute})
			for second := 1; second <= 120; second++ {
				s := tracker.Observe(v, time.Unix(int64(second), 0))
				if s == nil {
					continue
				}
				if second != tt.after || s.Reason != tt.reason || !strings.Contains(s.Hint(), tt.hint) {
					t.Errorf("doomed after %d s: %s (%s), want %q after %d s", second, s, s.Hint(), tt.reason, tt.after)
				}
				return
			}
			if tt.after != 0 {
				t.Errorf("never doomed, want %s after %d s", tt.reason, tt.after)
			}
		})
	}
}
