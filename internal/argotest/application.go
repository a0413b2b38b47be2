package argotest

import (
	"encoding/json"
	"fmt"
	"time"
)

const resource = "applications"

// App says how to make an Application.
type App struct {
	Namespace, Name string
	AsOf            string   // empty leaves the parameter out
	Images          []string // of status.summary
	Labels          map[string]string
	Annotations     map[string]string
	// MultiSource puts the plugin source second, behind one without a plugin.
	MultiSource bool
	// Change may change the object before it is stored. Optional.
	Change func(map[string]any)
}

// Add stores an Application, selected and synced, with a history entry at its
// instant.
func (s *Server) Add(a App) {
	if a.Namespace == "" {
		a.Namespace = "argocd"
	}
	labels := map[string]any{"staging.nova/trigger": "true"}
	for k, v := range a.Labels {
		labels[k] = v
	}
	parameters := []any{map[string]any{"name": "other", "string": "x"}}
	if a.AsOf != "" {
		parameters = append(parameters, map[string]any{"name": "as-of", "string": a.AsOf})
	}
	source := map[string]any{
		"repoURL": "https://github.com/proerror77/Nova.git", "targetRevision": "main", "path": "manifests/nova/overlays/staging",
		"plugin": map[string]any{"name": "nova-generate", "parameters": parameters},
	}
	spec := map[string]any{
		"project": "default", "destination": map[string]any{"server": "https://kubernetes.default.svc", "namespace": "nova"},
		"syncPolicy": map[string]any{"automated": map[string]any{"prune": true, "selfHeal": true}},
	}
	if a.MultiSource {
		spec["sources"] = []any{map[string]any{"repoURL": "https://github.com/proerror77/values.git", "ref": "values"}, source}
	} else {
		spec["source"] = source
	}
	images := []any{}
	for _, i := range a.Images {
		images = append(images, i)
	}
	meta := map[string]any{"name": a.Name, "namespace": a.Namespace, "labels": labels}
	if len(a.Annotations) > 0 {
		annotations := map[string]any{}
		for k, v := range a.Annotations {
			annotations[k] = v
		}
		meta["annotations"] = annotations
	}
	now := stamp()
	status := map[string]any{
		"summary": map[string]any{"images": images}, "health": map[string]any{"status": "Healthy"}, "reconciledAt": now,
		"sync":    map[string]any{"status": "Synced", "revision": Revision, "comparedTo": sourcesOf(spec)},
		"history": []any{history(1, spec, now)},
	}
	o := map[string]any{"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": meta, "spec": spec, "status": status}
	if a.Change != nil {
		a.Change(o)
	}
	if _, err := s.store.update(resource, a.Namespace+"/"+a.Name, func(map[string]any) (map[string]any, error) { return o, nil }); err != nil {
		panic(err)
	}
}

// Revision is that of every sync.
const Revision = "8cf41a89ce53a8f9a1e0a6c2f5c1fb8a5f7ee3b1"

// stamp is the present as Argo CD writes it: in whole seconds, so that two
// comparisons, and two syncs, may have the same.
func stamp() string { return time.Now().UTC().Format(time.RFC3339) }

func history(id int, spec map[string]any, at string) map[string]any {
	h := sourcesOf(spec)
	h["id"], h["revision"], h["deployedAt"] = id, Revision, at
	return h
}

// sourcesOf copies what a status has of a spec.
func sourcesOf(spec map[string]any) map[string]any {
	out := map[string]any{}
	for _, key := range []string{"source", "sources"} {
		if v, ok := spec[key]; ok {
			out[key] = clone(v)
		}
	}
	return out
}

func clone(v any) any {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	var out any
	if err := json.Unmarshal(data, &out); err != nil {
		panic(err)
	}
	return out
}

// Update changes an Application as somebody else does.
func (s *Server) Update(namespace, name string, f func(map[string]any)) {
	if _, err := s.store.update(resource, namespace+"/"+name, func(o map[string]any) (map[string]any, error) {
		if o == nil {
			return nil, notFound(resource, namespace+"/"+name)
		}
		f(o)
		return o, nil
	}); err != nil {
		panic(fmt.Sprintf("update %s/%s: %v", namespace, name, err))
	}
}

// Remove deletes an Application.
func (s *Server) Remove(namespace, name string) {
	if _, err := s.store.update(resource, namespace+"/"+name, func(map[string]any) (map[string]any, error) { return nil, nil }); err != nil {
		panic(err)
	}
}

// Get gives an Application as it is.
func (s *Server) Get(namespace, name string) map[string]any {
	o, err := s.store.get(resource, namespace+"/"+name)
	if err != nil {
		panic(err)
	}
	var m map[string]any
	if err := json.Unmarshal(o.data, &m); err != nil {
		panic(err)
	}
	return m
}

// AsOf is where an Application's instant stands.
func (s *Server) AsOf(namespace, name string) string {
	spec, _ := s.Get(namespace, name)["spec"].(map[string]any)
	return asOf(spec)
}

// Annotation of an Application.
func (s *Server) Annotation(namespace, name, key string) string {
	v, _ := Annotations(s.Get(namespace, name))[key].(string)
	return v
}

// Annotations of an Application, as [Server.Get] and [Server.Update] give it, to read
// and to write; they are made where there are none.
func Annotations(o map[string]any) map[string]any {
	meta, _ := o["metadata"].(map[string]any)
	annotations, _ := meta["annotations"].(map[string]any)
	if annotations == nil {
		annotations = map[string]any{}
		meta["annotations"] = annotations
	}
	return annotations
}

func plugins(spec map[string]any) []map[string]any {
	sources, _ := spec["sources"].([]any)
	if len(sources) == 0 {
		sources = []any{spec["source"]}
	}
	var all []map[string]any
	for _, s := range sources {
		s, _ := s.(map[string]any)
		if p, ok := s["plugin"].(map[string]any); ok {
			all = append(all, p)
		}
	}
	return all
}

func asOf(spec map[string]any) string {
	for _, p := range plugins(spec) {
		parameters, _ := p["parameters"].([]any)
		for _, x := range parameters {
			x, _ := x.(map[string]any)
			if x["name"] == "as-of" {
				v, _ := x["string"].(string)
				return v
			}
		}
	}
	return ""
}

// SetAsOf sets an Application's instant as a person does.
func SetAsOf(o map[string]any, at string) {
	spec, _ := o["spec"].(map[string]any)
	for _, p := range plugins(spec) {
		parameters, _ := p["parameters"].([]any)
		for _, x := range parameters {
			if x, _ := x.(map[string]any); x["name"] == "as-of" {
				x["string"] = at
			}
		}
	}
}
