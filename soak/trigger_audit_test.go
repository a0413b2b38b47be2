package soak

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// The audit reads every version of every Application that the API server ever
// had, and knows trigger's promises but none of its code.

const (
	keyRecord  = "trigger.staging.nova/record"
	keyVerdict = "trigger.staging.nova/verdict"
	keyHold    = "trigger.staging.nova/hold"
	// keyEdit counts the changes by others: a version with a new count is theirs.
	keyEdit = "soak.example.com/edit"
)

// edition is one version of an Application.
type edition struct {
	number string
	asOf   time.Time
	hold   string
	edit   string
	// record as trigger wrote it last, raw and read.
	raw    string
	record record
	// rest is all that trigger must not change, as JSON.
	rest string
	// of Argo CD's status
	running  bool
	finished string // when the last sync began that has ended
	failed   bool   // and failed
	synced   time.Time
	history  map[int64]time.Time
}

type record struct {
	Number           int64
	Instant, Bad     time.Time
	Kind, Verdict    string
	Message          string
	BadMessage, From string
	Pending          *struct{ Newest time.Time }
}

type tree = map[string]any

func at(o any, path ...string) any {
	for _, key := range path {
		m, _ := o.(tree)
		o = m[key]
	}
	return o
}

// asOfIn finds the instant in a spec or in a part of the status, and blanks it.
func asOfIn(o any) (found time.Time) {
	sources, _ := at(o, "sources").([]any)
	if s := at(o, "source"); s != nil {
		sources = append(sources, s)
	}
	for _, s := range sources {
		parameters, _ := at(s, "plugin", "parameters").([]any)
		for _, p := range parameters {
			if p, _ := p.(tree); p["name"] == "as-of" {
				text, _ := p["string"].(string)
				found, _ = time.Parse(time.RFC3339, text)
				p["string"] = ""
			}
		}
	}
	return found
}

func readEdition(data []byte) (*edition, error) {
	var o tree
	if err := json.Unmarshal(data, &o); err != nil {
		return nil, err
	}
	v := &edition{history: map[int64]time.Time{}}
	v.number, _ = at(o, "metadata", "resourceVersion").(string)
	v.asOf = asOfIn(at(o, "spec"))
	annotations, _ := at(o, "metadata", "annotations").(tree)
	v.hold, _ = annotations[keyHold].(string)
	v.edit, _ = annotations[keyEdit].(string)
	// Of the record and its copies the highest number counts.
	for key, text := range annotations {
		if key != keyRecord && !strings.HasPrefix(key, keyRecord+".") {
			continue
		}
		var r record
		raw, _ := text.(string)
		if err := json.Unmarshal([]byte(raw), &r); err != nil {
			return nil, fmt.Errorf("record %s: %w", raw, err)
		}
		if v.raw == "" || r.Number > v.record.Number {
			v.raw, v.record = raw, r
		}
		if key != keyRecord {
			delete(annotations, key)
		}
	}
	state := at(o, "status", "operationState")
	switch phase := at(state, "phase"); phase {
	case nil:
	case "Running":
		v.running = true
	default:
		v.finished, _ = at(state, "startedAt").(string)
		v.failed = phase != "Succeeded"
		v.synced = asOfIn(at(state, "syncResult"))
	}
	entries, _ := at(o, "status", "history").([]any)
	for _, e := range entries {
		id, _ := at(e, "id").(float64)
		v.history[int64(id)] = asOfIn(e)
	}
	delete(o, "status")
	for _, key := range []string{keyRecord, keyVerdict, keyHold} {
		delete(annotations, key)
	}
	if meta, _ := o["metadata"].(tree); meta != nil {
		delete(meta, "resourceVersion")
		if len(annotations) == 0 {
			delete(meta, "annotations")
		}
	}
	rest, err := json.Marshal(o)
	v.rest = string(rest)
	return v, err
}

// past is what an Application went through.
type past struct {
	last      *edition
	used      map[time.Time]bool           // instants that as-of ever stood at
	succeeded map[time.Time]map[int64]bool // history entries by instant
	failed    map[time.Time]string         // syncs that failed, when they began
	backs     map[time.Time]int            // rollbacks by the instant they came from
	bad       map[string]bool              // what they came from
	entries   int                          // of the target's when as-of went back to it
	judged    bool                         // whether the last failure was judged during a hold
	synced    time.Time                    // the instant that was synced last
	moves     int
	repeated  int // rollbacks from what had failed before: a push heard of after its instant
	releases  int
}

// audit follows an API server. wrong collects what must not have happened.
type audit struct {
	w    *staging
	mu   sync.Mutex
	apps map[string]*past
	bad  []string
}

// follow watches until the server is closed.
func (u *audit) follow(url string) {
	last := "1000"
	for {
		res, err := http.Get(url + "/apis/argoproj.io/v1alpha1/applications?watch=true&resourceVersion=" + last)
		if err != nil {
			return
		}
		d := json.NewDecoder(res.Body)
		for {
			var e struct {
				Type   string
				Object json.RawMessage
			}
			if err := d.Decode(&e); err != nil {
				break
			}
			v, name := u.take(e.Type, e.Object)
			if v == nil {
				u.wrong("%s: %s", name, e.Object)
				break
			}
			last = v.number
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
	}
}

func (u *audit) wrong(format string, args ...any) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.bad = append(u.bad, fmt.Sprintf(format, args...))
}

