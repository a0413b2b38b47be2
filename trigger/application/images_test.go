package application

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestImagesAreThoseThatRunOrElseThoseOfTheLastSync(t *testing.T) {
	t.Parallel()
	synced := map[string]any{"syncResult": map[string]any{"resources": []any{
		map[string]any{"kind": "Service", "name": "auth"},
		map[string]any{"kind": "Deployment", "name": "auth", "images": []any{"registry/auth:2", "registry/proxy:1"}},
		map[string]any{"kind": "Deployment", "name": "user", "images": []any{"registry/user:2", "registry/proxy:1"}},
		map[string]any{"kind": "Deployment", "name": "old", "images": []any{"registry/old:1"}, "status": "Pruned"},
	}}}
	for _, c := range []struct {
		name   string
		status map[string]any
		want   []string
		synced []string // besides
		warned bool
	}{
		{"Argo CD lists what runs", map[string]any{"summary": map[string]any{"images": []any{"registry/auth:1"}}, "operationState": synced}, []string{"registry/auth:1"}, []string{"registry/auth:2", "registry/proxy:1", "registry/user:2"}, false},
		{"all of the last sync runs", map[string]any{"summary": map[string]any{"images": []any{"registry/auth:2", "registry/proxy:1", "registry/user:2"}}, "operationState": synced}, []string{"registry/auth:2", "registry/proxy:1", "registry/user:2"}, nil, false},
		{"the project hides Pods", map[string]any{"summary": map[string]any{}, "operationState": synced}, []string{"registry/auth:2", "registry/proxy:1", "registry/user:2"}, nil, true},
		{"nothing was synced yet", map[string]any{}, nil, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := Parse(&unstructured.Unstructured{Object: map[string]any{
				"metadata": map[string]any{"name": "a", "labels": map[string]any{SelectKey: "true"}},
				"spec":     map[string]any{"source": map[string]any{"plugin": map[string]any{"parameters": []any{map[string]any{"name": Parameter, "string": "2026-11-20T12:00:00Z"}}}}},
				"status":   c.status,
			}})
			if !slices.Equal(a.Images, c.want) || !slices.Equal(a.Synced, c.synced) {
				t.Errorf("images %q and %q, want %q and %q", a.Images, a.Synced, c.want, c.synced)
			}
			if all := slices.Sorted(slices.Values(a.Operation.Images)); c.status["operationState"] != nil && !slices.Equal(all, []string{"registry/auth:2", "registry/proxy:1", "registry/user:2"}) {
				t.Errorf("the sync's images are %q", all)
			}
			if got := strings.Contains(strings.Join(a.Warnings, "\n"), "namespaceResourceWhitelist"); got != c.warned {
				t.Errorf("warnings %q", a.Warnings)
			}
		})
	}
}
