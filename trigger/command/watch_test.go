package command_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/internal/argotest"
	"github.com/proerror77/nova-staging/internal/ecremulator"
	"github.com/proerror77/nova-staging/trigger/application"
)

func TestAPushIsDeployedAndVerified(t *testing.T) {
	for _, multi := range []bool{false, true} {
		w := newWorld(t)
		w.api.Add(argotest.App{Name: "nova", AsOf: start, Images: []string{host + "nova/auth:old@sha256:1"}, MultiSource: multi})
		w.run()
		p := w.watch()
		began := time.Now()
		w.push("nova/auth", "good1")
		r := w.becomes("nova", application.Deploy, application.Verified, p.log)
		if live := w.argo.Live("argocd", "nova"); live != "nova/auth:good1" {
			t.Errorf("what runs is %q", live)
		}
		if r.From != start || !strings.Contains(r.Reason, "push of nova/auth:good1") || r.By != "trigger watch (trigger-0)" {
			t.Errorf("record is %+v", r)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("took %s", took)
		}
		w.eventually("the message is deleted", func() bool { return w.queue.Len() == 0 }, p.log)
		w.eventually("Events are written", func() bool {
			return slices.Equal(w.events("nova"), []string{"AsOfMoved", "Verified"})
		}, p.log)
		_, page := get(t, p.url+"/metrics")
		for _, line := range []string{
			`nova_trigger_pushes_total{result="accepted"} 1`, `nova_trigger_moves_total{kind="deploy"} 1`,
			`nova_trigger_syncs_total{verdict="verified"} 1`, `nova_trigger_push_to_verified_seconds_count 1`, `nova_trigger_leader 1`,
		} {
			if !strings.Contains(page, line+"\n") {
				t.Errorf("metrics lack %s", line)
			}
		}
		if code := p.stop(); code != 0 {
			t.Errorf("watch ended with %d", code)
		}
	}
}

func TestABadPushGoesBackByItselfOnceAndAFixIsDeployed(t *testing.T) {
	w := newWorld(t)
	w.api.Add(argotest.App{Name: "nova", AsOf: start, Images: []string{host + "nova/auth:old"}})
	w.run()
	p := w.watch()
	w.push("nova/auth", "good1")
	good := w.becomes("nova", application.Deploy, application.Verified, p.log)
	w.push("nova/auth", "bad1")
	back := w.becomes("nova", application.Rollback, application.Verified, p.log)
	if !back.Instant.Equal(good.Instant) || !back.Bad.After(good.Instant) || !strings.Contains(back.BadMessage, "nova/auth:bad1 answers 500") {
		t.Errorf("record is %+v, want to be back at %s", back, good.Instant)
	}
	if at := w.api.AsOf("argocd", "nova"); at != application.FormatInstant(good.Instant) {
		t.Errorf("as-of is %s, want %s", at, good.Instant)
	}
	if live := w.argo.Live("argocd", "nova"); live != "nova/auth:good1" {
		t.Errorf("what runs is %q", live)
	}
	// The very same events again, as SQS may deliver them: nothing moves.
	w.queue.Send(ecremulator.NewEvent(w.registry.Repository("nova/auth"), "PUSH", "sha256:"+strings.Repeat("0", 64), "good1", good.Instant.Add(-time.Minute)).JSON())
	w.eventually("the late event is dropped", func() bool { return w.queue.Len() == 0 }, p.log)
	time.Sleep(600 * time.Millisecond)
	if syncs := w.argo.Syncs("argocd", "nova"); syncs != 3 {
		t.Errorf("%d syncs, want 3: good, bad, back", syncs)
	}
	w.push("nova/auth", "good2")
	fixed := w.becomes("nova", application.Deploy, application.Verified, p.log)
	if !fixed.Instant.After(back.Bad) || w.argo.Live("argocd", "nova") != "nova/auth:good2" {
		t.Errorf("the fix is at %s and runs %q", fixed.Instant, w.argo.Live("argocd", "nova"))
	}
	want := []string{"AsOfMoved", "Verified", "AsOfMoved", "RolledBack", "Verified", "AsOfMoved", "Verified"}
	w.eventually("all Events are written", func() bool { return slices.Equal(w.events("nova"), want) }, p.log)
}

