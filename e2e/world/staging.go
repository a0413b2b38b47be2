package world

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"github.com/proerror77/nova-staging/internal/novaworld"
	"github.com/proerror77/nova-staging/internal/release"
)

// The overlays that the Application may render.
const (
	Overlay       = "manifests/nova/overlays/staging-small"
	StoresOverlay = "manifests/nova/overlays/staging-stores"
)

// CreateApplication applies the shipped project and Application, at an instant.
func (w *World) CreateApplication(ctx context.Context, asOf string) error {
	if err := appendFile(filepath.Join(w.temp, "application", "kustomization.yaml"), fmt.Sprintf(
		"- target: {kind: Application}\n  patch: |-\n    - {op: replace, path: /spec/source/plugin/parameters/0/string, value: %q}\n", asOf)); err != nil {
		return err
	}
	w.HelpApplication()
	_, err := w.apply(ctx, "application")
	return err
}

// HelpApplication stands in for an ingress controller, and hurries Argo CD, from now
// on.
func (w *World) HelpApplication() {
	w.helpers.Do(func() {
		w.answerIngresses(w.running)
		go w.hurry(w.running)
	})
}

// Deployed waits until an instant's full sync has succeeded and the Application
// is well, and returns it.
func (w *World) Deployed(ctx context.Context, asOf string) (State, error) {
	s, err := w.Application.Wait(ctx, 5*time.Minute, "the instant "+asOf+" is deployed", func(s State) bool {
		o := s.Status.OperationState
		return o.SyncResult.Source.AsOf() == asOf && o.Ended() && s.Status.Sync.Status == "Synced" && s.Status.Health.Status == "Healthy"
	})
	if err != nil {
		return s, err
	}
	if o := s.Status.OperationState; o.Phase != "Succeeded" || o.Partial() {
		return s, fmt.Errorf("deploy the instant %s: %s", asOf, s)
	}
	return s, nil
}

// Push commits, builds all services, moves as-of and waits until it is deployed.
// It returns the commit. This is the way in which most scenarios begin.
func (w *World) Push(ctx context.Context, message string) (string, error) {
	sha, err := w.Repository.Push(message)
	if err != nil {
		return "", err
	}
	if err := w.Build(ctx, sha, nil); err != nil {
		return "", err
	}
	if _, err := w.Application.Refresh(ctx, false); err != nil {
		return "", err
	}
	_, err = w.MoveAndVerify(ctx, Now())
	return sha, err
}

// MoveAndVerify sets as-of, waits until that is deployed, and logs how long it
// took from then until smoke had passed.
func (w *World) MoveAndVerify(ctx context.Context, asOf string) (State, error) {
	began := time.Now()
	if err := w.Application.SetAsOf(ctx, asOf); err != nil {
		return State{}, err
	}
	return w.Verified(ctx, asOf, began)
}

// Verified waits until an instant is deployed, and logs how long it took from
// some moment until smoke had passed.
func (w *World) Verified(ctx context.Context, asOf string, since time.Time) (State, error) {
	s, err := w.Deployed(ctx, asOf)
	if err != nil {
		return s, err
	}
	hurried := ", hurried"
	if w.patient.Load() {
		hurried = ""
	}
	w.Log("%s -> smoke passed: %.0fs%s", asOf, s.Status.OperationState.FinishedAt.Sub(since.Truncate(time.Second)).Seconds(), hurried)
	return s, nil
}

// CheckRuns returns an error unless every service runs exactly its two replicas,
// all ready, at the digests that the release ConfigMap names for the commit.
func (w *World) CheckRuns(ctx context.Context, sha string) error {
	pods, err := w.Pods(ctx)
	if err != nil {
		return err
	}
	for _, s := range novaworld.Services {
		digest, err := w.Digest(s, sha)
		if err != nil {
			return err
		}
		n := 0
		for _, p := range pods {
			if p.Labels["app.kubernetes.io/name"] != s {
				continue
			}
			n++
			if want := "nova/" + s + ":" + sha + "@" + digest; !strings.HasSuffix(p.Spec.Containers[0].Image, want) {
				return fmt.Errorf("pod %s asks for %s, want …/%s", p.Name, p.Spec.Containers[0].Image, want)
			}
			if id := p.Status.ContainerStatuses[0].ImageID; !strings.HasSuffix(id, "@"+digest) {
				return fmt.Errorf("pod %s runs %s, want …@%s", p.Name, id, digest)
			}
		}
		if n != 2 {
			return fmt.Errorf("%s has %d Pods that run, want 2", s, n)
		}
	}
	return nil
}

// Digest is the digest of a service's image that is well.
func (w *World) Digest(service, sha string) (string, error) {
	image, err := serviceImage(w.layer, service, sha, Well)
	if err != nil {
		return "", err
	}
	digest, err := image.Digest()
	return digest.String(), err
}

