package world

import (
	"context"
	"time"
)

// hurryAnnotation says nothing to anybody. That it changes is what counts.
const hurryAnnotation = "lab.nova/hurry"

// hurry has Argo CD go on with a running sync at once. By itself it waits five
// seconds after a resource or a hook has changed, but it looks at each Application
// that is written to.
func (w *World) hurry(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
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

// Patient leaves Argo CD at its own pace until the function that it returns is
// called: for what measures how long a deployment takes.
func (w *World) Patient() (end func()) {
	w.patient.Store(true)
	return func() { w.patient.Store(false) }
}
