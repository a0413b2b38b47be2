// Package doom tells Pods that will not start by themselves from Pods that are
// only slow, so that nobody waits for what can not come.
package doom

import (
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/proerror77/nova-staging/smoke/cluster"
	"github.com/proerror77/nova-staging/smoke/rollout"
)

// Sign is a condition that keeps a rollout from ever completing.
type Sign struct {
	// Pod's name; empty where the Deployment or ReplicaSet itself is stuck.
	Pod string
	// Container's name; empty where it is the Pod as a whole.
	Container string
	// Reason in Kubernetes' own word, for example ImagePullBackOff.
	Reason string
	// Message in Kubernetes' own words.
	Message string
	// Previous says that the log of the container's last run tells more than
	// that of the present one.
	Previous bool
	// kind groups reasons that alternate, ErrImagePull and ImagePullBackOff for
	// one: the time is counted for the group.
	kind kind
	// between says that the container runs after a crash. It may well come up:
	// that keeps the count going, yet neither begins nor ends it.
	between bool
}

type kind string

const (
	now     kind = "now"
	pull    kind = "pull"
	create  kind = "create"
	crash   kind = "crash"
	noNode  kind = "unschedulable"
	noQuota kind = "quota"
)

var reasons = map[string]kind{
	"InvalidImageName":           now,
	"ErrImageNeverPull":          now,
	"ErrImagePull":               pull,
	"ImagePullBackOff":           pull,
	"ImageInspectError":          pull,
	"RegistryUnavailable":        pull,
	"SignatureValidationFailed":  pull,
	"CreateContainerConfigError": create,
	"CreateContainerError":       create,
	"RunContainerError":          create,
	"PreStartHookError":          create,
	"PostStartHookError":         create,
	"CrashLoopBackOff":           crash,
}

// Limits are how long a sign must hold.
type Limits struct {
	// Start is for pulling, creating and crashing, and for quota.
	Start time.Duration
	// Schedule is for finding a node.
	Schedule time.Duration
}

// Tracker remembers since when each sign holds. It is not safe for use by
// several goroutines.
type Tracker struct {
	limits Limits
	since  map[string]time.Time
}

// NewTracker makes a tracker that has seen nothing yet.
func NewTracker(limits Limits) *Tracker {
	return &Tracker{limits: limits, since: map[string]time.Time{}}
}

// Observe takes a view in and gives the first sign that has held long enough,
// nil when there is none.
func (t *Tracker) Observe(v cluster.View, at time.Time) *Sign {
	p := rollout.Sort(v)
	signs := Signs(v.Deployment, p)
	held := map[string]time.Time{}
	var doomed *Sign
	for i := range signs {
		s := &signs[i]
		key := string(s.kind) + "/" + s.Pod + "/" + s.Container
		first, known := t.since[key]
		switch {
		case !known && s.between:
			continue
		case !known:
			first = at
		}
		held[key] = first
		if doomed == nil && !s.between && at.Sub(first) >= t.limit(s.kind) {
			doomed = s
		}
	}
	t.since = held
	return doomed
}

func (t *Tracker) limit(k kind) time.Duration {
	switch k {
	case now:
		return 0
	case noNode:
		return t.limits.Schedule
	default:
		return t.limits.Start
	}
}

// Signs lists what speaks against the rollout right now, whether it holds or not.
func Signs(d *appsv1.Deployment, p rollout.Pods) []Sign {
	var signs []Sign
	for _, pod := range p.Current {
		signs = append(signs, podSigns(pod)...)
	}
	if p.ReplicaSet != nil {
		for _, c := range p.ReplicaSet.Status.Conditions {
			if c.Type == appsv1.ReplicaSetReplicaFailure && c.Status == corev1.ConditionTrue {
				signs = append(signs, Sign{Reason: c.Reason, Message: c.Message, kind: noQuota})
			}
		}
	}
	if d == nil || d.Status.ObservedGeneration < d.Generation {
		return signs
	}
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse && c.Reason == "ProgressDeadlineExceeded" {
			signs = append(signs, Sign{Reason: c.Reason, Message: c.Message, kind: now})
		}
	}
	return signs
}

