package rollout

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/proerror77/nova-staging/smoke/verdict"
)

// Ready judges whether every current Pod is ready, and every container in it.
func Ready(p Pods) verdict.Finding {
	if len(p.Current) == 0 {
		return verdict.Fail("", "at least one Pod of the present template", "there is none")
	}
	var findings []verdict.Finding
	for _, pod := range p.Current {
		if why := notReady(pod); why != "" {
			findings = append(findings, verdict.Fail("pod/"+pod.Name, "Ready", why))
		}
	}
	if len(findings) == 0 {
		return verdict.Pass(fmt.Sprintf("%d of %d Pods ready", len(p.Current), len(p.Current)))
	}
	worst := findings[0]
	for _, f := range findings[1:] {
		worst.Details = append(worst.Details, f.Target+": "+f.Seen)
	}
	return worst
}

// notReady says why a Pod is not ready, empty when it is.
func notReady(pod *corev1.Pod) string {
	for _, c := range pod.Status.ContainerStatuses {
		if !c.Ready {
			return "container " + c.Name + " is not ready: " + StateOf(c)
		}
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			if c.Status == corev1.ConditionTrue {
				return ""
			}
			return fmt.Sprintf("condition Ready is %s (%s %s)", c.Status, c.Reason, c.Message)
		}
	}
	return fmt.Sprintf("no condition Ready, phase %s", pod.Status.Phase)
}

// StateOf says in a few words what a container is doing.
func StateOf(c corev1.ContainerStatus) string {
	restarts := ""
	if c.RestartCount > 0 {
		restarts = fmt.Sprintf(", %d restarts", c.RestartCount)
	}
	switch s := c.State; {
	case s.Waiting != nil:
		return "waiting, " + s.Waiting.Reason + restarts
	case s.Terminated != nil:
		return fmt.Sprintf("terminated with exit code %d, %s%s", s.Terminated.ExitCode, s.Terminated.Reason, restarts)
	case s.Running != nil:
		return "running" + restarts
	}
	return "not started" + restarts
}

// Describe gives one line for each Pod that stands in the way.
func Describe(p Pods) []string {
	var lines []string
	for _, pod := range p.Current {
		if why := notReady(pod); why != "" {
			lines = append(lines, "pod/"+pod.Name+": "+why)
		}
	}
	for _, pod := range p.Old {
		lines = append(lines, "pod/"+pod.Name+": of an older ReplicaSet")
	}
	for _, pod := range p.Terminating {
		lines = append(lines, "pod/"+pod.Name+": terminating since "+pod.DeletionTimestamp.UTC().Format("15:04:05Z"))
	}
	if len(lines) > 8 {
		lines = append(lines[:8], fmt.Sprintf("… and %d more", len(lines)-8))
	}
	return lines
}

// Marks identify the processes that run in the Pods: a Pod that was replaced or
// whose container restarted has another mark. Sidecars, which answers may pass
// through, are init containers.
func Marks(p Pods) map[string]string {
	marks := map[string]string{}
	for _, pod := range p.Current {
		mark := ""
		for _, c := range append(slices.Clone(pod.Status.ContainerStatuses), pod.Status.InitContainerStatuses...) {
			mark += fmt.Sprintf("%s=%d/%s/%s ", c.Name, c.RestartCount, c.ContainerID, c.ImageID)
		}
		marks["pod/"+pod.Name] = string(pod.UID) + " " + mark
	}
	return marks
}
