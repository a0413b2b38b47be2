package world

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

var applications = schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "applications"}

// State is what the tests look at in an Application.
type State struct {
	Metadata struct {
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
	// Operation is one that was asked for and has not begun.
	Operation any `json:"operation"`
	Spec      struct {
		Source     Source `json:"source"`
		SyncPolicy struct {
			SyncOptions []string `json:"syncOptions"`
		} `json:"syncPolicy"`
	} `json:"spec"`
	Status struct {
		Sync struct {
			Status     string `json:"status"`
			Revision   string `json:"revision"`
			ComparedTo struct {
				Source Source `json:"source"`
			} `json:"comparedTo"`
		} `json:"sync"`
		Health struct {
			Status string `json:"status"`
		} `json:"health"`
		Conditions     []Condition    `json:"conditions"`
		OperationState Operation      `json:"operationState"`
		History        []HistoryEntry `json:"history"`
		ReconciledAt   time.Time      `json:"reconciledAt"`
	} `json:"status"`
}

// Source of manifests.
type Source struct {
	Plugin struct {
		Parameters []struct {
			Name   string `json:"name"`
			String string `json:"string"`
		} `json:"parameters"`
	} `json:"plugin"`
}

// AsOf is the source's instant, empty if it has none.
func (s Source) AsOf() string {
	for _, p := range s.Plugin.Parameters {
		if p.Name == "as-of" {
			return p.String
		}
	}
	return ""
}

// Condition is what Argo CD complains of.
type Condition struct {
	Type    string `json:"type"`
	Message string `json:"message"`
}

// HistoryEntry is a deployment.
type HistoryEntry struct {
	ID       int    `json:"id"`
	Revision string `json:"revision"`
	Source   Source `json:"source"`
}

// Operation is the last sync, running or ended.
type Operation struct {
	Phase      string    `json:"phase"`
	Message    string    `json:"message"`
	StartedAt  time.Time `json:"startedAt"`
	FinishedAt time.Time `json:"finishedAt"`
	RetryCount int       `json:"retryCount"`
	Operation  struct {
		Sync struct {
			Resources []struct {
				Kind string `json:"kind"`
				Name string `json:"name"`
			} `json:"resources"`
		} `json:"sync"`
	} `json:"operation"`
	SyncResult struct {
		Revision  string `json:"revision"`
		Source    Source `json:"source"`
		Resources []struct {
			Kind      string `json:"kind"`
			Name      string `json:"name"`
			HookType  string `json:"hookType"`
			HookPhase string `json:"hookPhase"`
			Message   string `json:"message"`
		} `json:"resources"`
	} `json:"syncResult"`
}

// Ended tells whether it is over.
func (o Operation) Ended() bool {
	return slices.Contains([]string{"Succeeded", "Failed", "Error"}, o.Phase)
}

// Partial tells whether it synced some resources only, which Argo CD does
// without hooks and without a history entry.
func (o Operation) Partial() bool { return len(o.Operation.Sync.Resources) > 0 }

// Hook gives the phase and the message of a hook of the operation, both empty if
// it did not run.
func (o Operation) Hook(name string) (phase, message string) {
	for _, r := range o.SyncResult.Resources {
		if r.HookType != "" && r.Name == name {
			return r.HookPhase, r.Message
		}
	}
	return "", ""
}

// Complaint gives the message of a condition, empty if there is none.
func (s State) Complaint(kind string) string {
	for _, c := range s.Status.Conditions {
		if c.Type == kind {
			return c.Message
		}
	}
	return ""
}

// LastDeployment is the number of the newest history entry, -1 without any. Argo
// CD numbers them on, while it keeps only the last ten.
func (s State) LastDeployment() int {
	if n := len(s.Status.History); n > 0 {
		return s.Status.History[n-1].ID
	}
	return -1
}

// String is one line for a failed test.
func (s State) String() string {
	o := s.Status.OperationState
	line := fmt.Sprintf("as-of %s, sync %s, health %s, operation %q of %s at %s (%s)", s.Spec.Source.AsOf(), s.Status.Sync.Status,
		s.Status.Health.Status, o.Phase, o.SyncResult.Source.AsOf(), o.StartedAt.Format(time.TimeOnly), o.Message)
	for _, c := range s.Status.Conditions {
		line += fmt.Sprintf("\n  %s: %s", c.Type, c.Message)
	}
	for _, r := range o.SyncResult.Resources {
		if r.HookPhase != "" && r.HookPhase != "Succeeded" || r.HookType != "" {
			line += fmt.Sprintf("\n  %s %s: %s %s", r.Kind, r.Name, r.HookPhase, r.Message)
		}
	}
	return line
}

// Application is one of Argo CD's.
type Application struct {
	client dynamic.ResourceInterface
	name   string
}

// Get reads it.
func (a *Application) Get(ctx context.Context) (State, error) {
	var s State
	u, err := a.client.Get(ctx, a.name, metav1.GetOptions{})
	if err != nil {
		return s, err
	}
	// Through JSON: the converter for unstructured objects reads no time.Time.
	b, err := u.MarshalJSON()
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("read Application %s: %w", a.name, err)
	}
	return s, nil
}

