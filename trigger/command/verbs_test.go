package command_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/internal/argotest"
	"github.com/proerror77/nova-staging/internal/triggertest"
	"github.com/proerror77/nova-staging/trigger/application"
)

type printed struct {
	Application, From, Verdict, Message string
	Instant, Bad                        time.Time
}

// lastSync gives an Application a sync that succeeded before the test.
func lastSync(sync map[string]any) func(map[string]any) {
	return func(o map[string]any) {
		o["status"].(map[string]any)["operationState"] = map[string]any{
			"phase": "Succeeded", "startedAt": "2026-11-20T12:00:00Z", "operation": map[string]any{"sync": sync},
		}
	}
}

func TestOnceWaitsForTheVerdict(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"}, Change: lastSync(map[string]any{})})
	w.Run()

	code, out, stderr := w.CLI("once", "-a", "argocd/nova", "--wait", "--poll-interval", "50ms", "--timeout", "30s")
	if code != 0 || !strings.Contains(out, "Unchanged at ") || !strings.Contains(stderr, "as-of "+triggertest.Start+" → ") {
		t.Errorf("nothing was pushed: %d\n%s\n%s", code, out, stderr)
	}
	w.Push("nova/auth", "good1")
	code, out, _ = w.CLI("once", "-a", "argocd/nova", "--wait", "--poll-interval", "50ms", "--timeout", "30s", "-o", "json")
	if r := triggertest.Decode[printed](t, out); code != 0 || r.Verdict != "Verified" {
		t.Errorf("a good push: %d %+v", code, r)
	}
	w.Push("nova/auth", "bad1")
	code, out, stderr = w.CLI("once", "-a", "argocd/nova", "--wait", "--poll-interval", "50ms", "--timeout", "30s", "-o", "json")
	if r := triggertest.Decode[printed](t, out); code != 11 || r.Verdict != "Verified" || !strings.Contains(r.Message, "nova/auth:bad1 answers 500") || !r.Bad.After(r.Instant) {
		t.Errorf("a bad push, rolled back by once itself: %d %+v\n%s", code, r, stderr)
	}
	if live := w.Argo.Live("argocd", "nova"); live != "nova/auth:good1" {
		t.Errorf("what runs is %q", live)
	}
	code, _, stderr = w.CLI("once", "-a", "argocd/nova", "--wait", "--poll-interval", "50ms", "--timeout", "30s", "--no-rollback")
	if code != 10 || !strings.Contains(stderr, "nothing was rolled back") && !strings.Contains(stderr, "the sync failed") {
		t.Errorf("without rollback: %d\n%s", code, stderr)
	}
	code, _, stderr = w.CLI("once", "-a", "argocd/nova", "--wait", "--poll-interval", "50ms", "--timeout", "30s")
	if code != 10 || !strings.Contains(stderr, "nothing has changed since") {
		t.Errorf("what failed and did not change is not passed: %d\n%s", code, stderr)
	}
	w.BreakRender("no commit has all images")
	code, _, stderr = w.CLI("once", "-a", "argocd/nova", "--wait", "--poll-interval", "50ms", "--timeout", "30s")
	if code != 13 || !strings.Contains(stderr, "no commit has all images") {
		t.Errorf("a render that fails: %d\n%s", code, stderr)
	}
}

// What waits is deployed with it, and not again when it is heard of a second time.
func TestOnceTakesInWhatWaits(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Annotations: map[string]string{
		application.RecordKey: `{"pending": {"newest": "2026-11-20T13:00:00Z", "ids": ["1"], "count": 1, "reason": "push of nova/auth:x"}}`,
	}})
	code, _, stderr := w.CLI("once", "-a", "nova", "--poll-interval", "20ms")
	if r := w.Record("nova"); code != 0 || r.Pending != nil || !slices.Contains(r.Covered, "1") || r.Reason != "push of nova/auth:x" {
		t.Errorf("exit status %d, %+v\n%s", code, r, stderr)
	}
}