func TestARollbackThatFailsDoesNotLoop(t *testing.T) {
	w := newWorld(t)
	w.api.Add(argotest.App{Name: "nova", AsOf: start, Images: []string{host + "nova/auth:old"}})
	w.argo.Smoke = func(string, string) (string, bool) { return "the database is gone", false }
	w.run()
	p := w.watch()
	w.push("nova/auth", "good1")
	r := w.becomes("nova", application.Rollback, application.SyncFailed, p.log)
	time.Sleep(time.Second)
	if again := w.record("nova"); !again.Instant.Equal(r.Instant) || w.argo.Syncs("argocd", "nova") != 2 {
		t.Errorf("%d syncs and record %+v, want 2 and no move after %+v", w.argo.Syncs("argocd", "nova"), again, r)
	}
	w.eventually("an Event says so", func() bool { return slices.Contains(w.events("nova"), "RollbackFailed") }, p.log)
}

func TestOptOutOfRollback(t *testing.T) {
	w := newWorld(t)
	w.api.Add(argotest.App{Name: "nova", AsOf: start, Images: []string{host + "nova/auth:old"}, Annotations: map[string]string{application.RollbackKey: "off"}})
	w.run()
	p := w.watch()
	w.push("nova/auth", "bad1")
	r := w.becomes("nova", application.Deploy, application.SyncFailed, p.log)
	if !strings.Contains(r.Message, "not rolled back: switched off") {
		t.Errorf("message is %q", r.Message)
	}
	w.push("nova/auth", "good1")
	w.becomes("nova", application.Deploy, application.Verified, p.log)
}

func TestAHoldKeepsPushesUntilRelease(t *testing.T) {
	w := newWorld(t)
	w.api.Add(argotest.App{Name: "nova", AsOf: start, Images: []string{host + "nova/auth:old"}})
	w.run()
	p := w.watch()
	if code, out, stderr := w.cli("hold", "-a", "argocd/nova", "--reason", "demonstration"); code != 0 || !strings.Contains(out, "demonstration (by ada)") {
		t.Fatalf("hold: %d %s %s", code, out, stderr)
	}
	w.push("nova/auth", "good1")
	w.eventually("the push is remembered and its message deleted", func() bool {
		return w.record("nova").Pending != nil && w.queue.Len() == 0
	}, p.log)
	if at := w.api.AsOf("argocd", "nova"); at != start {
		t.Fatalf("as-of moved to %s while held", at)
	}
	if code, _, stderr := w.cli("once", "-a", "argocd/nova"); code != 6 || !strings.Contains(stderr, "demonstration") {
		t.Errorf("once during a hold: %d %s", code, stderr)
	}
	p.stop() // the memory is in the Application
	p = w.watch()
	if code, _, stderr := w.cli("release", "-a", "argocd/nova"); code != 0 {
		t.Fatalf("release: %d %s", code, stderr)
	}
	r := w.becomes("nova", application.Deploy, application.Verified, p.log)
	if r.Pending != nil || w.argo.Live("argocd", "nova") != "nova/auth:good1" {
		t.Errorf("record is %+v, runs %q", r, w.argo.Live("argocd", "nova"))
	}
}

