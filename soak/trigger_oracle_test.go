package soak

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proerror77/nova-staging/internal/ecremulator"
)

// unsettled says what is still missing before an Application stands where the
// pushes and its history say that it has to; "" when it does.
func (w *staging) unsettled(a *deployed) string {
	data, err := json.Marshal(w.api.Get("argocd", a.name))
	if err != nil {
		return err.Error()
	}
	v, err := readEdition(data)
	if err != nil {
		return err.Error()
	}
	w.audit.mu.Lock()
	defer w.audit.mu.Unlock()
	p := w.audit.apps[a.name]
	switch {
	case p == nil || p.last.number != v.number:
		return "the audit has not seen the last version"
	case v.running:
		return "a sync runs"
	}
	for _, label := range a.edits {
		if !strings.Contains(v.rest, label) {
			return "another writer's edit is lost: " + label
		}
	}
	newest := w.newest(a)
	if newest.IsZero() {
		if p.moves > 0 && !a.once {
			return "as-of moved, and nothing was pushed"
		}
		return ""
	}
	r := v.record
	dealt := v.asOf
	if r.Bad.After(dealt) {
		dealt = r.Bad
	}
	if dealt.Before(newest) {
		if v.hold != "" && r.Pending != nil && !r.Pending.Newest.Before(newest.Truncate(time.Second)) {
			return "" // held, and remembered
		}
		return fmt.Sprintf("a push of %s is lost: as-of is %s, hold %q, record %s", newest.Format("15:04:05.000"), stamp(v.asOf), v.hold, v.raw)
	}
	live, want := w.argo.Live("argocd", a.name), w.images(a.name, time.Now())
	state := fmt.Sprintf("as-of is %s and runs %q, newest is %q, hold %q, record %s", stamp(v.asOf), live, want, v.hold, v.raw)
	if live != w.images(a.name, v.asOf) {
		return "what runs is not what as-of says: " + state
	}
	if !r.Instant.Equal(v.asOf) {
		return "the record speaks of another instant: " + state
	}
	final := r.Verdict == "Verified" || r.Verdict == "Unchanged"
	if v.asOf.Before(newest) { // rolled back
		switch {
		case !isBad(want):
			return "the newest images are good and do not run: " + state
		case isBad(live) || p.succeeded[v.asOf] == nil:
			return "rolled back to what never passed: " + state
		case !strings.Contains(r.BadMessage, ":bad") || r.Kind != "rollback":
			return "back for no stated reason: " + state
		case !final:
			return "no verdict about the rollback: " + state
		}
		return ""
	}
	if !isBad(want) {
		if !final || live != want {
			return "the newest images are good and not verified: " + state
		}
		return ""
	}
	for text, true := range map[string]bool{
		"not rolled back: switched off": a.noRollback, "not rolled back: held": p.judged,
		"whose last sync failed": a.noRollback || p.judged,
	} {
		if true && strings.Contains(r.Message, text) {
			return ""
		}
	}
	return "bad images run for no stated reason: " + state
}

func (w *staging) newest(a *deployed) (at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.pushes {
		if slices.Contains(a.repos, p.repo) {
			at = p.at
		}
	}
	return at
}

// settle waits until all is as it has to be once faults have ended, and says what
// is wrong otherwise.
func (w *staging) settle(patience time.Duration) string {
	w.late.Wait()
	deadline := time.Now().Add(patience)
	for {
		wrong := ""
		for _, a := range w.apps {
			if text := w.unsettled(a); text != "" {
				wrong = a.name + ": " + text
				break
			}
		}
		if wrong == "" {
			wrong = w.undrained()
		}
		w.audit.mu.Lock()
		forbidden := strings.Join(w.audit.bad, "\n")
		w.audit.mu.Unlock()
		switch {
		case forbidden != "":
			return forbidden
		case wrong == "":
			return ""
		case time.Now().After(deadline):
			return fmt.Sprintf("not within %s: %s", patience, wrong)
		}
		time.Sleep(40 * time.Millisecond)
	}
}

// undrained says what the queue still holds that it should not, and lets time
// pass for what is malformed.
func (w *staging) undrained() string {
	w.mu.Lock()
	malformed := w.malformed
	w.mu.Unlock()
	for _, body := range w.dead.Bodies() {
		if !strings.Contains(body, garbage) {
			return "a push ended among the dead letters: " + body
		}
	}
	left, dead := w.queue.Len(), w.dead.Len()
	if left == 0 && dead == malformed {
		return ""
	}
	for _, body := range w.queue.Bodies() {
		if !strings.Contains(body, garbage) {
			return fmt.Sprintf("%d messages are left in the queue, such as %s", left, body)
		}
	}
	w.queue.ExpireVisibility()
	return fmt.Sprintf("%d messages are left in the queue, %d of %d malformed ones among the dead letters", left, dead, malformed)
}

// garbage is in everything that is malformed.
const garbage = "soak-garbage"

// stray sends a message that is no push; some are malformed.
func (w *staging) stray() {
	r := w.registry.Repository(w.repos[0])
	event := ecremulator.NewEvent(r, "PUSH", "sha256:"+strings.Repeat("a", 64), "x", time.Now())
	kind := w.rng.IntN(9)
	body := garbage
	switch kind {
	case 0:
		body = `{"` + garbage + `": [1, 2`
	case 1:
		event.Time = garbage
	case 2:
		event.Detail.ImageTag = garbage + " and spaces"
	case 3:
		event.Account = "111122223333"
	case 4:
		event.DetailType = "ECR Image Scan"
	case 5:
		event.Detail.ActionType = "DELETE"
	case 6:
		event.Detail.Result = "FAILURE"
	case 7:
		event.Detail.ImageTag = "sha256-" + strings.Repeat("a", 64) + ".sig"
	case 8:
		event.Detail.ImageTag = ""
	}
	if kind > 0 {
		body = event.JSON()
	}
	if kind <= 2 {
		w.mu.Lock()
		w.malformed++
		w.mu.Unlock()
	}
	w.queue.Send(body)
	w.note("a stray message: %s", body)
}
