package application

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Verdict is what became of a move.
type Verdict string

// The verdicts.
const (
	// Verified: a full sync at the instant succeeded, with its hooks.
	Verified Verdict = "Verified"
	// Unchanged: the render at the instant equals what runs, so Argo CD did
	// nothing.
	Unchanged Verdict = "Unchanged"
	// SyncFailed: a full sync at the instant failed or could not be carried out.
	SyncFailed Verdict = "Failed"
	// RenderFailed: Argo CD could not render the instant. Nothing was deployed,
	// and it tries again.
	RenderFailed Verdict = "RenderFailed"
)

// Kind is why as-of was moved.
type Kind string

// The kinds.
const (
	Deploy   Kind = "deploy"
	Rollback Kind = "rollback"
)

// Record is trigger's memory of an Application. It lives in an annotation, so
// that any replica can go on where another was killed.
type Record struct {
	// Number goes up by one with each write.
	Number int64 `json:"number,omitempty"`
	// Instant that was set, and what stood there before. Zero when trigger never
	// moved as-of.
	Instant time.Time `json:"instant,omitzero"`
	From    string    `json:"from,omitempty"`
	Kind    Kind      `json:"kind,omitempty"`
	// By says who moved it, Reason why.
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
	// MovedAt is by the mover's clock.
	MovedAt time.Time `json:"movedAt,omitzero"`
	// PushedAt is when the newest of the pushes was made, by ECR's clock.
	PushedAt time.Time `json:"pushedAt,omitzero"`
	// Covered are the newest pushes that the instant takes in, by their IDs:
	// what arrives twice is known again.
	Covered []string `json:"covered,omitempty"`
	// Images are those that the sync at the instant held, or at Bad after a rollback,
	// as the IDs of pushes name them: the next sync, a self-heal's too, hides that one.
	Images []string `json:"images,omitempty"`
	// Before is what Argo CD's status showed when as-of was moved: what is the
	// same later is no answer to the move.
	Before Before `json:"before,omitzero"`

	Verdict   Verdict   `json:"verdict,omitempty"`
	Message   string    `json:"message,omitempty"`
	VerdictAt time.Time `json:"verdictAt,omitzero"`

	// Bad is the instant that failed, after a rollback: only pushes after it are
	// deployed. BadMessage says what failed.
	Bad        time.Time `json:"bad,omitzero"`
	BadMessage string    `json:"badMessage,omitempty"`

	// Pending are pushes that settled while as-of could not move.
	Pending *Pending `json:"pending,omitempty"`
}

// Before is Argo CD's status at the time of a move. Its times have whole seconds, so
// that the next sync or comparison may have the same: the instants tell them apart.
type Before struct {
	HistoryID  int64     `json:"historyID,omitempty"`
	Started    string    `json:"started,omitempty"` // when the last operation was
	Synced     time.Time `json:"synced,omitzero"`   // that operation's instant
	Active     bool      `json:"active,omitempty"`  // it had not ended
	Reconciled string    `json:"reconciled,omitempty"`
	Compared   time.Time `json:"compared,omitzero"` // that comparison's instant
}

// another says whether an operation is not the one that was there at the move. An
// instant that is not known, as in records of earlier versions, tells nothing.
func (b Before) another(o Operation) bool {
	return o.Started != b.Started || !b.Synced.IsZero() && !o.AsOf.IsZero() && !o.AsOf.Equal(b.Synced)
}

// comparedSince says whether a comparison is not the one that was there at the move.
func (b Before) comparedSince(c Comparison) bool {
	return c.ReconciledAt != "" && (c.ReconciledAt != b.Reconciled || !b.Compared.IsZero() && !c.AsOf.Equal(b.Compared))
}

// Newest is the newest instant that the record knows of: Instant, or Bad after a
// rollback.
func (r Record) Newest() time.Time {
	if r.Bad.After(r.Instant) {
		return r.Bad
	}
	return r.Instant
}

// Pending is a set of pushes that waits.
type Pending struct {
	// Newest is when the newest was made, by ECR's clock.
	Newest time.Time `json:"newest"`
	// IDs of the newest, as in [Record.Covered].
	IDs []string `json:"ids,omitempty"`
	// Count of all, and Reason for people: what was pushed.
	Count  int    `json:"count"`
	Reason string `json:"reason,omitempty"`
}

// maxIDs bounds the lists of IDs: an annotation is no database. More pushes than
// this within a minute cost at most a needless move.
const maxIDs = 64

// AddIDs appends to a list of IDs those that are new and keeps the newest.
func AddIDs(ids []string, more ...string) []string {
	out := slices.Clone(ids)
	for _, id := range more {
		if id != "" && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	if len(out) > maxIDs {
		out = out[len(out)-maxIDs:]
	}
	return out
}

// Merge gives the union of two sets of waiting pushes; either may be nil.
func (p *Pending) Merge(q *Pending) *Pending {
	if p == nil {
		return q
	}
	if q == nil {
		return p
	}
	m := &Pending{Newest: p.Newest, Reason: q.Reason, Count: p.Count}
	if q.Newest.After(m.Newest) {
		m.Newest = q.Newest
	}
	for _, id := range q.IDs {
		if !slices.Contains(p.IDs, id) {
			m.Count++
		}
	}
	m.IDs = AddIDs(p.IDs, q.IDs...)
	return m
}

// ParseRecord reads what [Record.Encode] wrote. Empty text is an empty record.
func ParseRecord(text string) (Record, error) {
	var r Record
	if text == "" {
		return r, nil
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return Record{}, fmt.Errorf("read the record: %w", err)
	}
	return r, nil
}

// Encode gives the record as JSON in one line.
func (r Record) Encode() string {
	data, err := json.Marshal(r)
	if err != nil {
		// Times outside the years 0 to 9999, which no clock shows.
		panic(fmt.Sprintf("encode record: %v", err))
	}
	return string(data)
}

// Final says whether no other verdict is to come. After RenderFailed there may
// be one, as Argo CD tries again; after Failed when people press Sync.
func (r Record) Final() bool { return r.Verdict == Verified || r.Verdict == Unchanged }

// Summary is the record in one line for people.
func (r Record) Summary() string {
	if r.Instant.IsZero() {
		return ""
	}
	verdict := string(r.Verdict)
	if verdict == "" {
		verdict = "Progressing"
	}
	if r.Kind == Rollback {
		s := fmt.Sprintf("%s at %s after rollback from %s: %s", verdict, FormatInstant(r.Instant), FormatInstant(r.Bad), r.BadMessage)
		return clip(s, maxMessage)
	}
	s := verdict + " at " + FormatInstant(r.Instant)
	if r.Message != "" {
		s += ": " + r.Message
	}
	return clip(s, maxMessage)
}