func TestPushesDuringASyncWaitForItsEnd(t *testing.T) {
	w := newWorld(t)
	w.argo.SyncTime = 1500 * time.Millisecond
	w.api.Add(argotest.App{Name: "nova", AsOf: start, Images: []string{host + "nova/auth:old"}})
	w.run()
	p := w.watch()
	w.push("nova/auth", "good1")
	w.eventually("the first sync runs", func() bool { return w.api.AsOf("argocd", "nova") != start }, p.log)
	first := w.api.AsOf("argocd", "nova")
	time.Sleep(100 * time.Millisecond) // it is rendered
	w.push("nova/auth", "good2")
	w.eventually("the second push is remembered", func() bool { return w.record("nova").Pending != nil }, p.log)
	if at := w.api.AsOf("argocd", "nova"); at != first {
		t.Errorf("as-of moved to %s during the sync", at)
	}
	w.eventually("the second is deployed", func() bool {
		return w.argo.Live("argocd", "nova") == "nova/auth:good2" && w.record("nova").Verdict == application.Verified
	}, p.log)
	if n := w.argo.Syncs("argocd", "nova"); n != 2 {
		t.Errorf("%d syncs, want 2", n)
	}
}

func TestTogetherIsOneDeployment(t *testing.T) {
	w := newWorld(t)
	var images []string
	services := []string{"auth", "content", "feed", "media", "messaging", "search", "streaming", "user"}
	for _, s := range services {
		images = append(images, host+"nova/"+s+"-service:old")
	}
	w.api.Add(argotest.App{
		Name: "nova", AsOf: start, Images: append(images, host+"nova/staging-smoke:old"),
		Annotations: map[string]string{application.TogetherKey: host + "nova/*-service"},
	})
	w.run()
	p := w.watch("--settle", "100ms", "--together-max-wait", "15s")
	for _, s := range services {
		w.push("nova/"+s+"-service", "c1")
		time.Sleep(250 * time.Millisecond) // more than the settle time
	}
	w.becomes("nova", application.Deploy, application.Verified, p.log)
	// Not patches: one that met another writer's change is made again.
	for _, what := range []string{"moved as-of", "verdict"} {
		line := `"msg":"` + what + `"`
		w.eventually("it is in the log", func() bool { return strings.Contains(p.log.String(), line) }, p.log)
		if n := strings.Count(p.log.String(), line); n != 1 {
			t.Errorf("%q is in the log %d times, want once:\n%s", what, n, p.log)
		}
	}
	if n := w.argo.Syncs("argocd", "nova"); n != 1 {
		t.Errorf("%d syncs, want 1", n)
	}
}

func TestEventsThatAreNoPushStopNothing(t *testing.T) {
	w := newWorld(t)
	w.api.Add(argotest.App{Name: "nova", AsOf: start, Images: []string{host + "nova/auth:old"}})
	w.api.Add(argotest.App{Name: "no-plugin", AsOf: start, Images: []string{host + "nova/auth:old"}, Change: func(o map[string]any) {
		delete(o["spec"].(map[string]any)["source"].(map[string]any), "plugin")
	}})
	w.api.Add(argotest.App{Name: "no-as-of", Images: []string{host + "nova/auth:old"}})
	w.api.Add(argotest.App{Name: "broken-status", AsOf: start, Images: []string{host + "nova/auth:old"}, Change: func(o map[string]any) {
		o["status"] = map[string]any{"history": "none", "operationState": []any{1}, "summary": map[string]any{"images": []any{host + "nova/auth:old", 3}}, "sync": "x"}
	}})
	w.run()
	p := w.watch()
	repo := ecremulator.Must(w.registry.CreateRepository("nova/auth"))
	for range 3 {
		w.queue.Send("this is not JSON")
		w.queue.Send(`{"source":"aws.ecr","detail-type":"ECR Image Action","time":"yesterday","detail":{}}`)
	}
	w.queue.Send(ecremulator.NewEvent(repo, "DELETE", "sha256:"+strings.Repeat("a", 64), "x", time.Now()).JSON())
	scan := ecremulator.NewEvent(repo, "PUSH", "", "", time.Now())
	scan.DetailType = "ECR Image Scan"
	w.queue.Send(scan.JSON())
	foreign := ecremulator.NewEvent(repo, "PUSH", "sha256:"+strings.Repeat("a", 64), "x", time.Now())
	foreign.Account = "111122223333"
	w.queue.Send(foreign.JSON())
	w.queue.Send(ecremulator.NewEvent(repo, "PUSH", "sha256:"+strings.Repeat("a", 64), "sha256-"+strings.Repeat("a", 64)+".sig", time.Now()).JSON())
	w.queue.Send(ecremulator.NewEvent(repo, "PUSH", "sha256:"+strings.Repeat("a", 64), "", time.Now()).JSON())
	w.push("nova/auth", "good1")
	w.becomes("nova", application.Deploy, application.Verified, p.log)
	w.eventually("an Application with a broken status is moved all the same", func() bool {
		return w.api.AsOf("argocd", "broken-status") != start
	}, p.log)
	w.eventually("malformed messages end in the dead-letter queue", func() bool { return w.dead.Len() == 6 && w.queue.Len() == 0 }, p.log)
	_, page := get(t, p.url+"/metrics")
	for _, line := range []string{
		`nova_trigger_events_ignored_total{reason="malformed"} 6`, `nova_trigger_events_ignored_total{reason="delete"} 1`,
		`nova_trigger_events_ignored_total{reason="foreign"} 1`, `nova_trigger_events_ignored_total{reason="artifact"} 1`,
		`nova_trigger_events_ignored_total{reason="untagged"} 1`, `nova_trigger_pushes_total{result="irrelevant"} 1`,
		`nova_trigger_applications_broken 2`,
	} {
		if !strings.Contains(page, line+"\n") {
			t.Errorf("metrics lack %s", line)
		}
	}
	for text, n := range map[string]int{
		"no source has a plugin": 1, "no plugin source has a parameter as-of": 1, "a message is malformed": 6,
		`"what":"status.history is not a list"`: 1, "no selected Application uses this repository": 1,
	} {
		if got := strings.Count(p.log.String(), text); got != n {
			t.Errorf("the log says %q %d times, want %d", text, got, n)
		}
	}
	if strings.Contains(p.log.String(), "this is not JSON") {
		t.Error("the log repeats a malformed message")
	}
}