// take checks one version against the one before it.
func (u *audit) take(kind string, data []byte) (*edition, string) {
	var meta struct{ Metadata struct{ Name string } }
	_ = json.Unmarshal(data, &meta)
	name := meta.Metadata.Name
	v, err := readEdition(data)
	if err != nil || kind == "ERROR" {
		return nil, fmt.Sprintf("%s: %v", kind, err)
	}
	u.mu.Lock()
	p := u.apps[name]
	if p == nil {
		p = &past{
			used: map[time.Time]bool{}, succeeded: map[time.Time]map[int64]bool{}, failed: map[time.Time]string{}, backs: map[time.Time]int{}, bad: map[string]bool{},
			synced: v.asOf,
		}
		u.apps[name] = p
	}
	// What Argo CD says first: a write may rest on it only if it came before.
	for id, instant := range v.history {
		if p.succeeded[instant] == nil {
			p.succeeded[instant] = map[int64]bool{}
		}
		p.succeeded[instant][id] = true
	}
	if v.finished != "" {
		p.synced = v.synced
		if v.failed {
			p.failed[v.synced] = v.finished
		}
	}
	var wrong []string
	if p.last != nil {
		wrong = u.w.step(name, p, p.last, v)
	}
	p.used[v.asOf] = true
	p.last = v
	for _, text := range wrong {
		u.bad = append(u.bad, fmt.Sprintf("%s, version %s: %s", name, v.number, text))
	}
	u.mu.Unlock()
	return v, name
}

// step says what is wrong with a change.
func (w *staging) step(name string, p *past, was, is *edition) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if was.edit != is.edit { // by others, all of it
		if was.raw != is.raw || !was.asOf.Equal(is.asOf) {
			say("another writer's change and trigger's are one")
		}
		return wrong
	}
	if was.rest != is.rest {
		say("more than as-of and trigger's annotations changed, from %s to %s", was.rest, is.rest)
	}
	if was.hold != is.hold {
		w.mu.Lock()
		asked := w.asked[is.hold]
		releases := w.releases[name]
		w.mu.Unlock()
		if is.hold == "" {
			p.releases++
			asked = p.releases <= releases
		}
		if !asked {
			say("the hold changed from %q to %q, which nobody asked for", was.hold, is.hold)
		}
	}
	if !was.asOf.Equal(is.asOf) {
		p.moves++
		if was.hold != "" {
			say("as-of moved while held: %s", was.hold)
		}
		if !is.record.Instant.Equal(is.asOf) {
			say("as-of is %s, and the record says %s", stamp(is.asOf), stamp(is.record.Instant))
		}
		if is.asOf.After(time.Now()) {
			say("as-of is %s, which is not yet", stamp(is.asOf))
		}
		switch {
		case is.asOf.After(was.asOf):
			if p.used[is.asOf] {
				say("as-of went forward to %s, where it stood before", stamp(is.asOf))
			}
		default:
			if !w.failed(name, p, was.asOf) {
				say("as-of went back from %s, where no sync had failed", stamp(was.asOf))
			}
			if p.succeeded[is.asOf] == nil {
				say("as-of went back to %s, where no sync had succeeded", stamp(is.asOf))
			}
			if p.backs[was.asOf]++; p.backs[was.asOf] > 1 {
				say("as-of went back from %s a second time", stamp(was.asOf))
			}
			if w.app(name).noRollback {
				say("as-of went back though rollback is switched off")
			}
			if is.record.Kind != "rollback" || !is.record.Bad.Equal(was.asOf) || is.record.BadMessage == "" {
				say("as-of went back from %s with the record %s", stamp(was.asOf), is.raw)
			}
			images := w.images(name, was.asOf)
			if p.bad[images] {
				p.repeated++
			}
			p.bad[images] = true
			p.entries = len(p.succeeded[is.asOf])
		}
	}
	if is.record.Verdict != was.record.Verdict || !is.record.Instant.Equal(was.record.Instant) {
		instant := is.record.Instant
		switch is.record.Verdict {
		case "Verified":
			n := len(p.succeeded[instant])
			if n == 0 || (is.record.Kind == "rollback" && n <= p.entries) {
				say("verified at %s, where no sync has succeeded since", stamp(instant))
			}
		case "Failed":
			if !w.failed(name, p, instant) {
				say("failed at %s, where no sync has failed", stamp(instant))
			}
			p.judged = was.hold != ""
		case "Unchanged":
			if w.images(name, instant) != w.images(name, p.synced) {
				say("unchanged at %s, but that has %q and the last sync, of %s, had %q", stamp(instant), w.images(name, instant), stamp(p.synced), w.images(name, p.synced))
			}
		}
	}
	return wrong
}

// failed says whether a sync of what an Application has at an instant failed.
func (w *staging) failed(name string, p *past, instant time.Time) bool {
	return p.failed[instant] != "" || p.failed[p.synced] != "" && w.images(name, instant) == w.images(name, p.synced)
}

func stamp(t time.Time) string { return strings.TrimSuffix(t.UTC().Format("15:04:05.000"), ".000") }
