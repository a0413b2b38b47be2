// Package board shows what trigger knows and does: one page for people, and the
// same as JSON.
package board

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/proerror77/nova-staging/trigger/application"
	"github.com/proerror77/nova-staging/trigger/push"
	"github.com/proerror77/nova-staging/trigger/settle"
)

// Status is the whole page.
type Status struct {
	Time time.Time `json:"time"`
	// Replica that answers, and the one that acts; Acting says that they are the
	// same. Only the one that acts knows what is settling.
	Replica string `json:"replica"`
	Leader  string `json:"leader,omitempty"`
	Acting  bool   `json:"acting"`
	// Sources of pushes, and whether they can be heard.
	Sources      []string `json:"sources,omitempty"`
	Applications []Row    `json:"applications"`
}

// Row is one Application.
type Row struct {
	Application string `json:"application"`
	// Instant is where as-of stands.
	Instant time.Time `json:"instant,omitzero"`
	// State is one word: Verified, Unchanged, Failed, RenderFailed, Progressing,
	// RolledBack, Unknown or Broken.
	State   string `json:"state"`
	Message string `json:"message,omitempty"`
	// Since is when State was reached.
	Since  time.Time `json:"since,omitzero"`
	Reason string    `json:"reason,omitempty"`
	By     string    `json:"by,omitempty"`
	// Bad is the instant that was rolled back from.
	Bad    time.Time `json:"bad,omitzero"`
	Hold   string    `json:"hold,omitempty"`
	Health string    `json:"health,omitempty"`
	Sync   string    `json:"sync,omitempty"`
	// Operation is the phase of the sync that runs or ran last.
	Operation string               `json:"operation,omitempty"`
	Images    []Image              `json:"images,omitempty"`
	Settling  *Settling            `json:"settling,omitempty"`
	Pending   *application.Pending `json:"pending,omitempty"`
	Warnings  []string             `json:"warnings,omitempty"`
}

// Image that runs.
type Image struct {
	Name string `json:"name"` // as in the manifests
	Tag  string `json:"tag,omitempty"`
	// Commit is the tag when it is a commit's SHA.
	Commit   string    `json:"commit,omitempty"`
	Digest   string    `json:"digest,omitempty"`
	PushedAt time.Time `json:"pushedAt,omitzero"`
}

// Short is the last part of the name.
func (i Image) Short() string { return i.Name[strings.LastIndexByte(i.Name, '/')+1:] }

// Settling are pushes that wait to come to rest.
type Settling struct {
	Pushes []string  `json:"pushes"`
	Ready  time.Time `json:"ready"`
	// Have of Want repositories of a set that belongs together.
	Have int `json:"have,omitempty"`
	Want int `json:"want,omitempty"`
}

// RowOf says what there is to say about an Application. batch is empty where it
// is not known; pushed gives an image's push time, zero when unknown.
func RowOf(a *application.Application, batch settle.Batch, pushed func(Image) time.Time) Row {
	r := a.Record
	row := Row{
		Application: a.Key(), Instant: a.AsOf, Hold: a.Settings.Hold, Health: a.Health, Sync: a.Sync.Status,
		Operation: string(a.Operation.Phase), Pending: r.Pending, Warnings: a.Warnings,
	}
	row.State, row.Message, row.Since = stateOf(a)
	if a.AsOf.Equal(r.Instant) {
		row.Reason, row.By, row.Bad = r.Reason, r.By, r.Bad
	}
	for _, ref := range a.Images {
		i := imageOf(ref)
		if pushed != nil {
			i.PushedAt = pushed(i)
		}
		row.Images = append(row.Images, i)
	}
	slices.SortFunc(row.Images, func(a, b Image) int { return cmp.Compare(a.Name, b.Name) })
	if len(batch.Pushes) > 0 {
		row.Settling = &Settling{Ready: batch.Ready, Have: batch.Have, Want: batch.Want}
		for _, p := range batch.Pushes {
			row.Settling.Pushes = append(row.Settling.Pushes, push.Push.Name(p))
		}
	}
	return row
}

// State is an Application's, as in [Row.State].
func State(a *application.Application) string {
	state, _, _ := stateOf(a)
	return state
}

func stateOf(a *application.Application) (state, message string, since time.Time) {
	r := a.Record
	switch {
	case a.Broken != nil:
		return "Broken", a.Broken.Error(), time.Time{}
	case r.Instant.IsZero() || !a.AsOf.Equal(r.Instant):
		// Not moved by trigger: what Argo CD says is all there is.
		if a.Operation.AsOf.Equal(a.AsOf) && a.Operation.Phase != "" {
			switch a.Operation.Phase {
			case application.Succeeded:
				if !a.Proved() {
					return "Unknown", a.Stuck(), a.Operation.Finished
				}
				return "Verified", "synced by Argo CD; trigger has not moved it", a.Operation.Finished
			case application.Failed, application.Error:
				return "Failed", a.Operation.Why(), a.Operation.Finished
			}
			return "Progressing", a.Operation.Message, time.Time{}
		}
		return "Unknown", "trigger has not moved it", time.Time{}
	case r.Verdict == "":
		return "Progressing", a.Stuck(), r.MovedAt
	case r.Final() && a.Operation.Failed():
		// By another revision or by hand, after the verdict; or nothing has changed since.
		return "Failed", "the last sync failed: " + a.Operation.Why(), a.Operation.Finished
	case r.Verdict == application.Unchanged && !a.Operation.Active() && !a.Proved():
		return "Unknown", "the render equals what runs, and no full sync of that is known to have passed", r.VerdictAt
	case r.Kind == application.Rollback && r.Final():
		return "RolledBack", "from " + application.FormatInstant(r.Bad) + ": " + r.BadMessage, r.VerdictAt
	}
	return string(r.Verdict), r.Message, r.VerdictAt
}

func imageOf(ref string) Image {
	i := Image{Name: ref}
	if name, digest, ok := strings.Cut(ref, "@"); ok {
		i.Name, i.Digest = name, digest
	}
	if slash, colon := strings.LastIndexByte(i.Name, '/'), strings.LastIndexByte(i.Name, ':'); colon > slash {
		i.Name, i.Tag = i.Name[:colon], i.Name[colon+1:]
	}
	if len(i.Tag) == 40 && strings.Trim(i.Tag, "0123456789abcdef") == "" {
		i.Commit = i.Tag
	}
	return i
}

// Order sorts rows: what needs people first, then by name.
func Order(rows []Row) {
	rank := func(r Row) int {
		switch r.State {
		case "Failed", "Broken", "RenderFailed":
			return 0
		case "RolledBack":
			return 1
		case "Progressing":
			return 2
		}
		if r.Hold != "" || r.Settling != nil || r.Pending != nil {
			return 2
		}
		return 3
	}
	slices.SortFunc(rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Application, b.Application))
	})
}
