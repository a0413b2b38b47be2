package world

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// RenderOverlay lets Argo CD render another of Nova's overlays at an instant, in an
// Application that deploys nothing and is deleted again. It gives the manifests, each
// as JSON.
func (w *World) RenderOverlay(ctx context.Context, overlay, asOf string) ([]string, error) {
	name := "nova-" + overlay
	app := map[string]any{
		"metadata": map[string]any{"name": name, "namespace": "argocd"},
		"spec": map[string]any{
			"project": "default",
			"source": map[string]any{
				"repoURL": gitInCluster + "proerror77/Nova.git", "targetRevision": "main",
				"path": "manifests/nova/overlays/" + overlay,
				"plugin": map[string]any{
					"name":       "nova-generate",
					"parameters": []any{map[string]any{"name": "as-of", "string": asOf}},
				},
			},
			"destination": map[string]any{"server": "https://kubernetes.default.svc", "namespace": name},
		},
	}
	if _, err := w.ArgoCD.ask(ctx, http.MethodPost, "/api/v1/applications?validate=false", app); err != nil {
		return nil, fmt.Errorf("create the Application %s: %w", name, err)
	}
	body, err := w.ArgoCD.ask(ctx, http.MethodGet, "/api/v1/applications/"+name+"/manifests", nil)
	if _, err := w.ArgoCD.ask(ctx, http.MethodDelete, "/api/v1/applications/"+name+"?cascade=false", nil); err != nil {
		return nil, fmt.Errorf("delete the Application %s: %w", name, err)
	}
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", overlay, err)
	}
	var answer struct {
		Manifests []string `json:"manifests"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("render %s: %w", overlay, err)
	}
	return answer.Manifests, nil
}
