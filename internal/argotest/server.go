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
	"strings"
	"sync"
	"time"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
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
	// snapshots are lists under way, by their tokens.
	snapshots []snapshot
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
		http.NotFound(w, r) // in plain text, as for a resource that no CRD defines
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
		fail(w, apierrors.NewMethodNotSupported(groupResource(p.resource), strings.ToLower(r.Method)))
	}
}

func (s *Server) create(w http.ResponseWriter, r *http.Request, p place) {
	body, err := readObject(r)
	if err != nil {
		fail(w, err)
		return
	}
	meta, _ := body["metadata"].(map[string]any)
	name, _ := meta["name"].(string)
	switch {
	case name == "":
		fail(w, invalid(p.resource, name, field.Required(field.NewPath("metadata", "name"), "name or generateName is required")))
		return
	case version(body) != "":
		fail(w, apierrors.NewInternalError(errors.New("resourceVersion should not be set on objects to be created")))
		return
	case p.resource == "events":
		s.event(w, body, p)
		return
	}
	meta["namespace"] = p.namespace
	o, err := s.store.update(p.resource, p.namespace+"/"+name, func(old map[string]any) (map[string]any, error) {
		if old != nil {
			return nil, apierrors.NewAlreadyExists(groupResource(p.resource), name)
		}
		return body, nil
	})
	answer(w, http.StatusCreated, o, err)
}

// event notes an Event, if it is one of an object in its own namespace, as
// legacyValidateEvent of Kubernetes demands.
func (s *Server) event(w http.ResponseWriter, body map[string]any, p place) {
	text := func(m map[string]any, k string) string { v, _ := m[k].(string); return v }
	about, _ := body["involvedObject"].(map[string]any)
	if namespace := text(about, "namespace"); namespace != p.namespace {
		fail(w, invalid(p.resource, "", field.Invalid(field.NewPath("involvedObject", "namespace"), namespace, "does not match event.namespace")))
		return
	}
	s.mu.Lock()
	s.events = append(s.events, Event{text(about, "namespace") + "/" + text(about, "name"), text(body, "type"), text(body, "reason"), text(body, "message")})
	s.mu.Unlock()
	data, _ := json.Marshal(body)
	answer(w, http.StatusCreated, &object{data: data}, nil)
}

func readObject(r *http.Request) (map[string]any, error) {
	var body map[string]any
	if err := json.NewDecoder(io.LimitReader(r.Body, 8<<20)).Decode(&body); err != nil {
		return nil, apierrors.NewBadRequest(err.Error() + " (is the client asked to speak JSON?)")
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
			return nil, notFound(p.resource, key)
		case version(body) == "":
			// Neither a Lease nor a custom resource may be updated unconditionally.
			return nil, invalid(p.resource, p.name, field.Invalid(field.NewPath("metadata", "resourceVersion"), "", "must be specified for an update"))
		case version(body) != version(old):
			return nil, modified(p)
		}
		return body, nil
	})
}

func (s *Server) patch(r *http.Request, p place, key string) (*object, error) {
	if kind := r.Header.Get("Content-Type"); kind != "application/json-patch+json" {
		return nil, apierrors.NewGenericServerResponse(http.StatusUnsupportedMediaType, "", groupResource(p.resource), "", "patches of type "+kind+" are not served", 0, false)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 8<<20))
	if err != nil {
		return nil, err
	}
	operations, err := jsonpatch.DecodePatch(body)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	return s.store.update(p.resource, key, func(old map[string]any) (map[string]any, error) {
		if old == nil {
			return nil, notFound(p.resource, key)
		}
		before, err := json.Marshal(old)
		if err != nil {
			return nil, err
		}
		after, err := operations.Apply(before)
		if err != nil {
			// Also for a test that fails. What failed an API server does not say.
			return nil, apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "", schema.GroupResource{}, "", err.Error(), 0, false)
		}
		var o map[string]any
		if err := json.Unmarshal(after, &o); err != nil {
			return nil, err
		}
		if version(o) != version(old) {
			return nil, modified(p)
		}
		return o, nil
	})
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