// Spec is all that is asked for.
func (a *Application) Spec(ctx context.Context) (map[string]any, error) {
	u, err := a.client.Get(ctx, a.name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	spec, ok := u.Object["spec"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("read Application %s: it has no spec", a.name)
	}
	return spec, nil
}

// Wait polls until ok says so. The error says what was waited for and what was
// there last.
func (a *Application) Wait(ctx context.Context, limit time.Duration, what string, ok func(State) bool) (State, error) {
	var last State
	// Applications are large: more often would cost the API server what it has to do
	// for that which is waited for.
	err := untilEach(ctx, 400*time.Millisecond, limit, what, func(ctx context.Context) (bool, string) {
		s, err := a.Get(ctx)
		if err != nil {
			return false, fmt.Sprintf("%s (%v)", last, err)
		}
		last = s
		return ok(s), s.String()
	})
	return last, err
}

// SetAsOf moves the instant in the way that the README shows.
func (a *Application) SetAsOf(ctx context.Context, instant string) error {
	return a.patch(ctx, []map[string]any{
		{"op": "test", "path": "/spec/source/plugin/parameters/0/name", "value": "as-of"},
		{"op": "replace", "path": "/spec/source/plugin/parameters/0/string", "value": instant},
	})
}

// RemoveAsOf takes the parameter away.
func (a *Application) RemoveAsOf(ctx context.Context) error {
	return a.patch(ctx, []map[string]any{{"op": "remove", "path": "/spec/source/plugin/parameters"}})
}

// AddAsOf puts the parameter back.
func (a *Application) AddAsOf(ctx context.Context, instant string) error {
	return a.patch(ctx, []map[string]any{{
		"op": "add", "path": "/spec/source/plugin/parameters",
		"value": []map[string]string{{"name": "as-of", "string": instant}},
	}})
}

// SetPath makes it render another folder at another instant: in one patch, or
// Argo CD may sync in between.
func (a *Application) SetPath(ctx context.Context, path, instant string) error {
	return a.patch(ctx, []map[string]any{
		{"op": "replace", "path": "/spec/source/path", "value": path},
		{"op": "test", "path": "/spec/source/plugin/parameters/0/name", "value": "as-of"},
		{"op": "replace", "path": "/spec/source/plugin/parameters/0/string", "value": instant},
	})
}

func (a *Application) patch(ctx context.Context, operations []map[string]any) error {
	body, err := json.Marshal(operations)
	if err != nil {
		return err
	}
	_, err = a.client.Patch(ctx, a.name, types.JSONPatchType, body, metav1.PatchOptions{})
	return err
}

// Sync asks for a sync of everything, as the button does: with the options of the
// sync policy, which an operation does not inherit.
func (a *Application) Sync(ctx context.Context) error {
	s, err := a.Get(ctx)
	if err != nil {
		return err
	}
	return a.merge(ctx, map[string]any{"operation": map[string]any{"sync": map[string]any{
		"syncStrategy": map[string]any{"hook": map[string]any{}},
		"syncOptions":  s.Spec.SyncPolicy.SyncOptions,
	}}})
}

const refreshAnnotation = "argocd.argoproj.io/refresh"

// Refresh has Argo CD compare anew, hard without its cache of renders, and waits
// until it has. That it can not reach a repo-server which has just come is no
// comparison: its connection waits some seconds between attempts, so it is asked
// again.
func (a *Application) Refresh(ctx context.Context, hard bool) (State, error) {
	kind := "normal"
	if hard {
		kind = "hard"
	}
	for end := time.Now().Add(time.Minute); ; {
		if err := a.refresh(ctx, kind); err != nil {
			return State{}, err
		}
		s, err := a.Get(ctx)
		unreached := strings.Contains(s.Complaint("ComparisonError"),
			`code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial tcp `)
		if err != nil || !unreached || time.Now().After(end) {
			return s, err
		}
		time.Sleep(time.Second)
	}
}

func (a *Application) refresh(ctx context.Context, kind string) error {
	body := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, refreshAnnotation, kind)
	if _, err := a.client.Patch(ctx, a.name, types.MergePatchType, []byte(body), metav1.PatchOptions{}); err != nil {
		return err
	}
	return until(ctx, 90*time.Second, "Argo CD refreshed the Application "+a.name, func(ctx context.Context) (bool, string) {
		u, err := a.client.Get(ctx, a.name, metav1.GetOptions{})
		return err == nil && u.GetAnnotations()[refreshAnnotation] == "", fmt.Sprintf("not yet (%v)", err)
	})
}
