package rollout_test

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/proerror77/nova-staging/internal/apitest"
	"github.com/proerror77/nova-staging/smoke/cluster"
	"github.com/proerror77/nova-staging/smoke/rollout"
	"github.com/proerror77/nova-staging/smoke/verdict"
)

// world is a healthy service with two Pods and an older, empty ReplicaSet.
type world struct {
	*apitest.App
	old *appsv1.ReplicaSet
}

func (w world) view() cluster.View {
	v := cluster.View{Deployment: w.Deployment, Pods: w.Pods}
	for _, rs := range []*appsv1.ReplicaSet{w.old, w.ReplicaSet} {
		if rs != nil {
			v.ReplicaSets = append(v.ReplicaSets, rs)
		}
	}
	return v
}

func newWorld() world {
	a := apitest.NewApp("auth", 2, 8080)
	old := a.ReplicaSet.DeepCopy()
	old.Name, old.UID = "auth-old", "uid-auth-old"
	old.Annotations[rollout.RevisionAnnotation] = "1"
	old.Spec.Template.Spec.Containers[0].Image = "auth:old"
	return world{App: a, old: old}
}

func TestRollouts(t *testing.T) {
	t.Parallel()
	one, two := int32(1), int32(2)
	now := metav1.Now()
	tests := []struct {
		name   string
		change func(w *world)
		seen   string // empty: complete
	}{
		{"it is complete", func(*world) {}, ""},
		{"replicas are not given, which is one", func(w *world) {
			w.Deployment.Spec.Replicas = nil
			w.Pods = w.Pods[:1]
			w.Deployment.Status.Replicas, w.Deployment.Status.UpdatedReplicas, w.Deployment.Status.AvailableReplicas = 1, 1, 1
		}, ""},
		{"an evicted Pod is left beside its successor", func(w *world) {
			p := w.AddPod("auth-7c9f8-evicted", "auth-7c9f8")
			p.Status.Phase, p.Status.Reason = corev1.PodFailed, "Evicted"
		}, ""},
		{"the server defaulted the two templates apart", func(w *world) {
			w.ReplicaSet.Spec.Template.Spec.DNSPolicy = corev1.DNSClusterFirst
		}, ""},
		{"two ReplicaSets have the template: the controller takes the older", func(w *world) {
			twin := w.ReplicaSet.DeepCopy()
			twin.Name, twin.UID, twin.CreationTimestamp = "auth-a-twin", "uid-twin", metav1.NewTime(now.Add(time.Hour))
			w.ReplicaSet.CreationTimestamp = now
			w.ReplicaSet.Annotations[rollout.RevisionAnnotation] = "1" // templates come before revisions
			w.old = twin
		}, ""},
		{"templates differ and the controller has not seen the new one", func(w *world) {
			w.Deployment.Spec.Template.Spec.Containers[0].Image = "auth:new"
			w.Deployment.Generation++
		}, "has seen generation 3"},
		{"templates differ and no ReplicaSet has the revision", func(w *world) {
			w.Deployment.Spec.Template.Spec.Containers[0].Image = "auth:new"
			w.Deployment.Annotations[rollout.RevisionAnnotation] = "7"
		}, "none of the 2 ReplicaSets has it"},
		{"templates differ and the Deployment has no revision", func(w *world) {
			w.Deployment.Spec.Template.Spec.Containers[0].Image = "auth:new"
			delete(w.Deployment.Annotations, rollout.RevisionAnnotation)
			delete(w.ReplicaSet.Annotations, rollout.RevisionAnnotation)
		}, "none of the 2 ReplicaSets has it"},
		{"it is being deleted", func(w *world) { w.Deployment.DeletionTimestamp = &now }, "it is being deleted"},
		{"it is paused", func(w *world) { w.Deployment.Spec.Paused = true }, "paused"},
		{"it has been scaled up and the controller works on it", func(w *world) {
			three := int32(3)
			w.Deployment.Spec.Replicas = &three
		}, "2 updated"},
		{"it has been scaled down and a Pod is still there", func(w *world) {
			w.Deployment.Spec.Replicas = &one
			w.Deployment.Status.Replicas, w.Deployment.Status.UpdatedReplicas, w.Deployment.Status.AvailableReplicas = 1, 1, 1
		}, "2 Pods"},
		{"an old Pod is left", func(w *world) { w.AddPod("auth-old-1", "auth-old") }, "1 left: auth-old-1"},
		{"an old Pod is counted that has not been heard of", func(w *world) { w.Deployment.Status.Replicas = 3 }, "1 left"},
		{"a Pod is terminating", func(w *world) { w.AddPod("auth-7c9f8-t", "auth-7c9f8").DeletionTimestamp = &now }, "1 still terminating: auth-7c9f8-t"},
		{"a terminating Pod is counted that has not been heard of", func(w *world) { w.Deployment.Status.TerminatingReplicas = &two }, "2 still terminating"},
		{"a Pod is missing although the counts are right", func(w *world) { w.Pods = w.Pods[:1] }, "1 Pods"},
		{"a Pod has finished although the counts are right", func(w *world) { w.Pods[0].Status.Phase = corev1.PodSucceeded }, "1 Pods"},
		{"a Pod is not available yet", func(w *world) { w.Deployment.Status.AvailableReplicas = 1 }, "1 available"},
		{"a Pod is unavailable beyond those that are", func(w *world) { w.Deployment.Status.UnavailableReplicas = 1 }, "2 available, 1 unavailable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			tt.change(&w)
			f := rollout.Judge("auth", w.view())
			if want := (tt.seen == ""); (f.Verdict == verdict.Passed) != want || !strings.Contains(f.Seen, tt.seen) {
				t.Errorf("%s: %q, want %q", f.Verdict, f.Seen, tt.seen)
			}
		})
	}
}

// Until the controller has seen a new template its revision is that of the old one.
func TestNoPodIsOfATemplateThatNobodyHasSeen(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.Deployment.Spec.Template.Spec.Containers[0].Image = "auth:new"
	w.Deployment.Generation++
	if p := rollout.Sort(w.view()); p.ReplicaSet != nil || len(p.Current) != 0 || len(p.Old) != 2 {
		t.Errorf("%d current Pods of %v", len(p.Current), p.ReplicaSet)
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*corev1.Pod)
		seen   string // empty: ready
	}{
		{"all is ready", func(*corev1.Pod) {}, ""},
		{"a container is not, though the Pod still says so", func(p *corev1.Pod) { p.Status.ContainerStatuses[0].Ready = false }, "container app is not ready: running"},
		{"a readiness gate is not passed", func(p *corev1.Pod) {
			p.Status.Conditions[0].Status, p.Status.Conditions[0].Reason = corev1.ConditionFalse, "ReadinessGatesNotReady"
		}, "condition Ready is False (ReadinessGatesNotReady"},
		{"its node is not heard of", func(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionUnknown }, "condition Ready is Unknown"},
		{"it says nothing yet", func(p *corev1.Pod) { p.Status.Conditions, p.Status.Phase = nil, corev1.PodPending }, "no condition Ready, phase Pending"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			tt.change(w.Pods[1])
			f := rollout.Ready(rollout.Sort(w.view()))
			if want := (tt.seen == ""); (f.Verdict == verdict.Passed) != want || !strings.Contains(f.Seen, tt.seen) {
				t.Errorf("%s: %q, want %q", f.Verdict, f.Seen, tt.seen)
			}
		})
	}
	if f := rollout.Ready(rollout.Pods{}); f.Verdict != verdict.Failed || f.Seen != "there is none" {
		t.Errorf("no Pods at all: %s %q", f.Verdict, f.Seen)
	}
}