// CheckRecord returns an error unless generate's record names the images of a
// commit for all services.
func (w *World) CheckRecord(record, sha string) error {
	r, err := release.Decode([]byte(record))
	if err != nil {
		return err
	}
	found := map[string]release.Image{}
	for _, i := range r.Images {
		found[filepath.Base(i.Name)] = i
	}
	for _, s := range novaworld.Services {
		digest, err := w.Digest(s, sha)
		if err != nil {
			return err
		}
		if i := found[s]; i.Digest != digest || i.Commit != sha {
			return fmt.Errorf("the record has %s of commit %s for %s, want %s of %s", i.Digest, i.Commit, s, digest, sha)
		}
	}
	return nil
}

// Pods lists the services' Pods that run and are not ending.
func (w *World) Pods(ctx context.Context) ([]corev1.Pod, error) {
	list, err := w.Kube.CoreV1().Pods(Namespace).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/component=backend"})
	if err != nil {
		return nil, err
	}
	var pods []corev1.Pod
	for _, p := range list.Items {
		if p.DeletionTimestamp == nil && p.Status.Phase == corev1.PodRunning {
			pods = append(pods, p)
		}
	}
	return pods, nil
}

// PodIDs are the services' Pods, as name and UID: the same, and nothing has moved.
func (w *World) PodIDs(ctx context.Context) (map[string]bool, error) {
	pods, err := w.Pods(ctx)
	ids := map[string]bool{}
	for _, p := range pods {
		ids[p.Name+" "+string(p.UID)] = true
	}
	return ids, err
}

// SmokePod is the newest Pod of the hook.
func (w *World) SmokePod(ctx context.Context) (*corev1.Pod, error) {
	list, err := w.Kube.CoreV1().Pods(Namespace).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=smoke"})
	if err != nil {
		return nil, err
	}
	var newest *corev1.Pod
	for i := range list.Items {
		if p := &list.Items[i]; newest == nil || newest.CreationTimestamp.Before(&p.CreationTimestamp) {
			newest = p
		}
	}
	if newest == nil {
		return nil, fmt.Errorf("smoke has no Pod in %s", Namespace)
	}
	return newest, nil
}

// SmokeVerdict is what the last run of smoke says of a check of the whole, such
// as kafka: ok, FAILED, UNKNOWN or skipped.
func (w *World) SmokeVerdict(ctx context.Context, check string) (string, error) {
	pod, err := w.SmokePod(ctx)
	if err != nil {
		return "", err
	}
	log, err := w.Kube.CoreV1().Pods(Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{}).DoRaw(ctx)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(log)) {
		if rest, ok := strings.CutPrefix(line, check+": "); ok {
			return strings.Fields(rest)[0], nil
		}
	}
	return "", fmt.Errorf("smoke's report has no line for %s:\n%s", check, log)
}

// answerIngresses gives Ingresses an address, as an ingress controller does:
// Argo CD takes them to be progressing until then, and the cluster has none.
func (w *World) answerIngresses(ctx context.Context) {
	answer := func(o any) {
		i, ok := o.(*networkingv1.Ingress)
		if !ok || len(i.Status.LoadBalancer.Ingress) > 0 {
			return
		}
		i = i.DeepCopy()
		i.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: "127.0.0.1"}}
		_, _ = w.Kube.NetworkingV1().Ingresses(Namespace).UpdateStatus(ctx, i, metav1.UpdateOptions{})
	}
	factory := informers.NewSharedInformerFactoryWithOptions(w.Kube, time.Second, informers.WithNamespace(Namespace))
	_, _ = factory.Networking().V1().Ingresses().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: answer, UpdateFunc: func(_, o any) { answer(o) }})
	factory.Start(ctx.Done())
}

// exportState writes what kubectl says of the Application and of Nova's objects
// into the artifacts folder.
func (w *World) exportState(ctx context.Context) error {
	for name, args := range map[string][]string{
		"application.yaml": {"-n", "argocd", "get", "application", "-o", "yaml"},
		"nova.txt":         {"-n", Namespace, "get", "all,events", "-o", "wide"},
		"smoke.txt":        {"-n", Namespace, "logs", "-l", "app.kubernetes.io/name=smoke", "--tail=-1"},
		"argocd.txt":       {"-n", "argocd", "get", "pods", "-o", "wide"},
		"generate.txt":     {"-n", "argocd", "logs", "deployment/argocd-repo-server", "-c", "nova-generate", "--tail=2000"},
	} {
		out, err := w.cluster.kube(ctx, args...)
		if err != nil {
			out = err.Error()
		}
		if err := os.WriteFile(filepath.Join(w.settings.Artifacts, name), []byte(out), 0o644); err != nil {
			return err
		}
	}
	return nil
}
