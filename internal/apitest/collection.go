package apitest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

var kinds = map[string]string{
	"deployments": "Deployment", "replicasets": "ReplicaSet", "pods": "Pod", "services": "Service",
	"endpointslices": "EndpointSlice", "configmaps": "ConfigMap",
}

// typed writes kind and version into an object's JSON, as a server does.
func typed(o runtime.Object, version, kind string) runtime.Object {
	c := o.DeepCopyObject()
	a, err := meta.TypeAccessor(c)
	if err == nil {
		a.SetAPIVersion(version)
		a.SetKind(kind)
	}
	return c
}

func (s *Server) collection(w http.ResponseWriter, r *http.Request, namespace, resource, version string) {
	verb := "list"
	if r.URL.Query().Get("watch") != "" {
		verb = "watch"
	}
	s.count(verb + " " + resource)
	if s.Deny != nil && s.Deny(verb, resource) {
		fail(w, http.StatusForbidden, "Forbidden", resource+" is forbidden: cannot "+verb)
		return
	}
	only := strings.TrimPrefix(r.URL.Query().Get("fieldSelector"), "metadata.name=")
	if verb == "watch" {
		s.watch(w, r, namespace, resource, version, only)
		return
	}
	s.mu.Lock()
	items := []runtime.Object{}
	for name, o := range s.objects[resource] {
		if m, err := meta.Accessor(o); err == nil && m.GetNamespace() == namespace && (only == "" || only == name) {
			items = append(items, o)
		}
	}
	at := s.version
	s.mu.Unlock()
	slices.SortFunc(items, func(a, b runtime.Object) int {
		x, _ := meta.Accessor(a)
		y, _ := meta.Accessor(b)
		return strings.Compare(x.GetName(), y.GetName())
	})
	reply(w, map[string]any{
		"apiVersion": version, "kind": kinds[resource] + "List",
		"metadata": map[string]string{"resourceVersion": strconv.Itoa(at)}, "items": items,
	})
}

func (s *Server) watch(w http.ResponseWriter, r *http.Request, namespace, resource, version, only string) {
	since, _ := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	flusher, _ := w.(http.Flusher)
	flusher.Flush()
	enc := json.NewEncoder(w)
	s.mu.Lock()
	cut := s.cut
	s.mu.Unlock()
	for {
		s.mu.Lock()
		var fresh []entry
		for i := len(s.log) - 1; i >= 0 && s.log[i].version > since; i-- {
			fresh = append(fresh, s.log[i])
		}
		grown, gone := s.grown, since < s.oldest
		s.mu.Unlock()
		if gone {
			status := apierrors.NewResourceExpired("too old resource version: " + strconv.Itoa(since)).Status()
			status.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
			_ = enc.Encode(map[string]any{"type": "ERROR", "object": status})
			return
		}
		slices.Reverse(fresh)
		for _, e := range fresh {
			since = e.version
			m, err := meta.Accessor(e.object)
			if e.resource != resource || err != nil || m.GetNamespace() != namespace || (only != "" && m.GetName() != only) {
				continue
			}
			if enc.Encode(map[string]any{"type": e.kind, "object": typed(e.object, version, kinds[resource])}) != nil {
				return
			}
		}
		flusher.Flush()
		select {
		case <-grown:
		case <-cut:
			// How far it came, as shortly before a watch's time is up.
			if r.URL.Query().Get("allowWatchBookmarks") == "true" {
				_ = enc.Encode(map[string]any{"type": "BOOKMARK", "object": map[string]any{
					"apiVersion": version, "kind": kinds[resource], "metadata": map[string]string{"resourceVersion": strconv.Itoa(since)},
				}})
			}
			return
		case <-s.shutdown:
			return
		case <-r.Context().Done():
			return
		}
	}
}
