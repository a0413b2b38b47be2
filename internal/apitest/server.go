// Package apitest is an API server in memory for tests and benchmarks: it lists
// and watches, answers access reviews, gives logs, proxies and forwards ports,
// counts what it is asked, and fails when it is told to.
package apitest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	authv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Server is the API server. Its function fields may be set before it is used.
type Server struct {
	// URL of the server.
	URL string
	// Deny says whether a right is refused, in reviews and in requests. Optional.
	Deny func(verb, resource string) bool
	// Intercept may answer a request itself; it says whether it did. Optional.
	Intercept func(w http.ResponseWriter, r *http.Request) bool
	// Namespaces that exist besides Namespace. Optional.
	Namespace string

	http *httptest.Server

	mu       sync.Mutex
	version  int
	oldest   int                                  // changes up to this version are forgotten
	objects  map[string]map[string]runtime.Object // resource → name
	log      []entry
	grown    chan struct{}
	counts   map[string]int
	logs     map[string]string
	events   []corev1.Event
	shutdown chan struct{}
	cut      chan struct{}
}

type entry struct {
	version  int
	resource string
	kind     string // ADDED, MODIFIED, DELETED
	object   runtime.Object
}

// New starts a server with one empty namespace. It ends with the test.
func New(t testing.TB, namespace string) *Server {
	s := &Server{
		Namespace: namespace, version: 100, objects: map[string]map[string]runtime.Object{}, grown: make(chan struct{}),
		counts: map[string]int{}, logs: map[string]string{}, shutdown: make(chan struct{}), cut: make(chan struct{}),
	}
	s.http = httptest.NewServer(http.HandlerFunc(s.serve))
	s.URL = s.http.URL
	t.Cleanup(s.Close)
	return s
}

// Close ends the server and every connection to it.
func (s *Server) Close() {
	s.mu.Lock()
	select {
	case <-s.shutdown:
		s.mu.Unlock()
		return
	default:
		close(s.shutdown)
	}
	s.mu.Unlock()
	s.http.CloseClientConnections()
	s.http.Close()
}

// CutWatches ends every watch that is open.
func (s *Server) CutWatches() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.cut)
	s.cut = make(chan struct{})
}

// Forget drops the changes so far, as etcd's compaction does: a watch from before is
// told that it is too old.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log, s.oldest = nil, s.version
}

