package check_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proerror77/nova-staging/smoke/check"
	"github.com/proerror77/nova-staging/smoke/verdict"
)

// What a check that was cut off says of the target is true of the time it had,
// not of the target.
func TestTheTimeRunsOut(t *testing.T) {
	t.Parallel()
	deadline := &check.Stop{Class: verdict.DeadlineExceeded, TimeUp: true, Why: "the deadline is over"}
	signal := &check.Stop{Class: verdict.Interrupted, Why: "stopped by a signal"}
	tests := []struct {
		name    string
		limit   time.Duration // of the check
		run     time.Duration // until the run ends
		stop    *check.Stop
		takes   time.Duration // of one look
		verdict verdict.Verdict
		class   verdict.Class
		looks   int
	}{
		{"its own limit, after looks that failed", 10 * time.Second, time.Minute, deadline, 3 * time.Second, verdict.Failed, "", 3},
		{"its own limit, in the first look", 2 * time.Second, time.Minute, deadline, 3 * time.Second, verdict.Failed, "", 0},
		{"the run's deadline, after looks that failed", time.Minute, 10 * time.Second, deadline, 3 * time.Second, verdict.Failed, "", 3},
		{"the run's deadline, in the first look", time.Minute, 200 * time.Millisecond, deadline, 3 * time.Second, verdict.Inconclusive, verdict.DeadlineExceeded, 0},
		{"a signal, after looks that failed", time.Minute, 10 * time.Second, signal, 3 * time.Second, verdict.Inconclusive, verdict.Interrupted, 3},
		{"a signal, in the first look", time.Minute, time.Second, signal, 3 * time.Second, verdict.Inconclusive, verdict.Interrupted, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeoutCause(t.Context(), tt.run, tt.stop)
				defer cancel()
				look := func(ctx context.Context) verdict.Finding {
					check.Pause(ctx, tt.takes)
					return verdict.Fail("pod/a", "an answer", "no answer")
				}
				r := check.Record{Name: verdict.Health, Limit: tt.limit, Retry: check.Retry{Check: check.Func(look), Interval: 100 * time.Millisecond}}.Run(ctx)
				if r.Verdict != tt.verdict || r.Class != tt.class || r.Looks != tt.looks {
					t.Errorf("%s, class %q, %d looks (%s %q), want %s, %q, %d", r.Verdict, r.Class, r.Looks, r.Seen, r.Details, tt.verdict, tt.class, tt.looks)
				}
			})
		})
	}
}

func TestTheFirstPausesAreShort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var looks []time.Duration
		began := time.Now()
		check.Retry{Interval: 8 * time.Second, Check: check.Func(func(context.Context) verdict.Finding {
			if looks = append(looks, time.Since(began)); len(looks) == 6 {
				return verdict.Pass("an answer")
			}
			return verdict.Fail("pod/a", "an answer", "no answer")
		})}.Look(t.Context())
		if want := []time.Duration{0, 1 * time.Second, 3 * time.Second, 7 * time.Second, 15 * time.Second, 23 * time.Second}; !slices.Equal(looks, want) {
			t.Errorf("looked at %s, want at %s", looks, want)
		}
	})
}

func TestACheckThatPanics(t *testing.T) {
	t.Parallel()
	look := func(context.Context) verdict.Finding { panic("password=hunter2 is odd") }
	r := check.Record{Name: verdict.Health, Limit: time.Minute, Retry: check.Retry{Check: check.Func(look), Interval: time.Hour}}.Run(t.Context())
	v, class := verdict.Overall([]verdict.Result{r, {Check: verdict.Rollout, Finding: verdict.Fail("", "", "")}})
	if v != verdict.Inconclusive || class != verdict.Internal || class.ExitCode() != 1 {
		t.Errorf("%s, %s", v, class)
	}
	if !strings.Contains(r.Seen, "internal error") || strings.Contains(r.Seen, "hunter2") || !strings.Contains(strings.Join(r.Details, " "), "check_test.go") {
		t.Errorf("%+v", r)
	}
}
