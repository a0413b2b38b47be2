package command_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/internal/argotest"
	"github.com/proerror77/nova-staging/internal/ecremulator"
	"github.com/proerror77/nova-staging/internal/triggertest"
	"github.com/proerror77/nova-staging/trigger/application"
)

func TestAPushIsDeployedAndVerified(t *testing.T) {
	t.Parallel()
	for _, multi := range []bool{false, true} {
		w := triggertest.New(t)
		w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old@sha256:1"}, MultiSource: multi})
		w.Run()
		p := w.Watch()
		w.Push("nova/auth", "good1")
		r := w.Becomes("nova", application.Deploy, application.Verified, p.Log)
		if live := w.Argo.Live("argocd", "nova"); live != "nova/auth:good1" {
			t.Errorf("what runs is %q", live)
		}
		if r.From != triggertest.Start || !strings.Contains(r.Reason, "push of nova/auth:good1") || r.By != "trigger watch (trigger-0)" {
			t.Errorf("record is %+v", r)
		}
		w.Eventually("the message is deleted", func() bool { return w.Queue.Len() == 0 }, p.Log)
		w.Eventually("Events are written", func() bool {
			return slices.Equal(w.Events("nova"), []string{"AsOfMoved", "Verified"})
		}, p.Log)
		_, page := triggertest.Get(t, p.URL+"/metrics")
		for _, line := range []string{
			`nova_trigger_pushes_total{result="accepted"} 1`, `nova_trigger_moves_total{kind="deploy"} 1`,
			`nova_trigger_syncs_total{verdict="verified"} 1`, `nova_trigger_push_to_verified_seconds_count 1`, `nova_trigger_leader 1`,
		} {
			if !strings.Contains(page, line+"\n") {
				t.Errorf("metrics lack %s", line)
			}
		}
		if code := p.Stop(); code != 0 {
			t.Errorf("watch ended with %d", code)
		}
	}
}

func TestABadPushGoesBackByItselfOnceAndAFixIsDeployed(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"}})
	w.Run()
	p := w.Watch()
	w.Push("nova/auth", "good1")
	good := w.Becomes("nova", application.Deploy, application.Verified, p.Log)
	w.Push("nova/auth", "bad1")
	back := w.Becomes("nova", application.Rollback, application.Verified, p.Log)
	if !back.Instant.Equal(good.Instant) || !back.Bad.After(good.Instant) || !strings.Contains(back.BadMessage, "nova/auth:bad1 answers 500") {
		t.Errorf("record is %+v, want to be back at %s", back, good.Instant)
	}
	if at := w.API.AsOf("argocd", "nova"); at != application.FormatInstant(good.Instant) {
		t.Errorf("as-of is %s, want %s", at, good.Instant)
	}
	if live := w.Argo.Live("argocd", "nova"); live != "nova/auth:good1" {
		t.Errorf("what runs is %q", live)
	}
	// The very same events again, as SQS may deliver them: nothing moves.
	w.Queue.Send(ecremulator.NewEvent(w.Registry.Repository("nova/auth"), "PUSH", "sha256:"+strings.Repeat("0", 64), "good1", good.Instant.Add(-time.Minute)).JSON())
	w.Eventually("the late event is dropped", func() bool { return w.Queue.Len() == 0 }, p.Log)
	time.Sleep(600 * time.Millisecond)
	if syncs := w.Argo.Syncs("argocd", "nova"); syncs != 3 {
		t.Errorf("%d syncs, want 3: good, bad, back", syncs)
	}
	w.Push("nova/auth", "good2")
	fixed := w.Becomes("nova", application.Deploy, application.Verified, p.Log)
	if !fixed.Instant.After(back.Bad) || w.Argo.Live("argocd", "nova") != "nova/auth:good2" {
		t.Errorf("the fix is at %s and runs %q", fixed.Instant, w.Argo.Live("argocd", "nova"))
	}
	want := []string{"AsOfMoved", "Verified", "AsOfMoved", "RolledBack", "Verified", "AsOfMoved", "Verified"}
	w.Eventually("all Events are written", func() bool { return slices.Equal(w.Events("nova"), want) }, p.Log)
}

func TestARollbackThatFailsDoesNotLoop(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"}})
	w.Argo.Smoke = func(string, string) (string, bool) { return "the database is gone", false }
	w.Run()
	p := w.Watch()
	w.Push("nova/auth", "good1")
	r := w.Becomes("nova", application.Rollback, application.SyncFailed, p.Log)
	time.Sleep(time.Second)
	if again := w.Record("nova"); !again.Instant.Equal(r.Instant) || w.Argo.Syncs("argocd", "nova") != 2 {
		t.Errorf("%d syncs and record %+v, want 2 and no move after %+v", w.Argo.Syncs("argocd", "nova"), again, r)
	}
	w.Eventually("an Event says so", func() bool { return slices.Contains(w.Events("nova"), "RollbackFailed") }, p.Log)
}

