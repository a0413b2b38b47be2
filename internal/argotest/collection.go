package argotest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// snapshot is the rest of a list that is read in pages: an API server answers them
// all as of the first.
type snapshot struct {
	at   int
	rest []*object
}

// maxSnapshots is how many lists may be read in pages at a time.
const maxSnapshots = 100

func selectorOf(q url.Values) (labels.Selector, error) {
	selector, err := labels.Parse(q.Get("labelSelector"))
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	return selector, nil
}

// selected gives a namespace's objects that a selector wants.
func (s *Server) selected(p place, selector labels.Selector) snapshot {
	objects, at := s.store.list(p.resource, p.namespace)
	return snapshot{at, slices.DeleteFunc(objects, func(o *object) bool { return !selector.Matches(labels.Set(o.labels)) })}
}

func (s *Server) list(w http.ResponseWriter, r *http.Request, p place) {
	q := r.URL.Query()
	selector, err := selectorOf(q)
	if err != nil {
		fail(w, err)
		return
	}
	page := s.selected(p, selector)
	if token := q.Get("continue"); token != "" {
		if page, err = s.resume(token); err != nil {
			fail(w, err)
			return
		}
	}
	next := ""
	if limit, _ := strconv.Atoi(q.Get("limit")); limit > 0 && len(page.rest) > limit {
		next = s.keep(snapshot{page.at, page.rest[limit:]})
		page.rest = page.rest[:limit]
	}
	items := []json.RawMessage{}
	for _, o := range page.rest {
		items = append(items, o.data)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"apiVersion": p.version, "kind": kinds[p.resource] + "List",
		"metadata": map[string]string{"resourceVersion": strconv.Itoa(page.at), "continue": next}, "items": items,
	})
}

// keep remembers the rest of a list and gives the token for it.
func (s *Server) keep(rest snapshot) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.snapshots = append(s.snapshots, rest)
	if n := len(s.snapshots); n > maxSnapshots {
		s.snapshots[n-maxSnapshots-1] = snapshot{}
	}
	return strconv.Itoa(len(s.snapshots) - 1)
}

func (s *Server) resume(token string) (snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, err := strconv.Atoi(token)
	switch {
	case err != nil || i < 0 || i >= len(s.snapshots):
		return snapshot{}, apierrors.NewBadRequest("continue key is not valid: " + strconv.Quote(token))
	case s.snapshots[i].at == 0:
		return snapshot{}, apierrors.NewResourceExpired("The provided continue parameter is too old to display a consistent list result.")
	}
	return s.snapshots[i], nil
}

func (s *Server) watch(w http.ResponseWriter, r *http.Request, p place) {
	q := r.URL.Query()
	selector, err := selectorOf(q)
	if err != nil {
		fail(w, err)
		return
	}
	s.mu.Lock()
	cut := s.cut
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	flusher, _ := w.(http.Flusher)
	send := func(kind string, data []byte) bool {
		_, err := fmt.Fprintf(w, `{"type":%q,"object":%s}`+"\n", kind, data)
		return err == nil
	}
	bookmark := func(at int, annotations map[string]string) bool {
		data, _ := json.Marshal(map[string]any{"apiVersion": p.version, "kind": kinds[p.resource], "metadata": map[string]any{
			"resourceVersion": strconv.Itoa(at), "annotations": annotations,
		}})
		return send("BOOKMARK", data)
	}
	at, _ := strconv.Atoi(q.Get("resourceVersion"))
	initial := q.Get("sendInitialEvents") == "true"
	if initial || at == 0 {
		first := s.selected(p, selector)
		for _, o := range first.rest {
			if !send("ADDED", o.data) {
				return
			}
		}
		at = first.at
	}
	if initial && !bookmark(at, map[string]string{metav1.InitialEventsAnnotationKey: "true"}) {
		return
	}
	flusher.Flush()
	for {
		fresh, grown, gone := s.store.since(at)
		if gone {
			status := apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %d", at)).Status()
			status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
			data, _ := json.Marshal(status)
			send("ERROR", data)
			return
		}
		for _, c := range fresh {
			at = c.version
			if c.resource != p.resource {
				continue
			}
			if kind, data := c.seen(p.namespace, selector); kind != "" && !send(kind, data) {
				return
			}
		}
		flusher.Flush()
		select {
		case <-grown:
		case <-cut:
			// How far it came, as shortly before a watch's time is up.
			if q.Get("allowWatchBookmarks") == "true" {
				bookmark(at, nil)
			}
			return
		case <-s.shutdown:
			return
		case <-r.Context().Done():
			return
		}
	}
}
