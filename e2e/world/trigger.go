package world

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Trigger's names in manifests/argocd/trigger.
const (
	triggerName  = "nova-trigger"
	triggerLabel = "app.kubernetes.io/name=nova-trigger"
)

// CreateAppOfApps makes an Application that applies nova-staging from git, with
// the ignoreDifferences that the README shows.
func (w *World) CreateAppOfApps(ctx context.Context) (*Application, error) {
	rendered, err := w.cluster.kube(ctx, "kustomize", filepath.Join(w.temp, "application"))
	if err != nil {
		return nil, err
	}
	if err := w.Repository.Write("apps/applications.yaml", rendered); err != nil {
		return nil, err
	}
	if _, err := w.Repository.Push("chore: the app of apps"); err != nil {
		return nil, err
	}
	if _, err := w.apply(ctx, "app-of-apps"); err != nil {
		return nil, err
	}
	return &Application{client: w.Application.client, name: "apps"}, nil
}

// DeleteAppOfApps deletes it and leaves nova-staging.
func (w *World) DeleteAppOfApps(ctx context.Context) error {
	_, err := w.cluster.kube(ctx, "-n", "argocd", "delete", "application/apps", "appproject/apps", "--ignore-not-found")
	return err
}

// StartTrigger installs trigger as manifests/argocd/trigger does, and waits until
// both replicas are ready.
func (w *World) StartTrigger(ctx context.Context) error {
	if _, err := w.apply(ctx, "trigger"); err != nil {
		return err
	}
	return w.rolledOut(ctx, "argocd", "deployment/"+triggerName)
}

// StopTrigger scales it to nothing, if it is there, so that nobody else moves as-of.
func (w *World) StopTrigger(ctx context.Context) error {
	_, err := w.Kube.AppsV1().Deployments("argocd").Patch(ctx, triggerName, types.MergePatchType, []byte(`{"spec":{"replicas":0}}`), metav1.PatchOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// Leader is the name of the Pod that holds trigger's Lease.
func (w *World) Leader(ctx context.Context) (string, error) {
	lease, err := w.Kube.CoordinationV1().Leases("argocd").Get(ctx, triggerName, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	if lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" {
		return "", fmt.Errorf("the Lease %s has no holder", triggerName)
	}
	// The holder is the Pod's name, perhaps with something behind it.
	pod, _, _ := strings.Cut(*lease.Spec.HolderIdentity, "_")
	return pod, nil
}

// Board is what trigger's page says, as JSON.
func (w *World) Board(ctx context.Context) (string, error) {
	return w.cluster.kube(ctx, "get", "--raw", "/api/v1/namespaces/argocd/services/"+triggerName+":80/proxy/api/v1/status")
}

// KillTrigger deletes trigger's Pods at once, all or one, as a node that dies does.
func (w *World) KillTrigger(ctx context.Context, pods ...string) error {
	args := []string{"-n", "argocd", "delete", "pod", "--force", "--grace-period=0"}
	if len(pods) == 0 {
		pods = []string{"-l", triggerLabel}
	}
	_, err := w.cluster.kube(ctx, append(args, pods...)...)
	return err
}

// KillController deletes Argo CD's application controller and waits for the next
// one. That goes on with a sync that it finds running when the Application
// changes, or at its own next comparison two minutes later: a refresh is enough.
func (w *World) KillController(ctx context.Context) error {
	if _, err := w.cluster.kube(ctx, "-n", "argocd", "delete", "pod", "argocd-application-controller-0", "--force", "--grace-period=0"); err != nil {
		return err
	}
	if err := w.rolledOut(ctx, "argocd", "statefulset/argocd-application-controller"); err != nil {
		return err
	}
	_, err := w.Application.Refresh(ctx, false)
	return err
}

// Events lists the reasons of the Events about the Application.
func (w *World) Events(ctx context.Context) ([]corev1.Event, error) {
	list, err := w.Kube.CoreV1().Events("argocd").List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.kind=Application"})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// Identity is somebody who may move as-of: flags of kubectl that act as him.
type Identity []string

// Who may move as-of, and nothing else.
var (
	AsTrigger = Identity{"--as=system:serviceaccount:argocd:" + triggerName}
	AsCI      = Identity{"--as=ci", "--as-group=nova-staging-ci"}
)

// GrantCI applies manifests/argocd/settings/ci.
func (w *World) GrantCI(ctx context.Context) error {
	_, err := w.apply(ctx, filepath.Join("component", "settings", "ci"))
	return err
}

// TryPatch tries a JSON patch of the Application as somebody, dry.
func (w *World) TryPatch(ctx context.Context, as Identity, patch string) error {
	args := append([]string{"-n", "argocd", "patch", "application", "nova-staging", "--type=json", "--dry-run=server", "-p", patch}, as...)
	_, err := w.cluster.kube(ctx, args...)
	return err
}

// May tells whether somebody may do something in Nova's namespace, in the words of
// kubectl auth can-i.
func (w *World) May(ctx context.Context, as Identity, what ...string) bool {
	_, err := w.cluster.kube(ctx, slices.Concat([]string{"-n", Namespace, "auth", "can-i", "--quiet"}, what, as)...)
	return err == nil
}

// Annotate sets annotations of the Application; nil removes one.
func (a *Application) Annotate(ctx context.Context, annotations map[string]any) error {
	return a.merge(ctx, map[string]any{"metadata": map[string]any{"annotations": annotations}})
}

// Label sets labels of the Application; nil removes one.
func (a *Application) Label(ctx context.Context, labels map[string]any) error {
	return a.merge(ctx, map[string]any{"metadata": map[string]any{"labels": labels}})
}

func (a *Application) merge(ctx context.Context, change map[string]any) error {
	body, err := json.Marshal(change)
	if err != nil {
		return err
	}
	_, err = a.client.Patch(ctx, a.name, types.MergePatchType, body, metav1.PatchOptions{})
	return err
}

// Send puts a message into trigger's queue, in any form.
func (r *Registry) Send(ctx context.Context, body string) error {
	_, err := r.ask(ctx, http.MethodPost, "/queue", []byte(body))
	return err
}

// Disorder makes the queue hand out messages in any order, and some twice.
func (r *Registry) Disorder(ctx context.Context, duplicates float64) error {
	body, err := json.Marshal(map[string]any{"duplicates": duplicates, "unordered": true})
	if err != nil {
		return err
	}
	_, err = r.ask(ctx, http.MethodPut, "/queue/order", body)
	return err
}

// Queued is how many messages the queue holds.
func (r *Registry) Queued(ctx context.Context) (int, error) {
	body, err := r.ask(ctx, http.MethodGet, "/queue", nil)
	if err != nil {
		return 0, err
	}
	var n struct {
		Messages int `json:"messages"`
	}
	return n.Messages, json.Unmarshal(body, &n)
}

// Drained waits until the queue is empty.
func (w *World) Drained(ctx context.Context, limit time.Duration) error {
	return until(ctx, limit, "the queue is empty", func(ctx context.Context) (bool, string) {
		n, err := w.Registry.Queued(ctx)
		return err == nil && n == 0, fmt.Sprintf("%d messages (%v)", n, err)
	})
}