func TestOptOutOfRollback(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"}, Annotations: map[string]string{application.RollbackKey: "off"}})
	w.Run()
	p := w.Watch()
	w.Push("nova/auth", "bad1")
	r := w.Becomes("nova", application.Deploy, application.SyncFailed, p.Log)
	if !strings.Contains(r.Message, "not rolled back: switched off") {
		t.Errorf("message is %q", r.Message)
	}
	w.Push("nova/auth", "good1")
	w.Becomes("nova", application.Deploy, application.Verified, p.Log)
}

func TestAHoldKeepsPushesUntilRelease(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"}})
	w.Run()
	p := w.Watch()
	if code, out, stderr := w.CLI("hold", "-a", "argocd/nova", "--reason", "demonstration"); code != 0 || !strings.Contains(out, "demonstration (by ada)") {
		t.Fatalf("hold: %d %s %s", code, out, stderr)
	}
	w.Push("nova/auth", "good1")
	w.Remembered("nova", p.Log)
	if at := w.API.AsOf("argocd", "nova"); at != triggertest.Start {
		t.Fatalf("as-of moved to %s while held", at)
	}
	if code, _, stderr := w.CLI("once", "-a", "argocd/nova"); code != 6 || !strings.Contains(stderr, "demonstration") {
		t.Errorf("once during a hold: %d %s", code, stderr)
	}
	p.Stop() // the memory is in the Application
	p = w.Watch()
	if code, _, stderr := w.CLI("release", "-a", "argocd/nova"); code != 0 {
		t.Fatalf("release: %d %s", code, stderr)
	}
	r := w.Becomes("nova", application.Deploy, application.Verified, p.Log)
	if r.Pending != nil || w.Argo.Live("argocd", "nova") != "nova/auth:good1" {
		t.Errorf("record is %+v, runs %q", r, w.Argo.Live("argocd", "nova"))
	}
}

// Nobody would ever be done with the message else, nor get it.
func TestAPushIsDoneWithWhenTheApplicationThatItWaitsForIsGone(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*triggertest.World){
		"deleted": func(w *triggertest.World) { w.API.Remove("argocd", "nova") },
		"not selected any more": func(w *triggertest.World) {
			w.API.Update("argocd", "nova", func(o map[string]any) {
				o["metadata"].(map[string]any)["labels"] = map[string]any{application.SelectKey: "false"}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := triggertest.New(t)
			w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"}})
			p := w.Watch("--settle", "1h", "--max-wait", "2h", "--together-max-wait", "2h")
			w.Push("nova/auth", "good1")
			w.Eventually("the push settles", func() bool { return strings.Contains(p.Log.String(), `"msg":"push"`) }, p.Log)
			leave(w)
			w.Eventually("the message is deleted", func() bool { return w.Queue.Len() == 0 }, p.Log)
		})
	}
}

func TestPushesDuringASyncWaitForItsEnd(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"}})
	w.Run()
	p := w.Watch()
	release := w.Argo.HoldSyncs()
	w.Push("nova/auth", "good1")
	w.Syncing("nova", triggertest.Start, p.Log)
	first := w.API.AsOf("argocd", "nova")
	w.Push("nova/auth", "good2")
	w.Eventually("the second push is remembered", func() bool { return w.Record("nova").Pending != nil }, p.Log)
	if at := w.API.AsOf("argocd", "nova"); at != first {
		t.Errorf("as-of moved to %s during the sync", at)
	}
	release()
	w.Eventually("the second is deployed", func() bool {
		return w.Argo.Live("argocd", "nova") == "nova/auth:good2" && w.Record("nova").Verdict == application.Verified
	}, p.Log)
	if n := w.Argo.Syncs("argocd", "nova"); n != 2 {
		t.Errorf("%d syncs, want 2", n)
	}
}

