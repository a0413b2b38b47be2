//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/e2e-framework/pkg/features"

	"github.com/proerror77/nova-staging/e2e/world"
)

// withTrigger begins a scenario with a verified deployment and trigger at work.
// Nobody else moves as-of from here.
func withTrigger(ctx context.Context, t *testing.T) verified {
	t.Helper()
	baseline(ctx, t)
	need(t, w.StartTrigger(ctx))
	// It hears of the pushes so far, and may move as-of once for those that are no
	// older than the instant by clocks that differ; nothing new is in that.
	need(t, w.Drained(ctx, time.Minute))
	_, err := w.Application.Wait(ctx, time.Minute, "trigger has nothing under way", func(s world.State) bool {
		return !strings.HasPrefix(s.Metadata.Annotations["trigger.staging.nova/verdict"], "Progressing")
	})
	need(t, err)
	return baseline(ctx, t)
}

// withoutTrigger leaves as-of to the next scenario.
var withoutTrigger = step(func(ctx context.Context, t *testing.T) { need(t, w.StopTrigger(ctx)) })

// moved waits until trigger has set another instant than before.
func moved(ctx context.Context, t *testing.T, before string) (asOf string) {
	t.Helper()
	s, err := w.Application.Wait(ctx, time.Minute, "trigger has moved as-of from "+before, func(s world.State) bool {
		return s.Spec.Source.AsOf() != before
	})
	need(t, err)
	return s.Spec.Source.AsOf()
}

// says waits until trigger's verdict on an instant begins with a word.
func says(ctx context.Context, t *testing.T, verdict, asOf string) world.State {
	t.Helper()
	s, err := w.Application.Wait(ctx, time.Minute, fmt.Sprintf("trigger says %q at %s", verdict, asOf), func(s world.State) bool {
		return strings.HasPrefix(s.Metadata.Annotations["trigger.staging.nova/verdict"], verdict+" at "+asOf)
	})
	need(t, err)
	return s
}

// pushed commits and pushes the images of all services, and lets Argo CD see the
// commit, as its webhook does.
func pushed(ctx context.Context, t *testing.T, message string, misbehave map[string]string) (sha string, at time.Time) {
	t.Helper()
	sha, err := w.Repository.Push(message)
	need(t, err)
	_, err = w.Application.Refresh(ctx, false)
	need(t, err)
	need(t, w.Build(ctx, sha, misbehave))
	return sha, time.Now()
}

func TestPushBecomesAVerifiedDeployment(t *testing.T) {
	var v verified
	testenv.Test(t, features.New("a push, and nobody does anything").
		Setup(step(func(ctx context.Context, t *testing.T) { v = withTrigger(ctx, t) })).
		Assess("is deployed, verified, and nobody else's change is lost", step(func(ctx context.Context, t *testing.T) {
			dirty()
			defer w.Patient()()
			need(t, w.Registry.Disorder(ctx, 0.5))
			// Somebody edits the Application all the while.
			editing, stop := context.WithCancel(ctx)
			edits := make(chan int)
			go func() {
				n := 0
				for editing.Err() == nil {
					if w.Application.Annotate(ctx, map[string]any{"example.com/edit": fmt.Sprint(n + 1)}) == nil {
						n++
					}
					time.Sleep(100 * time.Millisecond)
				}
				edits <- n
			}()
			sha, at := pushed(ctx, t, "feat: pushed only", nil)
			asOf := moved(ctx, t, v.state.Spec.Source.AsOf())
			stop()
			n := <-edits
			s, err := w.Deployed(ctx, asOf)
			need(t, err)
			w.Log("pushed -> verified, settle time 5s: %.0fs", s.Status.OperationState.FinishedAt.Sub(at).Seconds())
			checkFullSync(t, s, asOf)
			need(t, w.CheckRuns(ctx, sha))
			s = says(ctx, t, "Verified", asOf)
			if got := s.Metadata.Annotations["example.com/edit"]; got != fmt.Sprint(n) {
				t.Errorf("the other writer's annotation is %q after %d edits", got, n)
			}
			if before, now := v.state.LastDeployment(), s.LastDeployment(); now != before+1 {
				t.Errorf("the last deployment went from number %d to %d, want one more: duplicates must not deploy again", before, now)
			}
			need(t, w.Drained(ctx, time.Minute))
			clean = sha
			board, err := w.Board(ctx)
			need(t, err)
			for _, want := range []string{"argocd/nova-staging", asOf, `"Verified"`, sha} {
				if !strings.Contains(board, want) {
					t.Errorf("the board lacks %s:\n%s", want, board)
				}
			}
		})).
		Teardown(withoutTrigger).
		Feature())
}

