package application

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Phase of an operation, as Argo CD names them.
type Phase string

// The phases.
const (
	Running     Phase = "Running"
	Terminating Phase = "Terminating"
	Succeeded   Phase = "Succeeded"
	Failed      Phase = "Failed"
	Error       Phase = "Error"
)

// Operation is the sync that runs or that ran last.
type Operation struct {
	Phase   Phase // empty when there was none
	Message string
	// AsOf is the instant that was synced; zero when it is not known.
	AsOf time.Time
	// Started as Argo CD wrote it: it tells one operation from another.
	Started  string
	Finished time.Time
	// Requested says that an operation waits to be started.
	Requested bool
	// Partial says that hooks did not run: a self-heal or another sync of some
	// resources, one by the strategy apply, or a dry run. It proves nothing.
	Partial bool
	// Failures are what the hooks and resources that failed said.
	Failures []string
	// Images are those that it applied, or tried to, so far.
	Images   []string
	Revision string
}

// Active says whether a sync runs or is about to.
func (o Operation) Active() bool {
	return o.Requested || o.Phase == Running || o.Phase == Terminating
}

// Failed says whether the last sync was a full one and failed.
func (o Operation) Failed() bool {
	return !o.Requested && !o.Partial && (o.Phase == Failed || o.Phase == Error)
}

// Deployment is an entry of the history: a full sync that succeeded.
type Deployment struct {
	ID         int64
	AsOf       time.Time // zero when it had no as-of, or no hooks ran
	DeployedAt time.Time
	Revision   string
}

// Comparison is what Argo CD found when it last compared Git with the cluster.
type Comparison struct {
	Status   string // Synced, OutOfSync, Unknown
	AsOf     time.Time
	Revision string
	// ReconciledAt as Argo CD wrote it.
	ReconciledAt string
}

func (a *Application) parseStatus(r *reader) {
	for _, i := range r.list("status", "summary", "images") {
		if s, ok := i.(string); ok {
			a.Images = append(a.Images, strings.Clone(s))
		}
	}
	a.Health = r.text(r.root, "status", "health", "status")
	a.parseOperation(r)
	a.parseSyncedImages(r)
	for _, h := range r.list("status", "history") {
		h, ok := h.(map[string]any)
		if !ok {
			r.warn("status.history has an entry that is not an object")
			continue
		}
		d := Deployment{ID: number(h["id"]), AsOf: asOfOf(h), DeployedAt: r.time(h, "deployedAt"), Revision: revisionOf(r, h)}
		if o := a.Operation; o.Partial && o.Started != "" && h["deployStartedAt"] == o.Started {
			d.AsOf = time.Time{} // the strategy apply runs no hooks, and is recorded all the same
		}
		a.History = append(a.History, d)
	}
	if s, ok := r.object("status", "sync"); ok {
		compared, _ := s["comparedTo"].(map[string]any)
		a.Sync = Comparison{Status: r.text(s, "status"), AsOf: asOfOf(compared), Revision: revisionOf(r, s)}
	}
	a.Sync.ReconciledAt = r.text(r.root, "status", "reconciledAt")
	for _, c := range r.list("status", "conditions") {
		c, ok := c.(map[string]any)
		if !ok {
			continue
		}
		if kind := r.text(c, "type"); strings.HasSuffix(kind, "Error") {
			if a.Conditions == nil {
				a.Conditions = map[string]string{}
			}
			a.Conditions[kind] = clip(r.text(c, "message"), maxMessage)
		}
	}
}

// parseSyncedImages takes the images of the last sync besides those that run. They
// stand for these where Argo CD lists none at all: it leaves Pods out of its summary,
// as out of its pages, when the AppProject does not allow their kind.
func (a *Application) parseSyncedImages(r *reader) {
	for _, res := range r.list("status", "operationState", "syncResult", "resources") {
		res, ok := res.(map[string]any)
		if !ok || res["status"] == "Pruned" {
			continue
		}
		images, _ := res["images"].([]any)
		for _, i := range images {
			s, ok := i.(string)
			if !ok || slices.Contains(a.Operation.Images, s) {
				continue
			}
			if at := slices.Index(a.Images, s); at >= 0 {
				s = a.Images[at] // kept once
			} else {
				s = strings.Clone(s)
				a.Synced = append(a.Synced, s)
			}
			a.Operation.Images = append(a.Operation.Images, s)
		}
	}
	if len(a.Images) == 0 && len(a.Synced) > 0 {
		a.Images, a.Synced = a.Synced, nil
		r.warn("status.summary.images is empty, the images of the last sync are taken: allow Pod and ReplicaSet in the AppProject's namespaceResourceWhitelist")
	}
}