func TestTogetherIsOneDeployment(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	var images []string
	services := []string{"auth", "content", "feed", "media", "messaging", "search", "streaming", "user"}
	for _, s := range services {
		images = append(images, triggertest.Host+"nova/"+s+"-service:old")
	}
	w.API.Add(argotest.App{
		Name: "nova", AsOf: triggertest.Start, Images: append(images, triggertest.Host+"nova/staging-smoke:old"),
		Annotations: map[string]string{application.TogetherKey: triggertest.Host + "nova/*-service"},
	})
	w.Run()
	p := w.Watch("--settle", "100ms", "--together-max-wait", "15s")
	for _, s := range services {
		w.Push("nova/"+s+"-service", "c1")
		time.Sleep(250 * time.Millisecond) // more than the settle time
	}
	w.Becomes("nova", application.Deploy, application.Verified, p.Log)
	// Not patches: one that met another writer's change is made again.
	for _, what := range []string{"moved as-of", "verdict"} {
		line := `"msg":"` + what + `"`
		w.Eventually("it is in the log", func() bool { return strings.Contains(p.Log.String(), line) }, p.Log)
		if n := strings.Count(p.Log.String(), line); n != 1 {
			t.Errorf("%q is in the log %d times, want once:\n%s", what, n, p.Log)
		}
	}
	if n := w.Argo.Syncs("argocd", "nova"); n != 1 {
		t.Errorf("%d syncs, want 1", n)
	}
}

// The other half is older than as-of, and told of last.
func TestASetIsCompletedByAPushThatNeedsNothing(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	start := time.Now().UTC().Format(time.RFC3339)
	w.API.Add(argotest.App{
		Name: "nova", AsOf: start, Images: []string{triggertest.Host + "nova/auth:old", triggertest.Host + "nova/user:old"},
		Annotations: map[string]string{application.TogetherKey: "true"},
	})
	p := w.Watch("--together-max-wait", "30m")
	commit := strings.Repeat("a", 40)
	w.Push("nova/user", commit)
	w.Eventually("the first half waits", func() bool { return strings.Contains(p.Log.String(), `"msg":"push"`) }, p.Log)
	repo := ecremulator.Must(w.Registry.CreateRepository("nova/auth"))
	w.Queue.Send(ecremulator.NewEvent(repo, "PUSH", "sha256:"+strings.Repeat("b", 64), commit, time.Now().Add(-time.Minute)).JSON())
	w.Eventually("the set is deployed", func() bool { return w.API.AsOf("argocd", "nova") != start }, p.Log)
}

// A service without Pods, scaled to none say, is in no list of what runs.
func TestAPushToAServiceThatRunsNoPodIsNotLost(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"}, Change: func(o map[string]any) {
		o["status"].(map[string]any)["operationState"] = map[string]any{"phase": "Succeeded", "startedAt": "2026-11-20T12:00:00Z", "syncResult": map[string]any{"resources": []any{
			map[string]any{"kind": "Deployment", "name": "auth", "status": "Synced", "images": []any{triggertest.Host + "nova/auth:old"}},
			map[string]any{"kind": "Deployment", "name": "user", "status": "Synced", "images": []any{triggertest.Host + "nova/user:old"}},
		}}}
	}})
	w.Run()
	p := w.Watch()
	w.Push("nova/user", "good1")
	w.Becomes("nova", application.Deploy, application.Verified, p.Log)
}

func TestAPushWhileAsOfIsMistypedIsDeployedOnceItIsMended(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"}})
	w.Run()
	p := w.Watch()
	w.Push("nova/auth", "good1")
	good := w.Becomes("nova", application.Deploy, application.Verified, p.Log)
	set := func(asOf string) {
		w.API.Update("argocd", "nova", func(o map[string]any) { argotest.SetAsOf(o, asOf) })
	}
	set("2026-11-20 21:00")
	w.Push("nova/auth", "good2")
	w.Remembered("nova", p.Log)
	set(application.FormatInstant(good.Instant))
	w.Eventually("it is deployed", func() bool { return w.Argo.Live("argocd", "nova") == "nova/auth:good2" }, p.Log)
}

