package argotest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/labels"
)

// Server is the API server. Make it with [New].
type Server struct {
	URL string
	// Intercept may answer a request itself; it says whether it did. Optional. It
	// must be set before the server is used.
	Intercept func(w http.ResponseWriter, r *http.Request) bool
	// Skew is how far the server's clock is ahead of the real one.
	Skew time.Duration

	http     *httptest.Server
	store    *store
	shutdown chan struct{}

	mu     sync.Mutex
	counts map[string]int
	cut    chan struct{}
	events []Event
}

// Event is a Kubernetes Event that was written.
type Event struct{ Object, Type, Reason, Message string }

// New serves until Close.
func New() *Server {
	s := &Server{store: newStore(), shutdown: make(chan struct{}), counts: map[string]int{}, cut: make(chan struct{})}
	s.http = httptest.NewServer(http.HandlerFunc(s.serve))
	s.URL = s.http.URL
	return s
}

// Close ends the server and every connection to it.
func (s *Server) Close() {
	close(s.shutdown)
	s.http.CloseClientConnections()
	s.http.Close()
}

// Kubeconfig writes a kubeconfig into a folder and gives its path.
func (s *Server) Kubeconfig(dir string) (string, error) {
	path := filepath.Join(dir, "kubeconfig")
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: test
clusters: [{name: test, cluster: {server: %q}}]
users: [{name: test, user: {}}]
contexts: [{name: test, context: {cluster: test, user: test, namespace: argocd}}]
`, s.URL)
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// Count is how often "patch applications" and the like were asked.
func (s *Server) Count(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[what]
}

// Counts are all of them.
func (s *Server) Counts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := map[string]int{}
	for k, v := range s.counts {
		c[k] = v
	}
	return c
}

// Events are those that were written.
func (s *Server) Events() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Event(nil), s.events...)
}

// CutWatches ends every watch that is open.
func (s *Server) CutWatches() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.cut)
	s.cut = make(chan struct{})
}

func (s *Server) count(verb, resource string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[verb+" "+resource]++
}

// place is where a request's path leads.
type place struct{ version, namespace, resource, name string }

func parse(path string) (place, bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	var p place
	switch {
	case parts[0] == "api" && len(parts) > 2:
		p.version, parts = parts[1], parts[2:]
	case parts[0] == "apis" && len(parts) > 3:
		p.version, parts = parts[1]+"/"+parts[2], parts[3:]
	default:
		return p, false
	}
	if parts[0] == "namespaces" && len(parts) > 2 {
		p.namespace, parts = parts[1], parts[2:]
	}
	p.resource = parts[0]
	if len(parts) == 2 {
		p.name = parts[1]
	}
	return p, len(parts) <= 2
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", time.Now().Add(s.Skew).UTC().Format(http.TimeFormat))
	if s.Intercept != nil && s.Intercept(w, r) {
		return
	}
	p, ok := parse(r.URL.Path)
	if !ok {
		fail(w, failure(http.StatusNotFound, "NotFound", "the server could not find the requested resource"))
		return
	}
	key := p.namespace + "/" + p.name
	switch {
	case r.Method == http.MethodGet && p.name != "":
		s.count("get", p.resource)
		o, err := s.store.get(p.resource, key)
		answer(w, http.StatusOK, o, err)
	case r.Method == http.MethodGet && r.URL.Query().Get("watch") != "":
		s.count("watch", p.resource)
		s.watch(w, r, p)
	case r.Method == http.MethodGet:
		s.count("list", p.resource)
		s.list(w, r, p)
	case r.Method == http.MethodPost:
		s.count("create", p.resource)
		s.create(w, r, p)
	case r.Method == http.MethodPut:
		s.count("update", p.resource)
		o, err := s.replace(r, p, key)
		answer(w, http.StatusOK, o, err)
	case r.Method == http.MethodPatch:
		s.count("patch", p.resource)
		o, err := s.patch(r, p, key)
		answer(w, http.StatusOK, o, err)
	default:
		fail(w, failure(http.StatusMethodNotAllowed, "MethodNotAllowed", "%s is not served", r.Method))
	}
}

func (s *Server) create(w http.ResponseWriter, r *http.Request, p place) {
	body, err := readObject(r)
	if err != nil {
		fail(w, err)
		return
	}
	if p.resource == "events" {
		text := func(m map[string]any, k string) string { v, _ := m[k].(string); return v }
		about, _ := body["involvedObject"].(map[string]any)
		s.mu.Lock()
		s.events = append(s.events, Event{text(about, "namespace") + "/" + text(about, "name"), text(body, "type"), text(body, "reason"), text(body, "message")})
		s.mu.Unlock()
		data, _ := json.Marshal(body)
		answer(w, http.StatusCreated, &object{data: data}, nil)
		return
	}
	meta, _ := body["metadata"].(map[string]any)
	if meta == nil {
		fail(w, failure(http.StatusBadRequest, "BadRequest", "no metadata"))
		return
	}
	meta["namespace"] = p.namespace
	name, _ := meta["name"].(string)
	o, err := s.store.update(p.resource, p.namespace+"/"+name, func(old map[string]any) (map[string]any, error) {
		if old != nil {
			return nil, failure(http.StatusConflict, "AlreadyExists", "%s %q already exists", p.resource, name)
		}
		return body, nil
	})
	answer(w, http.StatusCreated, o, err)
}

func readObject(r *http.Request) (map[string]any, error) {
	var body map[string]any
	if err := json.NewDecoder(io.LimitReader(r.Body, 8<<20)).Decode(&body); err != nil {
		return nil, failure(http.StatusBadRequest, "BadRequest", "%v (is the client asked to speak JSON?)", err)
	}
	return body, nil
}

func version(o map[string]any) string {
	meta, _ := o["metadata"].(map[string]any)
	v, _ := meta["resourceVersion"].(string)
	return v
}

func (s *Server) replace(r *http.Request, p place, key string) (*object, error) {
	body, err := readObject(r)
	if err != nil {
		return nil, err
	}
	return s.store.update(p.resource, key, func(old map[string]any) (map[string]any, error) {
		switch {
		case old == nil:
			return nil, notFound(p.resource, p.name)
		case version(body) != "" && version(body) != version(old):
			return nil, failure(http.StatusConflict, "Conflict", "Operation cannot be fulfilled on %s %q: the object has been modified", p.resource, p.name)
		}
		return body, nil
	})
}

func (s *Server) patch(r *http.Request, p place, key string) (*object, error) {
	if kind := r.Header.Get("Content-Type"); kind != "application/json-patch+json" {
		return nil, failure(http.StatusUnsupportedMediaType, "UnsupportedMediaType", "patches of type %s are not served", kind)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 8<<20))
	if err != nil {
		return nil, err
	}
	operations, err := jsonpatch.DecodePatch(body)
	if err != nil {
		return nil, failure(http.StatusBadRequest, "BadRequest", "%v", err)
	}
	return s.store.update(p.resource, key, func(old map[string]any) (map[string]any, error) {
		if old == nil {
			return nil, notFound(p.resource, p.name)
		}
		before, err := json.Marshal(old)
		if err != nil {
			return nil, err
		}
		after, err := operations.Apply(before)
		if err != nil {
			// As an API server answers a test that fails.
			return nil, failure(http.StatusUnprocessableEntity, "Invalid", "the server rejected our request due to an error in our request: %v", err)
		}
		var o map[string]any
		return o, json.Unmarshal(after, &o)
	})
}

func (s *Server) list(w http.ResponseWriter, r *http.Request, p place) {
	q := r.URL.Query()
	objects, at := s.store.list(p.resource, p.namespace)
	selector, err := labels.Parse(q.Get("labelSelector"))
	if err != nil {
		fail(w, failure(http.StatusBadRequest, "BadRequest", "%v", err))
		return
	}
	start, _ := strconv.Atoi(q.Get("continue"))
	limit, _ := strconv.Atoi(q.Get("limit"))
	objects = objects[min(start, len(objects)):]
	next := ""
	if limit > 0 && len(objects) > limit {
		objects, next = objects[:limit], strconv.Itoa(start+limit)
	}
	items := []json.RawMessage{}
	for _, o := range objects {
		if selector.Matches(labels.Set(o.labels)) {
			items = append(items, o.data)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"apiVersion": p.version, "kind": "ApplicationList",
		"metadata": map[string]string{"resourceVersion": strconv.Itoa(at), "continue": next}, "items": items,
	})
}

func (s *Server) watch(w http.ResponseWriter, r *http.Request, p place) {
	q := r.URL.Query()
	selector, err := labels.Parse(q.Get("labelSelector"))
	if err != nil {
		fail(w, failure(http.StatusBadRequest, "BadRequest", "%v", err))
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
	at, _ := strconv.Atoi(q.Get("resourceVersion"))
	if q.Get("sendInitialEvents") == "true" {
		objects, now := s.store.list(p.resource, p.namespace)
		for _, o := range objects {
			if selector.Matches(labels.Set(o.labels)) && !send("ADDED", o.data) {
				return
			}
		}
		at = now
		if !send("BOOKMARK", fmt.Appendf(nil, `{"apiVersion":%q,"kind":"Application","metadata":{"resourceVersion":"%d","annotations":{"k8s.io/initial-events-end":"true"}}}`, p.version, at)) {
			return
		}
	}
	flusher.Flush()
	for {
		fresh, grown, gone := s.store.since(at)
		if gone {
			send("ERROR", []byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410,"message":"too old resource version"}`))
			return
		}
		for _, c := range fresh {
			at = c.version
			if c.resource == p.resource && (p.namespace == "" || c.object.namespace == p.namespace) && selector.Matches(labels.Set(c.object.labels)) && !send(c.kind, c.object.data) {
				return
			}
		}
		flusher.Flush()
		select {
		case <-grown:
		case <-cut:
			return
		case <-s.shutdown:
			return
		case <-r.Context().Done():
			return
		}
	}
}

func answer(w http.ResponseWriter, code int, o *object, err error) {
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(o.data)
}

func fail(w http.ResponseWriter, err error) {
	var s *statusError
	if !errors.As(err, &s) {
		s = &statusError{http.StatusInternalServerError, "InternalError", err.Error()}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(s.code)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": s.reason, "code": s.code, "message": s.message,
	})
}
