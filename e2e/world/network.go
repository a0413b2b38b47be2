package world

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Pod is one that runs and is not ending, of those that a selector matches.
func (w *World) Pod(ctx context.Context, namespace, selector string) (*corev1.Pod, error) {
	list, err := w.Kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, err
	}
	for i := range list.Items {
		if p := &list.Items[i]; p.DeletionTimestamp == nil && p.Status.Phase == corev1.PodRunning {
			return p, nil
		}
	}
	return nil, fmt.Errorf("no Pod of %s in %s runs", selector, namespace)
}

// Git is the Pod of the git server, in a namespace without NetworkPolicies, and
// the address of its Service as host:port.
func (w *World) Git(ctx context.Context) (*corev1.Pod, string, error) {
	s, err := w.Kube.CoreV1().Services("lab").Get(ctx, "git", metav1.GetOptions{})
	if err != nil {
		return nil, "", err
	}
	pod, err := w.Pod(ctx, "lab", "app=git")
	return pod, fmt.Sprintf("git.lab.svc:%d", s.Spec.Ports[0].Port), err
}

// Visit makes a Pod that does nothing, in a namespace that is made if it is not
// there, and waits until it runs. It is deleted by [World.Leave].
func (w *World) Visit(ctx context.Context, namespace string, labels map[string]string) (*corev1.Pod, error) {
	_, err := w.Kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return nil, err
	}
	git, _, err := w.Git(ctx) // its image is on the node
	if err != nil {
		return nil, err
	}
	none, now := false, int64(0)
	visitor := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "visitor-", Labels: labels},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken:  &none,
			TerminationGracePeriodSeconds: &now,
			Containers: []corev1.Container{{
				Name: "visitor", Image: git.Spec.Containers[0].Image, ImagePullPolicy: corev1.PullIfNotPresent,
				Command: []string{"sleep", "infinity"},
			}},
		},
	}
	pods := w.Kube.CoreV1().Pods(namespace)
	var pod *corev1.Pod
	// The service account of a new namespace comes a moment later.
	if err := until(ctx, 20*time.Second, "a Pod may be made in "+namespace, func(ctx context.Context) (bool, string) {
		pod, err = pods.Create(ctx, visitor, metav1.CreateOptions{})
		return err == nil, fmt.Sprint(err)
	}); err != nil {
		return nil, err
	}
	return pod, until(ctx, time.Minute, "the visitor runs", func(ctx context.Context) (bool, string) {
		p, err := pods.Get(ctx, pod.Name, metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		*pod = *p
		return p.Status.Phase == corev1.PodRunning, string(p.Status.Phase)
	})
}

// Leave deletes visitors; nil ones are passed over.
func (w *World) Leave(ctx context.Context, visitors ...*corev1.Pod) error {
	var errs []error
	for _, v := range visitors {
		if v != nil {
			errs = append(errs, w.Kube.CoreV1().Pods(v.Namespace).Delete(ctx, v.Name, metav1.DeleteOptions{}))
		}
	}
	return errors.Join(errs...)
}

// Connects waits until a TCP connection from a Pod to host:port succeeds, or until
// it does not: rules come into force a moment after what they are about. A name
// that does not resolve there is an error, not a refusal.
func (w *World) Connects(ctx context.Context, from *corev1.Pod, address string, want bool) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	// What drops packets answers nothing: three seconds are enough on one node.
	const connect = `ip=$(timeout 5 getent ahostsv4 "$0") || { echo "no address of $0"; exit; }
if timeout 3 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "${ip%% *}" "$1" 2>/dev/null; then echo reached; else echo refused; fi`
	answer := map[bool]string{true: "reached", false: "refused"}[want]
	return until(ctx, 20*time.Second, fmt.Sprintf("%s is %s from %s/%s", address, answer, from.Namespace, from.Name), func(ctx context.Context) (bool, string) {
		out, err := w.inNetwork(ctx, from, "bash", "-ec", connect, host, port)
		if err != nil {
			return false, err.Error()
		}
		out = strings.TrimSpace(out)
		return out == answer, out
	})
}

// Answers returns an error unless an HTTP server answers a Pod, whatever it says.
func (w *World) Answers(ctx context.Context, from *corev1.Pod, url string) error {
	_, err := w.inNetwork(ctx, from, "curl", "-sS", "--max-time", "5", "-o", "/dev/null", url)
	return err
}

// inNetwork runs a program of the node in the network of a Pod and with its
// resolv.conf. The Pod's own image may hold no program to ask with: the sidecar's,
// trigger's and Nova's do not.
func (w *World) inNetwork(ctx context.Context, pod *corev1.Pod, program ...string) (string, error) {
	if len(pod.Status.ContainerStatuses) == 0 {
		return "", fmt.Errorf("the Pod %s has no container yet", pod.Name)
	}
	_, id, _ := strings.Cut(pod.Status.ContainerStatuses[0].ContainerID, "://")
	// mount resolves /proc/PID/root to the node's own root, so it is given a copy.
	const enter = `pid=$(crictl inspect --output go-template --template '{{.info.pid}}' "$0")
exec nsenter --target "$pid" --net unshare --mount bash -ec '
mount -t tmpfs tmpfs /mnt
cat "/proc/$0/root/etc/resolv.conf" >/mnt/resolv.conf
mount --bind /mnt/resolv.conf /etc/resolv.conf
exec "$@"' "$pid" "$@"`
	return w.cluster.exec(ctx, nil, append([]string{"bash", "-ec", enter, id}, program...)...)
}
