package argotest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
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
	before   *object // nil for what was created
	object   *object // nil for what was deleted
}

// seen is what a watch with a selector tells of a change, as convertToWatchEvent of
// k8s.io/apiserver's cacher has it: an object that is not selected any more is
// deleted, as it was before and at the version of the change.
func (c change) seen(namespace string, selector labels.Selector) (kind string, data []byte) {
	selects := func(o *object) bool {
		return o != nil && (namespace == "" || o.namespace == namespace) && selector.Matches(labels.Set(o.labels))
	}
	was, is := selects(c.before), selects(c.object)
	switch {
	case is && was:
		return "MODIFIED", c.object.data
	case is:
		return "ADDED", c.object.data
	case was:
		return "DELETED", c.before.at(c.version)
	}
	return "", nil
}

// at is the object with another version.
func (o *object) at(version int) []byte {
	var m map[string]any
	if err := json.Unmarshal(o.data, &m); err != nil {
		panic(err) // it was encoded here
	}
	meta, _ := m["metadata"].(map[string]any)
	meta["resourceVersion"] = strconv.Itoa(version)
	data, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return data
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
	switch {
	case after == nil && old == nil:
		return nil, notFound(resource, key)
	case after != nil && old != nil && old.same(after):
		return old, nil // as an API server does: no new version, and no event
	}
	s.version++
	c := change{version: s.version, resource: resource, before: old}
	if after == nil {
		delete(s.objects[resource], key)
	} else {
		if c.object, err = s.encode(resource, key, after); err != nil {
			return nil, err
		}
		if s.objects[resource] == nil {
			s.objects[resource] = map[string]*object{}
		}
		s.objects[resource][key] = c.object
	}
	s.log = append(s.log, c)
	if len(s.log) > 2*keep {
		s.oldest = s.log[len(s.log)-keep-1].version
		s.log = slices.Clone(s.log[len(s.log)-keep:])
	}
	close(s.grown)
	s.grown = make(chan struct{})
	if c.object == nil {
		return old, nil
	}
	return c.object, nil
}

// same says whether a write changes nothing but, at most, the version.
func (o *object) same(after map[string]any) bool {
	var before any
	if err := json.Unmarshal(o.data, &before); err != nil {
		panic(err) // it was encoded here
	}
	trim := func(o any) any {
		m, _ := o.(map[string]any)
		if meta, ok := m["metadata"].(map[string]any); ok {
			delete(meta, "resourceVersion")
		}
		return m
	}
	return reflect.DeepEqual(trim(before), trim(clone(after)))
}

// encode gives an object its version and, when it is new, its UID.
func (s *store) encode(resource, key string, after map[string]any) (*object, error) {
	meta, _ := after["metadata"].(map[string]any)
	if meta == nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("%s %q has no metadata", resource, key))
	}
	meta["resourceVersion"] = strconv.Itoa(s.version)
	if uid, _ := meta["uid"].(string); uid == "" {
		meta["uid"] = fmt.Sprintf("uid-%s-%d", key, s.version)
	}
	o := &object{version: s.version, labels: map[string]string{}}
	o.namespace, _ = meta["namespace"].(string)
	o.name, _ = meta["name"].(string)
	labels, _ := meta["labels"].(map[string]any)
	for k, v := range labels {
		o.labels[k], _ = v.(string)
	}
	var err error
	o.data, err = json.Marshal(after)
	return o, err
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