func TestAQueueThatVanishesAndComesBack(t *testing.T) {
	w := newWorld(t)
	w.api.Add(argotest.App{Name: "nova", AsOf: start, Images: []string{host + "nova/auth:old"}})
	w.run()
	p := w.watch()
	w.eventually("the queue is read", func() bool { return strings.Contains(p.log.String(), `"msg":"acting"`) }, p.log)
	time.Sleep(200 * time.Millisecond)
	w.ecr.DeleteQueue(w.queue)
	w.push("nova/auth", "good0") // ends the poll that still waits
	w.eventually("the loss is said", func() bool { return strings.Contains(p.log.String(), "NonExistentQueue") }, p.log)
	if code, _ := get(t, p.url+"/healthz"); code != 200 {
		t.Error("a lost queue must not restart the Pod")
	}
	time.Sleep(1500 * time.Millisecond)
	if n := strings.Count(p.log.String(), "the queue can not be read"); n > 2 { // each of two receivers may have been answered once meanwhile
		t.Errorf("the loss is said %d times", n)
	}
	w.ecr.RestoreQueue(w.queue)
	w.push("nova/auth", "good1")
	w.eventually("the push is deployed", func() bool { return w.argo.Live("argocd", "nova") == "nova/auth:good1" }, p.log)
}

func TestAnEmptyAnswerAboutTheQueueCostsNoMalformedMessage(t *testing.T) {
	w := newWorld(t)
	w.api.Add(argotest.App{Name: "nova", AsOf: start, Images: []string{host + "nova/auth:old"}})
	w.ecr.Inject(ecremulator.Fault{Kind: ecremulator.EmptyBody, Op: "GetQueueAttributes", Times: 1})
	w.run()
	p := w.watch()
	for range 3 {
		w.queue.Send("this is not JSON")
	}
	w.eventually("all are read and left", func() bool { return strings.Count(p.log.String(), `"leftForDeadLetterQueue":true`) == 3 }, p.log)
	w.eventually("all end in the dead-letter queue", func() bool {
		w.queue.ExpireVisibility()
		return w.dead.Len() == 3 && w.queue.Len() == 0
	}, p.log)
}
