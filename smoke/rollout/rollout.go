// Package rollout judges whether a Deployment's present template is what runs,
// all of it and nothing else, by owner UIDs rather than by labels or names.
package rollout

import (
	"cmp"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/proerror77/nova-staging/smoke/cluster"
	"github.com/proerror77/nova-staging/smoke/verdict"
)

// RevisionAnnotation is what the Deployment controller numbers templates with.
const RevisionAnnotation = "deployment.kubernetes.io/revision"

// Pods are a Deployment's Pods, told apart by what they are to its rollout.
type Pods struct {
	// ReplicaSet of the Deployment's present template; nil before it exists.
	ReplicaSet *appsv1.ReplicaSet
	// Current belong to ReplicaSet, are not terminating and not finished.
	Current []*corev1.Pod
	// Old belong to another ReplicaSet of the Deployment and are not terminating.
	Old []*corev1.Pod
	// Terminating are being deleted, whichever ReplicaSet they belong to.
	Terminating []*corev1.Pod
}

// Sort tells the Pods of a view apart. Pods that have finished (evicted, for
// one) answer nothing and are in none of the groups.
func Sort(v cluster.View) Pods {
	var p Pods
	if v.Deployment == nil {
		return p
	}
	p.ReplicaSet = current(v)
	for _, pod := range v.Pods {
		ref := metav1.GetControllerOfNoCopy(pod)
		switch {
		case pod.DeletionTimestamp != nil:
			p.Terminating = append(p.Terminating, pod)
		case pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded:
		case p.ReplicaSet != nil && ref != nil && ref.UID == p.ReplicaSet.UID:
			p.Current = append(p.Current, pod)
		default:
			p.Old = append(p.Old, pod)
		}
	}
	return p
}

// current finds the ReplicaSet as the Deployment controller does: by an equal
// template, the oldest one if several are equal. The revision is asked only
// where no template is equal, for a server may have defaulted the two apart.
func current(v cluster.View) *appsv1.ReplicaSet {
	sets := slices.Clone(v.ReplicaSets)
	slices.SortStableFunc(sets, func(a, b *appsv1.ReplicaSet) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	for _, rs := range sets {
		if equalTemplate(&rs.Spec.Template, &v.Deployment.Spec.Template) {
			return rs
		}
	}
	revision := v.Deployment.Annotations[RevisionAnnotation]
	if revision == "" || v.Deployment.Status.ObservedGeneration < v.Deployment.Generation {
		return nil
	}
	for _, rs := range sets {
		if rs.Annotations[RevisionAnnotation] == revision {
			return rs
		}
	}
	return nil
}

func equalTemplate(a, b *corev1.PodTemplateSpec) bool {
	x, y := a.DeepCopy(), b.DeepCopy()
	delete(x.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	delete(y.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	return apiequality.Semantic.DeepEqual(x, y)
}

// Judge says whether the rollout is complete.
func Judge(name string, v cluster.View) verdict.Finding {
	d := v.Deployment
	target := "deployment/" + name
	if d == nil {
		f := verdict.Fail(target, "a Deployment named "+name, "there is none")
		f.Hint = "compare services[].deployment in the config with the manifests"
		return f
	}
	want := int32(1)
	if d.Spec.Replicas != nil {
		want = *d.Spec.Replicas
	}
	p := Sort(v)
	for _, step := range []struct {
		bad            bool
		expected, seen string
	}{
		{d.DeletionTimestamp != nil, "a Deployment that stays", "it is being deleted"},
		{want == 0, "at least 1 replica", "it is scaled to 0: nothing runs that could prove anything"},
		{d.Spec.Paused, "a rollout that goes on", "the Deployment is paused"},
		{
			d.Status.ObservedGeneration < d.Generation, fmt.Sprintf("generation %d observed", d.Generation),
			fmt.Sprintf("the controller has seen generation %d", d.Status.ObservedGeneration),
		},
		{p.ReplicaSet == nil, "a ReplicaSet of the present template", fmt.Sprintf("none of the %d ReplicaSets has it", len(v.ReplicaSets))},
		{
			d.Status.UpdatedReplicas != want, fmt.Sprintf("%d updated replicas", want),
			fmt.Sprintf("%d updated", d.Status.UpdatedReplicas),
		},
		{
			len(p.Old) > 0 || d.Status.Replicas > d.Status.UpdatedReplicas, "no Pods of an older ReplicaSet",
			fmt.Sprintf("%d left%s", max(int32(len(p.Old)), d.Status.Replicas-d.Status.UpdatedReplicas), names(p.Old)),
		},
		{
			len(p.Terminating) > 0 || deref(d.Status.TerminatingReplicas) > 0, "no terminating Pods",
			fmt.Sprintf("%d still terminating%s", max(int32(len(p.Terminating)), deref(d.Status.TerminatingReplicas)), names(p.Terminating)),
		},
		{
			len(p.Current) != int(want), fmt.Sprintf("%d Pods of ReplicaSet %s", want, rsName(p.ReplicaSet)),
			fmt.Sprintf("%d Pods", len(p.Current)),
		},
		{
			d.Status.AvailableReplicas != want || d.Status.UnavailableReplicas != 0, fmt.Sprintf("%d available replicas", want),
			fmt.Sprintf("%d available, %d unavailable", d.Status.AvailableReplicas, d.Status.UnavailableReplicas),
		},
	} {
		if step.bad {
			f := verdict.Fail(target, step.expected, step.seen)
			f.Details = Describe(p)
			return f
		}
	}
	return verdict.Pass(fmt.Sprintf("%d of %d Pods belong to ReplicaSet %s, none old, none terminating", want, want, p.ReplicaSet.Name))
}

func deref(n *int32) int32 {
	if n == nil {
		return 0
	}
	return *n
}

func rsName(rs *appsv1.ReplicaSet) string {
	if rs == nil {
		return "(none)"
	}
	return rs.Name
}

// names lists up to three Pods.
func names(pods []*corev1.Pod) string {
	out := ""
	for i, p := range pods {
		switch {
		case i == 3:
			return out + ", …"
		case i == 0:
			out = ": " + p.Name
		default:
			out += ", " + p.Name
		}
	}
	return out
}