// Kubeconfig writes a kubeconfig for the server and gives its path.
func (s *Server) Kubeconfig(t testing.TB) string {
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: test
clusters: [{name: test, cluster: {server: %q}}]
users: [{name: test, user: {}}]
contexts: [{name: test, context: {cluster: test, user: test, namespace: %s}}]
`, s.URL, s.Namespace)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Count is how often "list pods", "watch pods" and the like were asked.
func (s *Server) Count(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[what]
}

// Events are those that were created.
func (s *Server) Events() []corev1.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]corev1.Event(nil), s.events...)
}

// SetLog sets the log of a Pod's container.
func (s *Server) SetLog(pod, container, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logs[pod+"/"+container] = text
}

// Put adds an object or replaces the one of its name.
func (s *Server) Put(resource string, o runtime.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := meta.Accessor(o)
	if err != nil {
		panic(err)
	}
	s.version++
	m.SetResourceVersion(strconv.Itoa(s.version))
	if m.GetNamespace() == "" {
		m.SetNamespace(s.Namespace)
	}
	kind := "MODIFIED"
	if s.objects[resource] == nil {
		s.objects[resource] = map[string]runtime.Object{}
	}
	if s.objects[resource][m.GetName()] == nil {
		kind = "ADDED"
	}
	o = o.DeepCopyObject()
	s.objects[resource][m.GetName()] = o
	s.append(entry{s.version, resource, kind, o})
}

// Get gives a copy of an object, nil when there is none.
func (s *Server) Get(resource, name string) runtime.Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.objects[resource][name]; o != nil {
		return o.DeepCopyObject()
	}
	return nil
}

// Delete removes an object.
func (s *Server) Delete(resource, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[resource][name]
	if o == nil {
		return
	}
	delete(s.objects[resource], name)
	s.version++
	o = o.DeepCopyObject()
	if m, err := meta.Accessor(o); err == nil {
		m.SetResourceVersion(strconv.Itoa(s.version))
	}
	s.append(entry{s.version, resource, "DELETED", o})
}

func (s *Server) append(e entry) {
	s.log = append(s.log, e)
	close(s.grown)
	s.grown = make(chan struct{})
}

func (s *Server) count(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[what]++
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if s.Intercept != nil && s.Intercept(w, r) {
		return
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case strings.HasSuffix(r.URL.Path, "/selfsubjectrulesreviews"):
		s.count("rulesreview")
		s.rulesReview(w)
	case strings.HasSuffix(r.URL.Path, "/selfsubjectaccessreviews"):
		s.count("accessreview")
		s.accessReview(w, r)
	case len(parts) >= 3 && parts[0] == "api" && parts[2] == "namespaces":
		s.core(w, r, parts[3:])
	case len(parts) == 6 && parts[0] == "apis" && parts[3] == "namespaces":
		s.collection(w, r, parts[4], parts[5], parts[1]+"/"+parts[2])
	default:
		fail(w, http.StatusNotFound, "NotFound", "no such path "+r.URL.Path)
	}
}

func (s *Server) core(w http.ResponseWriter, r *http.Request, rest []string) {
	switch {
	case len(rest) == 1:
		if rest[0] != s.Namespace {
			fail(w, http.StatusNotFound, "NotFound", "namespaces "+rest[0]+" not found")
			return
		}
		reply(w, &corev1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: metav1.ObjectMeta{Name: rest[0]}})
	case len(rest) == 2 && rest[1] == "events" && r.Method == http.MethodPost:
		var e corev1.Event
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
			fail(w, http.StatusBadRequest, "BadRequest", err.Error())
			return
		}
		s.mu.Lock()
		s.events = append(s.events, e)
		s.mu.Unlock()
		reply(w, &e)
	case len(rest) == 2:
		s.collection(w, r, rest[0], rest[1], "v1")
	case len(rest) == 4 && rest[3] == "log":
		s.count("get pods/log")
		s.mu.Lock()
		text, ok := s.logs[rest[2]+"/"+r.URL.Query().Get("container")]
		s.mu.Unlock()
		if !ok {
			fail(w, http.StatusBadRequest, "BadRequest", "no log")
			return
		}
		fmt.Fprint(w, text)
	case len(rest) >= 4 && rest[3] == "proxy":
		s.proxy(w, r, rest[1], rest[2], "/"+strings.Join(rest[4:], "/"))
	case len(rest) == 4 && rest[3] == "portforward":
		s.portForward(w, r, rest[2])
	default:
		fail(w, http.StatusNotFound, "NotFound", "no such path "+r.URL.Path)
	}
}

func (s *Server) rulesReview(w http.ResponseWriter) {
	review := authv1.SelfSubjectRulesReview{TypeMeta: metav1.TypeMeta{APIVersion: "authorization.k8s.io/v1", Kind: "SelfSubjectRulesReview"}}
	if s.Deny == nil {
		review.Status.ResourceRules = []authv1.ResourceRule{{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}}}
	}
	reply(w, &review)
}

func (s *Server) accessReview(w http.ResponseWriter, r *http.Request) {
	var review authv1.SelfSubjectAccessReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil || review.Spec.ResourceAttributes == nil {
		fail(w, http.StatusBadRequest, "BadRequest", fmt.Sprint(err))
		return
	}
	a := review.Spec.ResourceAttributes
	resource := a.Resource
	if a.Subresource != "" {
		resource += "/" + a.Subresource
	}
	review.Status.Allowed = s.Deny == nil || !s.Deny(a.Verb, resource)
	reply(w, &review)
}

func reply(w http.ResponseWriter, o any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(o)
}

func fail(w http.ResponseWriter, code int, reason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   "Failure", Reason: metav1.StatusReason(reason), Message: message, Code: int32(code),
	})
}
