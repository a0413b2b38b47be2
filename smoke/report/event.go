package report

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/proerror77/nova-staging/smoke/verdict"
)

// Self is the Pod that smoke runs in.
type Self struct {
	Pod string
	UID string
}

// maxEvents bounds what one run writes.
const maxEvents = 9

// Reasons of the Events, by verdict.
var eventReasons = map[verdict.Verdict]string{
	verdict.Passed:       "SmokePassed",
	verdict.Failed:       "SmokeFailed",
	verdict.Inconclusive: "SmokeInconclusive",
}

// Events makes one Event for the run, on smoke's own Pod or else on the
// Namespace, and one for each service in trouble, on its
// Deployment, where people look first.
func Events(r *Report, self Self, at time.Time) []*corev1.Event {
	run := corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: r.Namespace, Name: self.Pod, UID: types.UID(self.UID)}
	if self.Pod == "" {
		run = corev1.ObjectReference{APIVersion: "v1", Kind: "Namespace", Namespace: r.Namespace, Name: r.Namespace}
	}
	events := []*corev1.Event{event(r, run, r.Verdict, short(r, MaxEvent), at, 0)}
	seen := map[string]bool{}
	for _, res := range r.Troubles() {
		if res.Service == "" || seen[res.Service] || res.Looks == 0 || len(events) == maxEvents {
			continue
		}
		seen[res.Service] = true
		d, known := r.Deployments[res.Service]
		if !known {
			continue // nothing that people could look at
		}
		// With the UID, by which kubectl describe and Argo CD find Events.
		ref := corev1.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: r.Namespace, Name: d.Name, UID: types.UID(d.UID)}
		events = append(events, event(r, ref, res.Verdict, cut(brief(res), MaxEvent), at, len(events)))
	}
	return events
}

func event(r *Report, ref corev1.ObjectReference, v verdict.Verdict, message string, at time.Time, n int) *corev1.Event {
	kind := corev1.EventTypeWarning
	if v == verdict.Passed {
		kind = corev1.EventTypeNormal
	}
	stamp := metav1.NewTime(at)
	return &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: r.Namespace,
			Name:      fmt.Sprintf("smoke.%x.%d", at.UnixNano(), n),
		},
		InvolvedObject: ref, Reason: eventReasons[v], Message: message, Type: kind,
		Source:         corev1.EventSource{Component: "nova-smoke"},
		FirstTimestamp: stamp, LastTimestamp: stamp, Count: 1,
	}
}
