package application_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/trigger/application"
)

func TestTheNewestIDsAreKept(t *testing.T) {
	t.Parallel()
	var ids []string
	for i := range 100 {
		ids = application.AddIDs(ids, fmt.Sprint(i), "", fmt.Sprint(i))
	}
	if len(ids) != 64 || ids[0] != "36" || ids[63] != "99" {
		t.Errorf("%d IDs, %v", len(ids), ids)
	}
}

func TestSetsOfWaitingPushesAreMerged(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	older := &application.Pending{Newest: at, IDs: []string{"1", "2"}, Count: 2, Reason: "first"}
	newer := &application.Pending{Newest: at.Add(time.Minute), IDs: []string{"2", "3"}, Count: 2, Reason: "second"}
	for _, tt := range []struct {
		p, q, want *application.Pending
	}{
		{nil, nil, nil},
		{older, nil, older},
		{nil, newer, newer},
		{older, newer, &application.Pending{Newest: newer.Newest, IDs: []string{"1", "2", "3"}, Count: 3, Reason: "second"}},
		{newer, older, &application.Pending{Newest: newer.Newest, IDs: []string{"2", "3", "1"}, Count: 3, Reason: "first"}},
	} {
		got := tt.p.Merge(tt.q)
		if (got == nil) != (tt.want == nil) || got != nil && (!got.Newest.Equal(tt.want.Newest) || got.Count != tt.want.Count || got.Reason != tt.want.Reason || !slices.Equal(got.IDs, tt.want.IDs)) {
			t.Errorf("%+v and %+v: %+v, want %+v", tt.p, tt.q, got, tt.want)
		}
	}
}
