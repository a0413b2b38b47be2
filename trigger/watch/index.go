package watch

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/proerror77/nova-staging/plugin/ecr"
	"github.com/proerror77/nova-staging/trigger/application"
	"github.com/proerror77/nova-staging/trigger/move"
	"github.com/proerror77/nova-staging/trigger/push"
)

// index finds Applications by the repositories that their images live in. Safe
// for concurrent use.
type index struct {
	mu    sync.RWMutex
	apps  map[string]entry
	exact map[push.Repository]map[string]bool
	globs map[string][]string // of Applications that have any
	// matched remembers what globs gave for a repository; emptied when one changes.
	matched map[push.Repository][]string
}

type entry struct {
	repositories []push.Repository
	globs        []string
}

func newIndex() *index {
	return &index{
		apps: map[string]entry{}, exact: map[push.Repository]map[string]bool{},
		globs: map[string][]string{}, matched: map[push.Repository][]string{},
	}
}

// RepositoriesOf are an Application's: those of its live images, and of the last sync.
func RepositoriesOf(app *application.Application) []push.Repository {
	seen := map[push.Repository]bool{}
	for _, image := range slices.Concat(app.Images, app.Synced) {
		if r, ok := push.RepositoryOf(image); ok {
			seen[r] = true
		}
	}
	for _, g := range app.Settings.Repositories {
		// A glob without a wildcard is a repository to poll and to wait for.
		if r, ok := push.RepositoryOf(g); ok {
			seen[r] = true
		}
	}
	return slices.SortedFunc(maps.Keys(seen), func(a, b push.Repository) int {
		switch x, y := a.String(), b.String(); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
}

// set replaces what is known of an Application.
func (x *index) set(app *application.Application) {
	e := entry{RepositoriesOf(app), app.Settings.Repositories}
	key := app.Key()
	x.mu.Lock()
	defer x.mu.Unlock()
	if old, ok := x.apps[key]; ok {
		if slices.Equal(old.repositories, e.repositories) && slices.Equal(old.globs, e.globs) {
			return
		}
		x.drop(key)
	}
	x.apps[key] = e
	for _, r := range e.repositories {
		if x.exact[r] == nil {
			x.exact[r] = map[string]bool{}
		}
		x.exact[r][key] = true
	}
	if len(e.globs) > 0 {
		x.globs[key] = e.globs
		clear(x.matched)
	}
}

func (x *index) remove(key string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.drop(key)
}

func (x *index) drop(key string) {
	for _, r := range x.apps[key].repositories {
		delete(x.exact[r], key)
		if len(x.exact[r]) == 0 {
			delete(x.exact, r)
		}
	}
	if _, ok := x.globs[key]; ok {
		delete(x.globs, key)
		clear(x.matched)
	}
	delete(x.apps, key)
}

// maxMatched bounds the memory of what globs gave.
const maxMatched = 20_000

// of names the Applications that a push to a repository concerns.
func (x *index) of(r push.Repository) []string {
	x.mu.RLock()
	keys := slices.Collect(maps.Keys(x.exact[r]))
	more, known := x.matched[r]
	none := len(x.globs) == 0
	x.mu.RUnlock()
	if none {
		return keys
	}
	if !known {
		x.mu.Lock()
		for key, globs := range x.globs {
			if slices.ContainsFunc(globs, func(g string) bool { return matches(g, r) }) {
				more = append(more, key)
			}
		}
		if len(x.matched) >= maxMatched {
			clear(x.matched)
		}
		x.matched[r] = more
		x.mu.Unlock()
	}
	for _, key := range more {
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// repositories are all that any Application uses.
func (x *index) repositories() []push.Repository {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return slices.Collect(maps.Keys(x.exact))
}

// usersOf names the Applications that use exactly this repository.
func (x *index) usersOf(r push.Repository) []string {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return slices.Collect(maps.Keys(x.exact[r]))
}

// matches says whether a glob over image names fits a repository under any name
// that its registry has.
func matches(glob string, r push.Repository) bool {
	for _, host := range ecr.Hosts(r.Account, r.Region) {
		if ok, _ := doublestar.Match(glob, host+"/"+r.Name); ok {
			return true
		}
	}
	return false
}

// Repositories are those that Applications use, for a poller.
func (w *Watcher) Repositories() []push.Repository { return w.index.repositories() }

// Since is the instant up to which every Application that uses a repository has
// been dealt with, less a margin for clocks that differ.
func (w *Watcher) Since(r push.Repository) time.Time {
	var since time.Time
	for _, key := range w.index.usersOf(r) {
		app := w.get(key)
		if app == nil || app.Broken != nil {
			continue
		}
		at := move.Reference(w.now(), app) // zero for one that a person set ahead
		if !at.IsZero() && (since.IsZero() || at.Before(since)) {
			since = at
		}
	}
	if since.IsZero() {
		return time.Now() // nobody can be moved
	}
	return since.Add(-move.Margin)
}