// The API server's clock is AWS's; that of CI may be wrong.
func TestOnceGoesByTheAPIServersClock(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.API.Skew = 3 * time.Hour
	w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start})
	code, _, stderr := w.CLI("once", "-a", "nova", "--poll-interval", "20ms")
	at, err := time.Parse(time.RFC3339, w.API.AsOf("argocd", "nova"))
	if ahead := time.Until(at); code != 0 || err != nil || (ahead-w.API.Skew).Abs() > time.Minute {
		t.Errorf("exit status %d, as-of is %s ahead of our clock, want %s; %v\n%s", code, ahead, w.API.Skew, err, stderr)
	}
}

func TestOnceMovesWhatIsHeldWhenForcedTo(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Annotations: map[string]string{application.HoldKey: "demonstration"}})
	if code, _, stderr := w.CLI("once", "-a", "nova", "--poll-interval", "20ms"); code != 6 || w.API.AsOf("argocd", "nova") != triggertest.Start {
		t.Errorf("exit status %d, want 6\n%s", code, stderr)
	}
	if code, _, stderr := w.CLI("once", "-a", "nova", "--poll-interval", "20ms", "--force"); code != 0 || w.API.AsOf("argocd", "nova") == triggertest.Start {
		t.Errorf("forced: exit status %d\n%s", code, stderr)
	}
}

// An Application that was made anew over resources that run has no sync to show, and
// one that somebody synced past its hooks none that tells anything.
func TestUnchangedSinceNoSyncThatPassedIsNotPassed(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.API.Add(argotest.App{Name: "anew", AsOf: triggertest.Start})
	w.API.Add(argotest.App{Name: "in-part", AsOf: triggertest.Start, Change: lastSync(map[string]any{"resources": []any{map[string]any{"kind": "Deployment", "name": "auth"}}})})
	w.Run()
	for _, name := range []string{"anew", "in-part"} {
		code, _, stderr := w.CLI("once", "-a", name, "--wait", "--poll-interval", "50ms", "--timeout", "8s")
		if code != 10 || !strings.Contains(stderr, "sync it in full") {
			t.Errorf("%s: exit status %d\n%s", name, code, stderr)
		}
	}
}

// TestVerbsNeedNoLabel moves an Application that only CI moves: the label is for
// trigger watch.
func TestVerbsNeedNoLabel(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.API.Add(argotest.App{
		Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"},
		Labels: map[string]string{application.SelectKey: "false"},
	})
	w.Run()
	w.Push("nova/auth", "good1")
	code, out, stderr := w.CLI("once", "-a", "argocd/nova", "--wait", "--poll-interval", "50ms", "--timeout", "30s", "-o", "json")
	if r := triggertest.Decode[printed](t, out); code != 0 || r.Verdict != "Verified" || w.Argo.Live("argocd", "nova") != "nova/auth:good1" {
		t.Fatalf("once: %d %+v, runs %q\n%s", code, r, w.Argo.Live("argocd", "nova"), stderr)
	}
	w.Push("nova/auth", "bad1")
	if code, _, stderr = w.CLI("once", "-a", "argocd/nova", "--wait", "--poll-interval", "50ms", "--timeout", "30s"); code != 11 {
		t.Errorf("a bad push is rolled back: %d\n%s", code, stderr)
	}
	if code, _, stderr = w.CLI("hold", "-a", "argocd/nova", "--reason", "demo"); code != 0 {
		t.Errorf("hold: %d\n%s", code, stderr)
	}
	if code, _, stderr = w.CLI("once", "-a", "argocd/nova"); code == 0 || !strings.Contains(stderr, "demo") {
		t.Errorf("once while it is held: %d\n%s", code, stderr)
	}
	code, out, stderr = w.CLI("status", "-a", "argocd/nova")
	if code != 0 || !strings.Contains(out, "argocd/nova") || !strings.Contains(stderr, "trigger watch leaves it alone") {
		t.Errorf("status of it: %d\n%s%s", code, out, stderr)
	}
	if _, out, _ = w.CLI("status"); strings.Contains(out, "argocd/nova") {
		t.Errorf("status of all that trigger watch cares for:\n%s", out)
	}
}