func TestBadPushGoesBackByItself(t *testing.T) {
	var v verified
	var good, bad string
	testenv.Test(t, features.New("a push of an image that does not work").
		Setup(step(func(ctx context.Context, t *testing.T) {
			v = withTrigger(ctx, t)
			good = v.state.Spec.Source.AsOf()
			dirty()
			need(t, w.Registry.ForgetNotices(ctx))
			pushed(ctx, t, "feat: broken", map[string]string{"media-service": world.MetricsHTML})
			bad = moved(ctx, t, good)
		})).
		Assess("fails, and as-of goes back to the last good instant, which is verified again", step(func(ctx context.Context, t *testing.T) {
			// That it failed is to be seen for a moment only; what it said is looked at below.
			s, err := w.Application.Wait(ctx, 3*time.Minute, "the sync of "+bad+" has failed, and as-of has moved", func(s world.State) bool {
				return s.Spec.Source.AsOf() != bad
			})
			need(t, err)
			if back := s.Spec.Source.AsOf(); back != good {
				t.Fatalf("as-of went to %s, want back to %s", back, good)
			}
			s, err = w.Deployed(ctx, good)
			need(t, err)
			checkFullSync(t, s, good)
			need(t, w.CheckRuns(ctx, v.sha))
		})).
		Assess("says what it did: annotation and Event, with what smoke found", step(func(ctx context.Context, t *testing.T) {
			s := says(ctx, t, "Verified", good)
			verdict := s.Metadata.Annotations["trigger.staging.nova/verdict"]
			if !strings.Contains(verdict, "rollback from "+bad) || !strings.Contains(verdict, "14") {
				t.Errorf("the verdict names neither the bad instant nor smoke's exit code 14 (metrics): %s", verdict)
			}
			events, err := w.Events(ctx)
			need(t, err)
			reasons := map[string]bool{}
			for _, e := range events {
				reasons[e.Reason] = true
			}
			for _, want := range []string{"AsOfMoved", "RolledBack", "Verified"} {
				if !reasons[want] {
					t.Errorf("there is no Event %s on the Application: %v", want, reasons)
				}
			}
		})).
		Assess("tells people, by every way", step(func(ctx context.Context, t *testing.T) {
			for service, title := range map[string]string{
				"slack":  "nova-staging was rolled back",
				"email":  "nova-staging was rolled back",
				"github": "staging/nova-staging: failure",
			} {
				n, err := w.Told(ctx, service, title)
				need(t, err)
				if want := "a metrics page is not what Prometheus 3 accepts"; service != "github" && !strings.Contains(n.Text, want) {
					t.Errorf("%s lacks %q: %s", service, want, n.Text)
				}
			}
		})).
		Assess("holds there until something newer is pushed, and deploys that", step(func(ctx context.Context, t *testing.T) {
			time.Sleep(8 * time.Second) // longer than the settle time
			s, err := w.Application.Get(ctx)
			need(t, err)
			if s.Spec.Source.AsOf() != good {
				t.Fatalf("as-of moved to %s though nothing was pushed", s.Spec.Source.AsOf())
			}
			sha, _ := pushed(ctx, t, "fix: works", nil)
			asOf := moved(ctx, t, good)
			_, err = w.Deployed(ctx, asOf)
			need(t, err)
			need(t, w.CheckRuns(ctx, sha))
			says(ctx, t, "Verified", asOf)
			clean = sha
		})).
		Teardown(withoutTrigger).
		Feature())
}

