package argotest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
)

// object is one stored object, whole and encoded.
type object struct {
	namespace, name string
	version         int
	labels          map[string]string
	data            []byte
}

type change struct {
	version  int
	resource string
	kind     string // ADDED, MODIFIED, DELETED
	object   *object
}

// store is every resource's objects and the changes to them.
type store struct {
	mu      sync.Mutex
	version int
	objects map[string]map[string]*object // resource → namespace/name
	log     []change
	oldest  int // changes up to this version are forgotten
	grown   chan struct{}
}

// keep is how many changes a watch may be behind.
const keep = 20_000

func newStore() *store {
	return &store{version: 1000, oldest: 1000, objects: map[string]map[string]*object{}, grown: make(chan struct{})}
}

type statusError struct {
	code            int
	reason, message string
}

func (s *statusError) Error() string { return s.message }

func failure(code int, reason, format string, args ...any) error {
	return &statusError{code, reason, fmt.Sprintf(format, args...)}
}

func notFound(resource, name string) error {
	return failure(http.StatusNotFound, "NotFound", "%s %q not found", resource, name)
}

func (s *store) get(resource, key string) (*object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.objects[resource][key]; o != nil {
		return o, nil
	}
	return nil, notFound(resource, key)
}

// update replaces an object by what f makes of it; nil creates, f giving nil
// deletes.
func (s *store) update(resource, key string, f func(old map[string]any) (map[string]any, error)) (*object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.objects[resource][key]
	var before map[string]any
	if old != nil {
		if err := json.Unmarshal(old.data, &before); err != nil {
			return nil, err
		}
	}
	after, err := f(before)
	if err != nil {
		return nil, err
	}
	s.version++
	c := change{version: s.version, resource: resource, kind: "MODIFIED"}
	switch {
	case after == nil && old == nil:
		return nil, notFound(resource, key)
	case after == nil:
		c.kind, c.object = "DELETED", old
		delete(s.objects[resource], key)
	default:
		meta, _ := after["metadata"].(map[string]any)
		if meta == nil {
			return nil, failure(http.StatusUnprocessableEntity, "Invalid", "%s %q has no metadata", resource, key)
		}
		meta["resourceVersion"] = strconv.Itoa(s.version)
		if meta["uid"] == nil {
			meta["uid"] = "uid-" + key
		}
		o := &object{version: s.version, labels: map[string]string{}}
		o.namespace, _ = meta["namespace"].(string)
		o.name, _ = meta["name"].(string)
		labels, _ := meta["labels"].(map[string]any)
		for k, v := range labels {
			o.labels[k], _ = v.(string)
		}
		if o.data, err = json.Marshal(after); err != nil {
			return nil, err
		}
		if old == nil {
			c.kind = "ADDED"
		}
		if s.objects[resource] == nil {
			s.objects[resource] = map[string]*object{}
		}
		s.objects[resource][key] = o
		c.object = o
	}
	s.log = append(s.log, c)
	if len(s.log) > 2*keep {
		s.oldest = s.log[len(s.log)-keep-1].version
		s.log = slices.Clone(s.log[len(s.log)-keep:])
	}
	close(s.grown)
	s.grown = make(chan struct{})
	return c.object, nil
}

// list gives the objects of a namespace, or of all, by name.
func (s *store) list(resource, namespace string) ([]*object, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*object
	for _, o := range s.objects[resource] {
		if namespace == "" || o.namespace == namespace {
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b *object) int {
		switch x, y := a.namespace+"/"+a.name, b.namespace+"/"+b.name; {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	return all, s.version
}

// since gives the changes after a version, and what is closed at the next one.
func (s *store) since(version int) (fresh []change, grown <-chan struct{}, gone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if version < s.oldest {
		return nil, nil, true
	}
	i := len(s.log)
	for i > 0 && s.log[i-1].version > version {
		i--
	}
	return slices.Clone(s.log[i:]), s.grown, false
}