// TestOnceTakesInWhatWasPushedJustBefore pushes late in a second: the instant must not
// be that second's beginning.
func TestOnceTakesInWhatWasPushedJustBefore(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"}})
	w.Run()
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(1300 * time.Millisecond)))
	w.Push("nova/auth", "good1")
	code, out, stderr := w.CLI("once", "-a", "nova", "--wait", "--poll-interval", "50ms", "--timeout", "30s", "-o", "json")
	if r := triggertest.Decode[printed](t, out); code != 0 || r.Verdict != "Verified" || w.Argo.Live("argocd", "nova") != "nova/auth:good1" {
		t.Errorf("exit status %d, %+v, runs %q\n%s", code, r, w.Argo.Live("argocd", "nova"), stderr)
	}
}

func TestRollbackByHandHoldsUntilANewerPush(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"}})
	w.Run()
	p := w.Watch()
	w.Push("nova/auth", "good1")
	first := w.Becomes("nova", application.Deploy, application.Verified, p.Log)
	w.Push("nova/auth", "good2")
	w.Eventually("the second is verified", func() bool {
		r := w.Record("nova")
		return r.Instant.After(first.Instant) && r.Verdict == application.Verified
	}, p.Log)
	// As after a change of roles. What runs is the same, and not to be rolled back to.
	code, out, stderr := w.CLI("once", "-a", "nova", "--wait", "--poll-interval", "50ms", "--timeout", "30s")
	if code != 0 || !strings.Contains(out, "Unchanged at ") {
		t.Fatalf("nothing was pushed: %d\n%s\n%s", code, out, stderr)
	}
	code, out, stderr = w.CLI("rollback", "-a", "nova", "--wait", "--poll-interval", "50ms", "--timeout", "30s", "--reason", "customers complain")
	if code != 0 || w.Argo.Live("argocd", "nova") != "nova/auth:good1" || !strings.Contains(out, "customers complain") {
		t.Fatalf("rollback: %d\n%s\n%s; runs %q", code, out, stderr, w.Argo.Live("argocd", "nova"))
	}
	time.Sleep(500 * time.Millisecond)
	if w.Argo.Live("argocd", "nova") != "nova/auth:good1" {
		t.Error("it did not stay there")
	}
	w.Push("nova/auth", "good3")
	w.Eventually("a newer push is deployed", func() bool { return w.Argo.Live("argocd", "nova") == "nova/auth:good3" }, p.Log)

	code, out, _ = w.CLI("status", "-o", "text")
	if code != 0 || !strings.Contains(out, "argocd/nova") {
		t.Errorf("status: %d %s", code, out)
	}
}

// TestNobodyElsesChangeIsLost edits an Application in the moment between trigger's
// reading and writing, again and again.
func TestNobodyElsesChangeIsLost(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"}})
	var edits atomic.Int32
	w.API.Intercept = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPatch && edits.Add(1) <= 4 {
			n := edits.Load()
			w.API.Update("argocd", "nova", func(o map[string]any) {
				spec := o["spec"].(map[string]any)
				spec["project"] = fmt.Sprintf("edit-%d", n)
				parameters := spec["source"].(map[string]any)["plugin"].(map[string]any)["parameters"].([]any)
				if n == 2 { // even the parameters' order
					parameters[0], parameters[1] = parameters[1], parameters[0]
				}
				o["metadata"].(map[string]any)["annotations"] = map[string]any{"somebody.else/note": fmt.Sprint(n)}
			})
		}
		return false
	}
	w.Run()
	p := w.Watch()
	w.Push("nova/auth", "good1")
	w.Becomes("nova", application.Deploy, application.Verified, p.Log)
	o := w.API.Get("argocd", "nova")
	spec := o["spec"].(map[string]any)
	parameters := spec["source"].(map[string]any)["plugin"].(map[string]any)["parameters"].([]any)
	if spec["project"] != "edit-4" || w.API.Annotation("argocd", "nova", "somebody.else/note") != "4" || parameters[1].(map[string]any)["name"] != "other" || parameters[1].(map[string]any)["string"] != "x" {
		t.Errorf("an edit is lost: %v", spec)
	}
	if edits.Load() < 5 {
		t.Errorf("only %d patches: nothing was in their way", edits.Load())
	}
}

