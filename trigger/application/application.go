package application

import (
	"errors"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Application is what trigger needs of one. It is small, because a cache holds
// thousands, and immutable once parsed.
type Application struct {
	// ObjectMeta holds name, namespace, UID, resourceVersion and nothing else.
	metav1.ObjectMeta

	// Selected says whether the Application is in trigger's care.
	Selected bool
	// Broken says why as-of can not be moved; nil when it can. It matches
	// [ErrNotMovable].
	Broken error
	// Warnings say which parts have a form that could not be read. They spoil
	// only what depends on them.
	Warnings []string

	// Places are where as-of stands, in the order of the sources.
	Places []Place
	// AsOf is the instant, the latest when the places differ. Zero when Broken.
	AsOf time.Time

	// Images are those of the live resources, as Argo CD lists them.
	Images []string
	// Synced are images of the last sync besides: Argo CD lists what Pods run, and a
	// service that is scaled to none, or whose hook's Pod is gone, has none.
	Synced []string
	// Automated says whether Argo CD syncs by itself.
	Automated bool

	Operation Operation
	History   []Deployment // oldest first; Argo CD records only syncs that succeeded
	Sync      Comparison
	Health    string
	// Conditions that speak of errors, by type.
	Conditions map[string]string

	Settings Settings
	Record   Record
	// Stale says that somebody has put an older record back over Record.
	Stale bool
	// number is the highest of a record, also when a person took the record away;
	// copies are the keys of all copies.
	number int64
	copies []string
	// HasAnnotations says whether there are any: a JSON patch must know.
	HasAnnotations bool
}

// ErrNotMovable is matched by [Application.Broken].
var ErrNotMovable = errors.New("as-of can not be moved")

// Place is one source's as-of parameter.
type Place struct {
	// Path is the JSON pointer of the parameter, such as
	// "/spec/source/plugin/parameters/0".
	Path string
	// Value as it stands there.
	Value string
}

// Key is namespace/name.
func (a *Application) Key() string { return a.Namespace + "/" + a.Name }

// Selected says whether an Application is in the care of trigger watch. People may
// move any other, too.
func Selected(u *unstructured.Unstructured) bool {
	return u.GetDeletionTimestamp() == nil && (u.GetLabels()[SelectKey] == "true" || u.GetAnnotations()[SelectKey] == "true")
}

// Parse reads an Application. It never fails: what can not be read is said in
// Broken and Warnings.
func Parse(u *unstructured.Unstructured) *Application {
	a := &Application{ObjectMeta: metav1.ObjectMeta{
		Name: u.GetName(), Namespace: u.GetNamespace(), UID: u.GetUID(), ResourceVersion: u.GetResourceVersion(),
	}}
	if at := u.GetDeletionTimestamp(); at != nil {
		a.DeletionTimestamp = at
	}
	annotations := u.GetAnnotations()
	a.HasAnnotations = annotations != nil
	a.Selected = Selected(u)
	r := reader{root: u.Object}
	a.parseSource(&r)
	if a.DeletionTimestamp != nil {
		a.Broken, a.AsOf = fmt.Errorf("%w: the Application is being deleted", ErrNotMovable), time.Time{}
	}
	a.parseStatus(&r)
	a.Settings = parseSettings(annotations, &r)
	a.parseRecord(annotations, &r)
	a.Warnings = r.warnings
	return a
}

func (a *Application) parseSource(r *reader) {
	_, a.Automated = r.object("spec", "syncPolicy", "automated")
	if enabled, ok := r.value("spec", "syncPolicy", "automated", "enabled"); ok && enabled == false {
		a.Automated = false
	}
	sources := r.list("spec", "sources")
	plugins := 0
	if len(sources) == 0 {
		if s, ok := r.object("spec", "source"); ok {
			plugins += a.addPlaces(s, "/spec/source")
		}
	}
	for i, s := range sources {
		if s, ok := s.(map[string]any); ok {
			plugins += a.addPlaces(s, fmt.Sprintf("/spec/sources/%d", i))
		}
	}
	switch {
	case a.Broken != nil:
	case plugins == 0:
		a.Broken = fmt.Errorf("%w: no source has a plugin", ErrNotMovable)
	case len(a.Places) == 0:
		a.Broken = fmt.Errorf("%w: no plugin source has a parameter %s; add {name: %s, string: <an instant in RFC 3339>}", ErrNotMovable, Parameter, Parameter)
	}
	for _, p := range a.Places {
		at, err := ParseInstant(p.Value)
		if err != nil {
			a.Broken = fmt.Errorf("%w: the parameter at %s: %w", ErrNotMovable, p.Path, err)
			a.AsOf = time.Time{}
			return
		}
		if at.After(a.AsOf) {
			a.AsOf = at
		}
	}
	if a.Broken != nil {
		a.AsOf = time.Time{}
	}
}

// addPlaces notes the as-of parameters of a source and says whether, as 1 or 0,
// it has a plugin.
func (a *Application) addPlaces(source map[string]any, path string) int {
	plugin, ok := source["plugin"].(map[string]any)
	if !ok {
		return 0
	}
	parameters, _ := plugin["parameters"].([]any)
	seen := false
	for i, p := range parameters {
		p, ok := p.(map[string]any)
		if !ok || p["name"] != Parameter {
			continue
		}
		at := fmt.Sprintf("%s/plugin/parameters/%d", path, i)
		value, ok := p["string"].(string)
		if !ok {
			a.Broken = fmt.Errorf("%w: the parameter at %s has no string; make it {name: %s, string: <an instant in RFC 3339>}", ErrNotMovable, at, Parameter)
			continue
		}
		if seen {
			a.Broken = fmt.Errorf("%w: the parameter at %s is there twice", ErrNotMovable, at)
		}
		seen = true
		a.Places = append(a.Places, Place{Path: at, Value: value})
	}
	return 1
}

// ParseInstant reads an instant as generate does.
func ParseInstant(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("found %q, want an instant in RFC 3339, such as 2026-11-20T12:00:00Z", s)
	}
	return t.UTC(), nil
}

