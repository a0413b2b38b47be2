package application

import (
	"slices"
	"strconv"
	"strings"
)

// CopyPrefix begins the key of the record's copy; its number follows.
//
// Argo CD's notifications controller writes all annotations of an Application as it
// read them before it sent a message, without asking whether they have changed since,
// and so puts an older record back. What it never does is to remove a key that it has
// not seen: so each record is also written under a key of its own, and the highest
// number counts. https://github.com/argoproj/notifications-engine, pkg/controller.
const CopyPrefix = RecordKey + "."

// parseRecord reads the record and its copies.
func (a *Application) parseRecord(annotations map[string]string, r *reader) {
	text, there := annotations[RecordKey]
	record, err := ParseRecord(text)
	if err != nil {
		r.warn("annotation %s: %v; it is taken for empty", RecordKey, err)
	}
	a.Record, a.number = record, record.Number
	for key, text := range annotations {
		number, err := strconv.ParseInt(strings.TrimPrefix(key, CopyPrefix), 10, 64)
		if !strings.HasPrefix(key, CopyPrefix) || err != nil {
			continue
		}
		a.copies = append(a.copies, key)
		if number <= a.number {
			continue
		}
		a.number = number
		if !there {
			continue // a person took the record away, so that trigger forgets
		}
		record, err := ParseRecord(text)
		if err != nil {
			r.warn("annotation %s: %v; it is left out", key, err)
			continue
		}
		a.Record, a.Stale = record, true
	}
	slices.Sort(a.copies)
}