// TestAPatchThatIsRefusedIsSaid has an admission policy say no.
func TestAPatchThatIsRefusedIsSaid(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"}})
	var patches atomic.Int32
	w.API.Intercept = func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPatch {
			return false
		}
		patches.Add(1)
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprint(rw, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422,"message":"ValidatingAdmissionPolicy 'nova-trigger' denied request"}`)
		return true
	}
	code, _, stderr := w.CLI("once", "-a", "nova")
	if code == 0 || !strings.Contains(stderr, "denied request") || !strings.Contains(stderr, "admission policy") {
		t.Errorf("%d %s", code, stderr)
	}
	if n := patches.Load(); n != 1 {
		t.Errorf("it was tried %d times, want once", n)
	}
}

// TestKilledAtEachStepOfAMove ends the process without warning around the patch,
// and lets another go on.
func TestKilledAtEachStepOfAMove(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"before the patch", "after the patch", "before the message is deleted"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			w := triggertest.New(t)
			w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"}})
			var dead atomic.Bool
			hang := func(r *http.Request) bool {
				dead.Store(true)
				_, _ = io.Copy(io.Discard, r.Body) // or the server does not see the client leave
				<-r.Context().Done()
				panic(http.ErrAbortHandler)
			}
			var once atomic.Bool
			w.API.Intercept = func(_ http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodPatch || step == "before the message is deleted" || !once.CompareAndSwap(false, true) {
					return false
				}
				if step == "before the patch" {
					return hang(r)
				}
				// The patch takes effect, and its answer never arrives.
				again := r.Clone(r.Context())
				again.URL.Scheme, again.URL.Host, again.RequestURI = "http", strings.TrimPrefix(w.API.URL, "http://"), ""
				res, err := http.DefaultClient.Do(again)
				if err != nil {
					t.Error(err)
					return false
				}
				res.Body.Close()
				return hang(r)
			}
			lift := func() {}
			if step == "before the message is deleted" {
				lift = w.FailDeletes()
			}
			w.Run()
			first := w.Watch()
			w.Push("nova/auth", "good1")
			if step == "before the message is deleted" {
				w.Eventually("as-of has moved", func() bool { return w.API.AsOf("argocd", "nova") != triggertest.Start }, first.Log)
			} else {
				w.Eventually("the patch hangs", dead.Load, first.Log)
			}
			first.Stop()
			lift()
			w.Queue.ExpireVisibility()
			second := w.Watch()
			w.Becomes("nova", application.Deploy, application.Verified, second.Log)
			w.Eventually("the message is deleted", func() bool { return w.Queue.Len() == 0 }, second.Log)
			time.Sleep(500 * time.Millisecond)
			if n := w.Argo.Syncs("argocd", "nova"); n != 1 {
				t.Errorf("%d syncs, want 1", n)
			}
			if live := w.Argo.Live("argocd", "nova"); live != "nova/auth:good1" {
				t.Errorf("what runs is %q", live)
			}
		})
	}
}

// A push to two Applications is to be heard of until both have it.
func TestAMessageIsKeptUntilEachApplicationHasItsPush(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	for _, name := range []string{"nova", "other"} {
		w.API.Add(argotest.App{Name: name, AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"}})
	}
	var lifted atomic.Bool
	var refused atomic.Int32
	w.API.Intercept = func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPatch || !strings.HasSuffix(r.URL.Path, "/other") || lifted.Load() {
			return false
		}
		refused.Add(1)
		http.Error(rw, "not now", http.StatusServiceUnavailable)
		return true
	}
	w.Run()
	first := w.Watch()
	w.Push("nova/auth", "good1")
	w.Becomes("nova", application.Deploy, application.Verified, first.Log)
	w.Eventually("the other is refused", func() bool { return refused.Load() > 2 }, first.Log)
	first.Stop()
	if n := w.Queue.Len(); n != 1 {
		t.Fatalf("%d messages are left, want the one that the other waits for", n)
	}
	lifted.Store(true)
	w.Queue.ExpireVisibility()
	second := w.Watch()
	w.Becomes("other", application.Deploy, application.Verified, second.Log)
	w.Eventually("the message is deleted", func() bool { return w.Queue.Len() == 0 }, second.Log)
	if n := w.Argo.Syncs("argocd", "nova"); n != 1 {
		t.Errorf("%d syncs of the first, want 1", n)
	}
}

func TestOfTwoReplicasOneActsAndTheOtherTakesOver(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"}})
	w.Run()
	elect := []string{"--leader-elect", "--lease-namespace", "argocd", "--lease-duration", "1h", "--lease-renew-deadline", "30s", "--lease-retry-period", "200ms"}
	first := w.Watch(elect...)
	w.Eventually("the first acts", func() bool { return strings.Contains(first.Log.String(), `"msg":"acting"`) }, first.Log)
	second := w.Watch(elect...)
	w.Push("nova/auth", "good1")
	w.Becomes("nova", application.Deploy, application.Verified, first.Log)
	if strings.Contains(second.Log.String(), `"msg":"acting"`) {
		t.Fatal("both act")
	}
	for _, p := range []*triggertest.Process{first, second} {
		if code, _ := triggertest.Get(t, p.URL+"/readyz"); code != 200 {
			t.Errorf("a replica is not ready: %d", code)
		}
	}
	if _, page := triggertest.Get(t, second.URL+"/"); !strings.Contains(page, "stands by") || !strings.Contains(page, "Verified") {
		t.Errorf("the board of the replica that stands by: %s", page)
	}
	first.Stop() // gives the Lease back, which would run for an hour
	w.Eventually("the second acts", func() bool { return strings.Contains(second.Log.String(), `"msg":"acting"`) }, second.Log)
	w.Push("nova/auth", "good2")
	w.Eventually("the second deploys", func() bool { return w.Argo.Live("argocd", "nova") == "nova/auth:good2" }, second.Log)
}

func TestDuplicatesAndDisorderCauseOneDeployment(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.Queue.SetDuplicates(0.7, 3)
	w.Queue.SetUnordered(true)
	w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old", triggertest.Host + "nova/user:old"}})
	w.Run()
	p := w.Watch("--settle", "2s", "--max-wait", "20s") // twenty pushes take a busy machine a while
	for i := range 20 {
		w.Push([]string{"nova/auth", "nova/user"}[i%2], fmt.Sprintf("good%d", i))
	}
	w.Eventually("the newest are deployed", func() bool { return w.Argo.Live("argocd", "nova") == "nova/auth:good18 nova/user:good19" }, p.Log)
	w.Becomes("nova", application.Deploy, application.Verified, p.Log)
	w.Queue.SetDuplicates(0, 1)
	w.Eventually("all messages are deleted", func() bool { return w.Queue.Len() == 0 }, p.Log)
	if n := w.Argo.Syncs("argocd", "nova"); n != 1 {
		t.Errorf("%d syncs, want 1; log:\n%s", n, p.Log)
	}
}