func podSigns(pod *corev1.Pod) []Sign {
	var signs []Sign
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			signs = append(signs, Sign{Pod: pod.Name, Reason: c.Reason, Message: c.Message, kind: noNode})
		}
	}
	for _, c := range pod.Status.InitContainerStatuses {
		if s := containerSign(pod.Name, c, true); s != nil {
			signs = append(signs, *s)
		}
	}
	for _, c := range pod.Status.ContainerStatuses {
		if s := containerSign(pod.Name, c, false); s != nil {
			signs = append(signs, *s)
		}
	}
	return signs
}

func containerSign(pod string, c corev1.ContainerStatus, init bool) *Sign {
	s := &Sign{Pod: pod, Container: c.Name}
	if init && c.State.Terminated != nil && c.State.Terminated.ExitCode == 0 {
		return nil
	}
	if w := c.State.Waiting; w != nil {
		if k, known := reasons[w.Reason]; known {
			s.Reason, s.Message, s.kind = w.Reason, w.Message, k
			if k == crash {
				s.Previous = true
				s.Message = strings.TrimSpace(w.Message + "; " + lastEnd(c))
			}
			return s
		}
	}
	// Between two crashes a container runs for a moment or has just ended.
	if end := c.State.Terminated; end != nil && (end.ExitCode != 0 || !init) {
		s.Reason, s.kind = endReason(end), crash
		s.Message = fmt.Sprintf("exit code %d, %d restarts", end.ExitCode, c.RestartCount)
		return s
	}
	if c.RestartCount > 0 && !c.Ready && c.LastTerminationState.Terminated != nil && c.State.Terminated == nil {
		s.Reason, s.kind, s.Previous, s.between = "Restarting", crash, true, true
		s.Message = fmt.Sprintf("%s; %d restarts", lastEnd(c), c.RestartCount)
		return s
	}
	return nil
}

func endReason(t *corev1.ContainerStateTerminated) string {
	if t.Reason != "" {
		return t.Reason
	}
	return "Terminated"
}

func lastEnd(c corev1.ContainerStatus) string {
	t := c.LastTerminationState.Terminated
	if t == nil {
		return fmt.Sprintf("%d restarts", c.RestartCount)
	}
	s := fmt.Sprintf("last run ended with exit code %d (%s)", t.ExitCode, endReason(t))
	if t.Message != "" {
		s += ": " + t.Message
	}
	return s
}

// String is "pod/name container x: Reason: message".
func (s Sign) String() string {
	out := s.Reason
	if s.Message != "" {
		out += ": " + s.Message
	}
	switch {
	case s.Container != "":
		return "pod/" + s.Pod + " container " + s.Container + ": " + out
	case s.Pod != "":
		return "pod/" + s.Pod + ": " + out
	}
	return out
}

// Hint says what usually helps.
func (s Sign) Hint() string {
	switch {
	case s.kind == pull || s.Reason == "InvalidImageName" || s.Reason == "ErrImageNeverPull":
		return "the node can not get the image: check name and digest, the node's ECR rights and the registry"
	case s.Reason == "CreateContainerConfigError":
		return "a Secret, ConfigMap or key that the container refers to is missing in the namespace"
	case s.kind == create:
		return "the runtime can not start the container: check command, mounts and security context"
	case s.kind == crash:
		return "the program ends by itself: read its last log lines"
	case s.kind == noNode:
		return "no node has room or matches: check requests, node selectors and taints"
	case s.kind == noQuota:
		return "the API server refuses the Pods: check quota, limit ranges and admission policies"
	}
	return "kubectl describe the Deployment and its Pods"
}