// FormatInstant writes an instant in UTC. Those that trigger chooses have whole
// seconds; one that a person set keeps its fraction.
func FormatInstant(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// reader gets at parts of an object without failing.
type reader struct {
	root     map[string]any
	warnings []string
}

func (r *reader) warn(format string, args ...any) {
	if len(r.warnings) < 8 {
		r.warnings = append(r.warnings, fmt.Sprintf(format, args...))
	}
}

// value gives what is at a path; a wrong form on the way there is a warning.
func (r *reader) value(path ...string) (any, bool) {
	return r.valueIn(r.root, path...)
}

func (r *reader) valueIn(in map[string]any, path ...string) (any, bool) {
	for i, key := range path {
		v, ok := in[key]
		if !ok || v == nil {
			return nil, false
		}
		if i == len(path)-1 {
			return v, true
		}
		if in, ok = v.(map[string]any); !ok {
			r.warn("%s is not an object", strings.Join(path[:i+1], "."))
			return nil, false
		}
	}
	return nil, false
}

func get[T any](r *reader, in map[string]any, want string, path ...string) (T, bool) {
	var zero T
	v, ok := r.valueIn(in, path...)
	if !ok {
		return zero, false
	}
	t, ok := v.(T)
	if !ok {
		r.warn("%s is not %s", strings.Join(path, "."), want)
	}
	return t, ok
}

func (r *reader) object(path ...string) (map[string]any, bool) {
	return get[map[string]any](r, r.root, "an object", path...)
}

func (r *reader) list(path ...string) []any {
	l, _ := get[[]any](r, r.root, "a list", path...)
	return l
}

func (r *reader) text(in map[string]any, path ...string) string {
	s, _ := get[string](r, in, "a string", path...)
	return s
}

func (r *reader) time(in map[string]any, path ...string) time.Time {
	s := r.text(in, path...)
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		r.warn("%s is %q, no time", strings.Join(path, "."), s)
	}
	return t.UTC()
}