func (a *Application) parseOperation(r *reader) {
	o := &a.Operation
	_, o.Requested = r.value("operation")
	state, ok := r.object("status", "operationState")
	if !ok {
		return
	}
	o.Phase = Phase(r.text(state, "phase"))
	o.Message = clip(r.text(state, "message"), maxMessage)
	o.Started = r.text(state, "startedAt")
	o.Finished = r.time(state, "finishedAt")
	if sync, ok := get[map[string]any](r, state, "an object", "operation", "sync"); ok {
		resources, _ := sync["resources"].([]any)
		_, apply := r.valueIn(sync, "syncStrategy", "apply")
		o.Partial = len(resources) > 0 || apply || sync["dryRun"] == true
		o.AsOf = asOfOf(sync)
	}
	result, ok := get[map[string]any](r, state, "an object", "syncResult")
	if !ok {
		return
	}
	if at := asOfOf(result); !at.IsZero() {
		o.AsOf = at
	}
	o.Revision = revisionOf(r, result)
	resources, _ := result["resources"].([]any)
	for _, x := range resources {
		x, ok := x.(map[string]any)
		if !ok {
			continue
		}
		phase, _ := x["hookPhase"].(string)
		status, _ := x["status"].(string)
		if phase != string(Failed) && phase != string(Error) && status != "SyncFailed" {
			continue
		}
		kind, _ := x["kind"].(string)
		name, _ := x["name"].(string)
		message, _ := x["message"].(string)
		if len(o.Failures) < 4 {
			o.Failures = append(o.Failures, clip(kind+" "+name+": "+message, maxMessage))
		}
	}
}

// Why says in one line why an operation failed: what hooks and resources said,
// else Argo CD's own message, which says little.
func (o Operation) Why() string {
	if len(o.Failures) > 0 {
		return strings.Join(o.Failures, "; ")
	}
	if o.Message != "" {
		return o.Message
	}
	return "Argo CD gave no reason"
}

// asOfOf finds the instant in anything that has source or sources; zero when
// there is none or the sources differ.
func asOfOf(in map[string]any) time.Time {
	if in == nil {
		return time.Time{}
	}
	sources, _ := in["sources"].([]any)
	if len(sources) == 0 {
		sources = []any{in["source"]}
	}
	var found time.Time
	for _, s := range sources {
		s, _ := s.(map[string]any)
		plugin, _ := s["plugin"].(map[string]any)
		parameters, _ := plugin["parameters"].([]any)
		for _, p := range parameters {
			p, _ := p.(map[string]any)
			text, _ := p["string"].(string)
			if p["name"] != Parameter || text == "" {
				continue
			}
			at, err := ParseInstant(text)
			if err != nil || (!found.IsZero() && !found.Equal(at)) {
				return time.Time{}
			}
			found = at
		}
	}
	return found
}

func revisionOf(r *reader, in map[string]any) string {
	if s, ok := in["revision"].(string); ok && s != "" {
		return s
	}
	revisions, _ := in["revisions"].([]any)
	var all []string
	for _, v := range revisions {
		if s, ok := v.(string); ok && s != "" {
			all = append(all, s)
		}
	}
	return strings.Join(all, ",")
}

func number(v any) int64 {
	switch n := v.(type) {
	case int64:
		return n
	case float64:
		return int64(n)
	case json.Number:
		i, _ := n.Int64()
		return i
	}
	return 0
}

const maxMessage = 512

// clip shortens a text to n bytes at a character's border, and makes one line
// of it.
func clip(s string, n int) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n-3], "") + "…"
}
