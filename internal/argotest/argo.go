package argotest

import (
	"context"
	"sync"
	"time"
)

// Argo does with Applications what Argo CD's controller was measured to do: a
// changed as-of is rendered; a render that equals what runs changes nothing; any
// other is a full sync with hooks, one at a time, and only one that succeeds
// gets a history entry.
type Argo struct {
	// Render gives the identity of what an Application renders to at an instant,
	// or an error. Required.
	Render func(app, asOf string) (string, error)
	// Smoke says whether a render passes, with the failed hook's words otherwise.
	// Optional: all pass.
	Smoke func(app, render string) (message string, ok bool)
	// Images gives the references of a render's images, with digests, which a sync
	// lists. Optional: none.
	Images func(app, render string) []string
	// ListLate lists them only when the sync has ended, as those of hooks at its end.
	ListLate bool
	// RenderTime and SyncTime are how long these take.
	RenderTime, SyncTime time.Duration
	// Retry is when a render that failed is tried again. Optional: never.
	Retry time.Duration

	server *Server
	mu     sync.Mutex
	live   map[string]string // render that was synced last
	seen   map[string]string // as-of that was compared last
	failed map[string]string // as-of whose sync failed last: no other attempt
	busy   map[string]bool
	syncs  map[string]int
	held   chan struct{} // closed when syncs may end; nil when they may
}

// Run follows the Applications until ctx ends.
func (a *Argo) Run(ctx context.Context, s *Server) {
	a.server = s
	a.live, a.seen, a.failed, a.busy, a.syncs = map[string]string{}, map[string]string{}, map[string]string{}, map[string]bool{}, map[string]int{}
	objects, at := s.store.list(resource, "")
	for _, o := range objects {
		at0 := s.AsOf(o.namespace, o.name)
		a.seen[o.namespace+"/"+o.name] = at0
		if render, err := a.Render(o.name, at0); err == nil {
			a.live[o.namespace+"/"+o.name] = render
		}
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		fresh, grown, gone := s.store.since(at)
		if gone {
			return
		}
		for _, c := range fresh {
			at = c.version
			if c.resource == resource && c.object != nil {
				wg.Go(func() { a.reconcile(ctx, c.object.namespace, c.object.name) })
			}
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return
		}
	}
}

// Syncs is how many full syncs an Application had.
func (a *Argo) Syncs(namespace, name string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.syncs[namespace+"/"+name]
}

// Live is what an Application runs.
func (a *Argo) Live(namespace, name string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.live[namespace+"/"+name]
}

// HoldSyncs lets no sync end until release is called. Those that begin have been
// rendered before.
func (a *Argo) HoldSyncs() (release func()) {
	held := make(chan struct{})
	a.mu.Lock()
	a.held = held
	a.mu.Unlock()
	return sync.OnceFunc(func() {
		a.mu.Lock()
		a.held = nil
		a.mu.Unlock()
		close(held)
	})
}

func (a *Argo) reconcile(ctx context.Context, namespace, name string) {
	key := namespace + "/" + name
	a.mu.Lock()
	if a.busy[key] {
		a.mu.Unlock()
		return
	}
	a.busy[key] = true
	a.mu.Unlock()
	for {
		// Read under the lock: a change must not slip in between this and the end.
		a.mu.Lock()
		at := a.server.AsOf(namespace, name)
		if at == a.seen[key] {
			a.busy[key] = false
			a.mu.Unlock()
			return
		}
		a.seen[key] = at
		a.mu.Unlock()
		if !a.once(ctx, namespace, name, at) && a.Retry > 0 && ctx.Err() == nil {
			sleep(ctx, a.Retry)
			a.mu.Lock()
			delete(a.seen, key)
			a.mu.Unlock()
		}
	}
}