func TestEventsThatAreNoPushStopNothing(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"}})
	w.API.Add(argotest.App{Name: "no-plugin", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"}, Change: func(o map[string]any) {
		delete(o["spec"].(map[string]any)["source"].(map[string]any), "plugin")
	}})
	w.API.Add(argotest.App{Name: "no-as-of", Images: []string{triggertest.Host + "nova/auth:old"}})
	w.API.Add(argotest.App{Name: "broken-status", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"}, Change: func(o map[string]any) {
		o["status"] = map[string]any{"history": "none", "operationState": []any{1}, "summary": map[string]any{"images": []any{triggertest.Host + "nova/auth:old", 3}}, "sync": "x"}
	}})
	w.Run()
	p := w.Watch()
	repo := ecremulator.Must(w.Registry.CreateRepository("nova/auth"))
	for range 3 {
		w.Queue.Send("this is not JSON")
		w.Queue.Send(`{"source":"aws.ecr","detail-type":"ECR Image Action","time":"yesterday","detail":{}}`)
	}
	w.Queue.Send(ecremulator.NewEvent(repo, "DELETE", "sha256:"+strings.Repeat("a", 64), "x", time.Now()).JSON())
	scan := ecremulator.NewEvent(repo, "PUSH", "", "", time.Now())
	scan.DetailType = "ECR Image Scan"
	w.Queue.Send(scan.JSON())
	foreign := ecremulator.NewEvent(repo, "PUSH", "sha256:"+strings.Repeat("a", 64), "x", time.Now())
	foreign.Account = "111122223333"
	w.Queue.Send(foreign.JSON())
	w.Queue.Send(ecremulator.NewEvent(repo, "PUSH", "sha256:"+strings.Repeat("a", 64), "sha256-"+strings.Repeat("a", 64)+".sig", time.Now()).JSON())
	w.Queue.Send(ecremulator.NewEvent(repo, "PUSH", "sha256:"+strings.Repeat("a", 64), "", time.Now()).JSON())
	w.Push("nova/auth", "good1")
	w.Becomes("nova", application.Deploy, application.Verified, p.Log)
	w.Eventually("an Application with a broken status is moved all the same", func() bool {
		return w.API.AsOf("argocd", "broken-status") != triggertest.Start
	}, p.Log)
	w.Eventually("malformed messages end in the dead-letter queue", func() bool { return w.Dead.Len() == 6 && w.Queue.Len() == 0 }, p.Log)
	page := ""
	for _, line := range []string{
		`nova_trigger_events_ignored_total{reason="malformed"} 6`, `nova_trigger_events_ignored_total{reason="delete"} 1`,
		`nova_trigger_events_ignored_total{reason="foreign"} 1`, `nova_trigger_events_ignored_total{reason="artifact"} 1`,
		`nova_trigger_events_ignored_total{reason="untagged"} 1`, `nova_trigger_pushes_total{result="irrelevant"} 1`,
		`nova_trigger_applications_broken 2`,
	} {
		w.Eventually("metrics have "+line, func() bool {
			if !strings.Contains(page, line+"\n") {
				_, page = triggertest.Get(t, p.URL+"/metrics")
			}
			return strings.Contains(page, line+"\n")
		}, p.Log)
	}
	for text, n := range map[string]int{
		"no source has a plugin": 1, "no plugin source has a parameter as-of": 1, "a message is malformed": 6,
		`"what":"status.history is not a list"`: 1, "no selected Application uses this repository": 1,
	} {
		if got := strings.Count(p.Log.String(), text); got != n {
			t.Errorf("the log says %q %d times, want %d", text, got, n)
		}
	}
	if strings.Contains(p.Log.String(), "this is not JSON") {
		t.Error("the log repeats a malformed message")
	}
}

func TestAQueueThatVanishesAndComesBack(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"}})
	w.Run()
	p := w.Watch()
	w.Eventually("the queue is read", func() bool { return strings.Contains(p.Log.String(), `"msg":"acting"`) }, p.Log)
	time.Sleep(200 * time.Millisecond)
	w.ECR.DeleteQueue(w.Queue)
	w.Push("nova/auth", "good0") // ends the poll that still waits
	w.Eventually("the loss is said", func() bool { return strings.Contains(p.Log.String(), "NonExistentQueue") }, p.Log)
	if code, _ := triggertest.Get(t, p.URL+"/healthz"); code != 200 {
		t.Error("a lost queue must not restart the Pod")
	}
	time.Sleep(1500 * time.Millisecond)
	if n := strings.Count(p.Log.String(), "the queue can not be read"); n > 2 { // each of two receivers may have been answered once meanwhile
		t.Errorf("the loss is said %d times", n)
	}
	w.ECR.RestoreQueue(w.Queue)
	w.Push("nova/auth", "good1")
	w.Eventually("the push is deployed", func() bool { return w.Argo.Live("argocd", "nova") == "nova/auth:good1" }, p.Log)
}

func TestAnEmptyAnswerAboutTheQueueCostsNoMalformedMessage(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"}})
	w.ECR.Inject(ecremulator.Fault{Kind: ecremulator.EmptyBody, Op: "GetQueueAttributes", Times: 1})
	w.Run()
	p := w.Watch()
	for range 3 {
		w.Queue.Send("this is not JSON")
	}
	w.Eventually("all are read and left", func() bool { return strings.Count(p.Log.String(), `"leftForDeadLetterQueue":true`) == 3 }, p.Log)
	w.Eventually("all end in the dead-letter queue", func() bool {
		w.Queue.ExpireVisibility()
		return w.Dead.Len() == 3 && w.Queue.Len() == 0
	}, p.Log)
}
