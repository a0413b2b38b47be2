package board_test

import (
	"strings"
	"testing"

	"github.com/proerror77/nova-staging/trigger/application"
	"github.com/proerror77/nova-staging/trigger/board"
	"github.com/proerror77/nova-staging/trigger/settle"
)

// What passed is not said of what failed since, nor of what nobody looked at.
func TestTheStateIsThatOfWhatRuns(t *testing.T) {
	t.Parallel()
	success := application.Operation{Phase: application.Succeeded, AsOf: noon, Started: "1"}
	failure := application.Operation{Phase: application.Failed, AsOf: noon, Started: "2", Failures: []string{"Job smoke: 500"}}
	partial := application.Operation{Phase: application.Succeeded, AsOf: noon, Started: "3", Partial: true}
	for _, tt := range []struct {
		name      string
		kind      application.Kind
		verdict   application.Verdict
		operation application.Operation
		history   bool
		want      string
		says      string
	}{
		{"a sync that passed", application.Deploy, application.Verified, success, true, "Verified", ""},
		{"and a self-heal after it", application.Deploy, application.Verified, partial, true, "Verified", ""},
		{"and a commit that failed after it", application.Deploy, application.Verified, failure, true, "Failed", "Job smoke: 500"},
		{"a rollback that passed", application.Rollback, application.Verified, success, true, "RolledBack", "rolled back for this"},
		{"and a commit that failed after it", application.Rollback, application.Verified, failure, true, "Failed", "Job smoke: 500"},
		{"unchanged since a sync that passed", application.Deploy, application.Unchanged, success, true, "Unchanged", ""},
		{"unchanged since one that failed", application.Deploy, application.Unchanged, failure, false, "Failed", "Job smoke: 500"},
		{"unchanged since a sync without hooks", application.Deploy, application.Unchanged, partial, false, "Unknown", "no full sync"},
		{"unchanged since nothing", application.Deploy, application.Unchanged, application.Operation{}, false, "Unknown", "no full sync"},
		{"not trigger's, synced without hooks", "", "", partial, false, "Unknown", "without hooks"},
		{"not trigger's, and it passed", "", "", success, true, "Verified", "trigger has not moved it"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := &application.Application{AsOf: noon, Operation: tt.operation}
			if tt.kind != "" {
				a.Record = application.Record{Instant: noon, Kind: tt.kind, Verdict: tt.verdict, BadMessage: "rolled back for this"}
			}
			if tt.history {
				a.History = []application.Deployment{{ID: 1, AsOf: noon}}
			}
			if r := board.RowOf(a, settle.Batch{}, nil); r.State != tt.want || !strings.Contains(r.Message, tt.says) {
				t.Errorf("%s: %s, want %s: %s", r.State, r.Message, tt.want, tt.says)
			}
		})
	}
}