// once compares an instant and syncs it; false when it could not be rendered.
func (a *Argo) once(ctx context.Context, namespace, name, at string) bool {
	key := namespace + "/" + name
	sleep(ctx, a.RenderTime)
	render, err := a.Render(name, at)
	if err != nil {
		a.status(namespace, name, at, "Unknown", func(status map[string]any) {
			status["conditions"] = []any{map[string]any{"type": "ComparisonError", "message": err.Error()}}
		})
		return false
	}
	a.mu.Lock()
	same, stuck := render == a.live[key], a.failed[key] == at
	a.mu.Unlock()
	if same {
		a.status(namespace, name, at, "Synced", func(status map[string]any) { delete(status, "conditions") })
		return true
	}
	if stuck {
		return true
	}
	started, resources := stamp(), a.resources(name, render)
	running := resources
	if a.ListLate {
		running = nil
	}
	a.status(namespace, name, at, "OutOfSync", func(status map[string]any) {
		delete(status, "conditions")
		status["operationState"] = a.state("Running", "waiting for completion of hook", started, "", name, namespace, at, running)
	})
	sleep(ctx, a.SyncTime)
	a.mu.Lock()
	held := a.held
	a.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-ctx.Done():
		}
	}
	message, ok := "", true
	if a.Smoke != nil {
		message, ok = a.Smoke(name, render)
	}
	a.mu.Lock()
	a.syncs[key]++
	a.live[key] = render
	if !ok {
		a.failed[key] = at
	}
	a.mu.Unlock()
	a.status(namespace, name, at, "Synced", func(status map[string]any) {
		if !ok {
			status["operationState"] = a.state("Failed", "one or more synchronization tasks completed unsuccessfully", started, stamp(), name, namespace, at,
				append(resources, map[string]any{"kind": "Job", "name": "smoke", "hookPhase": "Failed", "hookType": "PostSync", "message": message}))
			return
		}
		status["operationState"] = a.state("Succeeded", "successfully synced (all tasks run)", started, stamp(), name, namespace, at, resources)
		entry := a.sources(namespace, name, at)
		entry["revision"], entry["deployedAt"] = Revision, stamp()
		status["history"] = []any{entry}
	})
	return true
}

// resources are what the sync of a render applies.
func (a *Argo) resources(app, render string) []any {
	if a.Images == nil {
		return nil
	}
	images := []any{}
	for _, i := range a.Images(app, render) {
		images = append(images, i)
	}
	return []any{map[string]any{"group": "apps", "version": "v1", "kind": "Deployment", "name": "services", "status": "Synced", "images": images}}
}

// sources are the Application's as they were at an instant.
func (a *Argo) sources(namespace, name, at string) map[string]any {
	o := a.server.Get(namespace, name)
	SetAsOf(o, at)
	spec, _ := o["spec"].(map[string]any)
	return sourcesOf(spec)
}

func (a *Argo) state(phase, message, started, finished, name, namespace, at string, resources []any) map[string]any {
	result := a.sources(namespace, name, at)
	result["revision"] = Revision
	if resources != nil {
		result["resources"] = resources
	}
	state := map[string]any{
		"phase": phase, "message": message, "startedAt": started, "syncResult": result,
		"operation": map[string]any{"sync": map[string]any{"prune": true}, "initiatedBy": map[string]any{"automated": true}},
	}
	if finished != "" {
		state["finishedAt"] = finished
	}
	return state
}

// status writes the comparison of an instant, and what f changes besides.
func (a *Argo) status(namespace, name, at, sync string, f func(map[string]any)) {
	compared := a.sources(namespace, name, at)
	probe := map[string]any{}
	f(probe) // may read the Application itself, which Update must not do
	a.server.Update(namespace, name, func(o map[string]any) {
		status, _ := o["status"].(map[string]any)
		if status == nil {
			status = map[string]any{}
			o["status"] = status
		}
		status["sync"] = map[string]any{"status": sync, "revision": Revision, "comparedTo": compared}
		status["reconciledAt"] = stamp()
		if s, ok := probe["operationState"]; ok {
			status["operationState"] = s
		}
		if c, ok := probe["conditions"]; ok {
			status["conditions"] = c
		} else {
			delete(status, "conditions")
		}
		if h, ok := probe["history"].([]any); ok {
			all, _ := status["history"].([]any)
			entry, _ := h[len(h)-1].(map[string]any)
			entry["id"] = len(all) + 1
			if len(all) > 0 {
				last, _ := all[len(all)-1].(map[string]any)
				if n, ok := last["id"].(float64); ok {
					entry["id"] = int(n) + 1
				}
			}
			all = append(all, entry)
			status["history"] = all[max(0, len(all)-10):]
		}
	})
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
