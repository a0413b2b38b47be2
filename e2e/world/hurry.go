package world

import (
	"context"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// hurryAnnotation says nothing to anybody. That it changes is what counts.
const hurryAnnotation = "lab.nova/hurry"

// hurry has Argo CD go on with a running sync as soon as there is something to go on
// with. By itself it waits five seconds after a resource or a hook has changed, but it
// looks at each Application that is written to. While a rollout goes on there is nothing
// to see, and each look costs what the rollout could use.
func (w *World) hurry(ctx context.Context) {
	factory := informers.NewSharedInformerFactoryWithOptions(w.Kube, 0, informers.WithNamespace(Namespace))
	deployments := factory.Apps().V1().Deployments()
	changed := make(chan struct{}, 1)
	tell := func(any) {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	handler := cache.ResourceEventHandlerFuncs{AddFunc: tell, UpdateFunc: func(_, o any) { tell(o) }}
	_, _ = factory.Batch().V1().Jobs().Informer().AddEventHandler(handler)
	_, _ = deployments.Informer().AddEventHandler(handler)
	factory.Start(ctx.Done())
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
			time.Sleep(200 * time.Millisecond) // Argo CD hears of it, too; others change as well
		case <-time.After(time.Second):
		}
		all, err := deployments.Lister().List(labels.Everything())
		if err != nil || w.patient.Load() || slices.ContainsFunc(all, rollingOut) {
			continue
		}
		// An error is the next round's to repeat: this only saves time.
		if s, err := w.Application.Get(ctx); err == nil && s.Status.OperationState.Phase == "Running" {
			_ = w.Application.Annotate(ctx, map[string]any{hurryAnnotation: time.Now().UTC().Format(time.RFC3339Nano)})
		}
	}
}

// rollingOut says whether a Deployment is neither what was asked for nor given up.
func rollingOut(d *appsv1.Deployment) bool {
	s, replicas := d.Status, int32(1)
	if d.Spec.Replicas != nil {
		replicas = *d.Spec.Replicas
	}
	if s.ObservedGeneration >= d.Generation && s.UpdatedReplicas == replicas && s.AvailableReplicas == replicas && s.Replicas == replicas {
		return false
	}
	return !slices.ContainsFunc(s.Conditions, func(c appsv1.DeploymentCondition) bool {
		return c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse
	})
}

// Patient leaves Argo CD at its own pace until the function that it returns is
// called: for what measures how long a deployment takes.
func (w *World) Patient() (end func()) {
	w.patient.Store(true)
	return func() { w.patient.Store(false) }
}
