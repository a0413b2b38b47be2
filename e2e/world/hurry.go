package world

import (
	"context"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// hurryAnnotation says nothing to anybody. That it changes is what counts.
const hurryAnnotation = "lab.nova/hurry"

// hurry has Argo CD go on with a running sync at once. By itself it waits five
// seconds after a resource or a hook has changed, but it looks at each Application
// that is written to.
func (w *World) hurry(ctx context.Context) {
	changed := w.changed(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
			time.Sleep(200 * time.Millisecond) // Argo CD hears of it, too; others change as well
		case <-time.After(time.Second):
		}
		if w.patient.Load() {
			continue
		}
		// An error is the next round's to repeat: this only saves time.
		if s, err := w.Application.Get(ctx); err == nil && s.Status.OperationState.Phase == "Running" {
			_ = w.Application.Annotate(ctx, map[string]any{hurryAnnotation: time.Now().UTC().Format(time.RFC3339Nano)})
		}
	}
}

// changed tells, until ctx ends, that a Job or a Deployment of Nova has come to what
// a sync waits for, or may have.
func (w *World) changed(ctx context.Context) <-chan struct{} {
	changed := make(chan struct{}, 1)
	tell := func(o any) {
		if d, ok := o.(*appsv1.Deployment); ok && d.Status.AvailableReplicas != d.Status.Replicas {
			return // a rollout goes on
		}
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	handler := cache.ResourceEventHandlerFuncs{AddFunc: tell, UpdateFunc: func(_, o any) { tell(o) }}
	factory := informers.NewSharedInformerFactoryWithOptions(w.Kube, 0, informers.WithNamespace(Namespace))
	_, _ = factory.Batch().V1().Jobs().Informer().AddEventHandler(handler)
	_, _ = factory.Apps().V1().Deployments().Informer().AddEventHandler(handler)
	factory.Start(ctx.Done())
	return changed
}

// Patient leaves Argo CD at its own pace until the function that it returns is
// called: for what measures how long a deployment takes.
func (w *World) Patient() (end func()) {
	w.patient.Store(true)
	return func() { w.patient.Store(false) }
}