func TestTriggerAndArgoCDAreKilled(t *testing.T) {
	testenv.Test(t, features.New("everything dies in the middle of a deployment").
		Assess("and it is deployed and verified all the same", step(func(ctx context.Context, t *testing.T) {
			v := withTrigger(ctx, t)
			dirty()
			before := v.state.Spec.Source.AsOf()
			sha, at := pushed(ctx, t, "feat: against all odds", nil)
			// While it settles: the one that acts.
			leader, err := w.Leader(ctx)
			need(t, err)
			need(t, w.KillTrigger(ctx, leader))
			asOf := moved(ctx, t, before)
			// When it has moved as-of, and not yet seen what came of it: both.
			need(t, w.KillTrigger(ctx))
			// And Argo CD in the middle of the sync.
			_, err = w.Application.Wait(ctx, time.Minute, "a sync of "+asOf+" runs", func(s world.State) bool {
				o := s.Status.OperationState
				return o.SyncResult.Source.AsOf() == asOf && o.Phase == "Running"
			})
			need(t, err)
			need(t, w.KillController(ctx))
			_, err = w.Deployed(ctx, asOf)
			need(t, err)
			need(t, w.CheckRuns(ctx, sha))
			says(ctx, t, "Verified", asOf)
			w.Log("pushed -> verified, with everything killed once: %.0fs", time.Since(at).Seconds())
			need(t, w.Drained(ctx, time.Minute))
			clean = sha
		})).
		Teardown(withoutTrigger).
		Feature())
}

func TestEventsThatMeanNothing(t *testing.T) {
	event := func(change func(map[string]string)) string {
		f := map[string]string{
			"account": "025434362120", "region": "ap-northeast-1", "repository": "nova/auth-service", "action": "PUSH", "result": "SUCCESS",
			"type": "ECR Image Action", "time": time.Now().UTC().Format(time.RFC3339),
		}
		change(f)
		return fmt.Sprintf(`{"version":"0","id":"13cde686-328b-6117-af20-0e5566167482","detail-type":%q,"source":"aws.ecr","account":%q,"time":%q,"region":%q,"resources":[],"detail":{"result":%q,"repository-name":%q,"image-digest":"sha256:7f5b2640fe6fb4f46592dfd3410c4a79dac4f89e4782432e0378abcd1234","action-type":%q,"image-tag":"latest"}}`,
			f["type"], f["account"], f["time"], f["region"], f["result"], f["repository"], f["action"])
	}
	testenv.Test(t, features.New("events that are malformed, foreign, late, or of other actions").
		Assess("move nothing, and leave the queue", step(func(ctx context.Context, t *testing.T) {
			v := withTrigger(ctx, t)
			for _, message := range []string{
				"no JSON", "{}", `{"detail-type":"ECR Image Action"}`,
				event(func(f map[string]string) { f["account"] = "999999999999" }),
				event(func(f map[string]string) { f["repository"] = "other/team" }),
				event(func(f map[string]string) { f["action"] = "DELETE" }),
				event(func(f map[string]string) { f["result"] = "FAILURE" }),
				event(func(f map[string]string) { f["type"] = "ECR Image Scan" }),
				event(func(f map[string]string) { f["time"] = "2020-01-01T00:00:00Z" }),
				event(func(f map[string]string) { f["time"] = "not a time" }),
			} {
				need(t, w.Registry.Send(ctx, message))
			}
			need(t, w.Drained(ctx, time.Minute))
			time.Sleep(7 * time.Second) // longer than the settle time
			s, err := w.Application.Get(ctx)
			need(t, err)
			if got, want := s.Spec.Source.AsOf(), v.state.Spec.Source.AsOf(); got != want {
				t.Errorf("as-of moved from %s to %s", want, got)
			}
			v.untouched(ctx, t)
		})).
		Teardown(withoutTrigger).
		Feature())
}
