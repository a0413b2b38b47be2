package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/proerror77/nova-staging/smoke/verdict"
)

func sample(troubles int) *Report {
	r := &Report{Namespace: "nova", Release: "0123456789abcdef", Started: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC), Duration: 1500 * time.Millisecond}
	add := func(service string, c verdict.Check, f verdict.Finding) {
		r.Results = append(r.Results, verdict.Result{Service: service, Check: c, Finding: f, Started: r.Started, Duration: time.Second, Looks: 1})
	}
	add("", verdict.Access, verdict.Pass("13 rights granted"))
	add("auth-service", verdict.Rollout, verdict.Pass("2 of 2"))
	add("", verdict.Kafka, verdict.Skip("not configured"))
	for i := range troubles {
		f := verdict.Fail(fmt.Sprintf("pod/user-%d:8080/health", i), "status 2xx", "status 500: <ungültig> & \x00\x1b \xff "+strings.Repeat("ä", 200))
		f.Logs, f.Hint = []string{"one", "two"}, "look"
		add(fmt.Sprintf("user-%d", i), verdict.Health, f)
	}
	if troubles > 0 {
		add("user-0", verdict.Metrics, verdict.Unknown("pod/x", "a page", "not looked at"))
	}
	r.Conclude()
	return r
}

func TestJUnit(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := WriteJUnit(&b, sample(2)); err != nil {
		t.Fatal(err)
	}
	var got junitSuites
	if err := xml.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatalf("%v\n%s", err, &b)
	}
	if got.Tests != 6 || got.Failures != 2 || got.Errors != 1 || got.Skipped != 1 {
		t.Errorf("tests %d, failures %d, errors %d, skipped %d", got.Tests, got.Failures, got.Errors, got.Skipped)
	}
	sum := 0
	for _, s := range got.Suites {
		sum += s.Tests
		for _, c := range s.Cases {
			if c.Classname != "smoke."+s.Name || c.Name == "" {
				t.Errorf("case %q has class %q in suite %q", c.Name, c.Classname, s.Name)
			}
		}
	}
	if sum != got.Tests {
		t.Errorf("the suites have %d tests, their sum says %d", sum, got.Tests)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := WriteJSON(&b, sample(1)); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got["verdict"] != "failed" || got["class"] != "health" || got["exitCode"] != 13.0 || got["kind"] != Kind {
		t.Errorf("%v", got)
	}
}

// A reader that asks for a verdict that did not occur finds 0, not nothing.
func TestJSONCountsEveryVerdict(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := WriteJSON(&b, &Report{}); err != nil {
		t.Fatal(err)
	}
	var got struct{ Counts map[verdict.Verdict]int }
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for _, v := range verdict.All() {
		if _, ok := got.Counts[v]; !ok {
			t.Errorf("no %s among %v", v, got.Counts)
		}
	}
}

func TestTheTerminationMessageFits(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 5, 20, 500} {
		got := Termination(sample(n))
		if len(got) > MaxTermination || !utf8.ValidString(got) {
			t.Errorf("%d troubles: %d bytes, valid %t", n, len(got), utf8.ValidString(got))
		}
		if n > 0 && !(strings.Contains(got, "user-0 health failed at pod/user-0:8080/health: expected status 2xx; seen status 500")) {
			t.Errorf("%d troubles: %s", n, got)
		}
		if n == 500 && !strings.Contains(got, "more") {
			t.Errorf("it does not say what is left out: %s", got)
		}
	}
	long := sample(1)
	long.Results[3].Expected = strings.Repeat("é", 9000)
	for limit := range 200 {
		if got := short(long, limit); len(got) > limit || !utf8.ValidString(got) {
			t.Fatalf("limit %d: %d bytes", limit, len(got))
		}
	}
}

// Whoever reads one line only must read what decided the run.
func TestTheDecidingTroubleComesFirst(t *testing.T) {
	t.Parallel()
	r := &Report{Deployments: map[string]Object{"a": {Name: "a"}, "b": {Name: "b"}, "c": {Name: "c"}}}
	add := func(service string, c verdict.Check, f verdict.Finding, class verdict.Class, looks int) {
		f.Class = class
		r.Results = append(r.Results, verdict.Result{Service: service, Check: c, Finding: f, Looks: looks})
	}
	add("", verdict.Access, verdict.Unknown("", "", "an optional right"), "", 1)
	r.Results[0].Optional = true
	add("a", verdict.Health, verdict.Unknown("", "", "given up"), "", 0)
	add("a", verdict.Metrics, verdict.Fail("", "", "no page"), "", 1)
	add("b", verdict.Rollout, verdict.Fail("", "", "slow"), "", 1)
	add("c", verdict.Rollout, verdict.Fail("", "", "no image"), verdict.Doomed, 1)
	r.Conclude()
	got := strings.Split(Termination(r), "\n")[1:]
	want := []string{"c rollout failed: no image", "a metrics failed: no page", "b rollout failed: slow", "a health inconclusive: given up", "access inconclusive: an optional right"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	// What decides nothing comes last even where its class is the run's.
	r.Results = r.Results[:2]
	r.Conclude()
	if got := strings.Split(Termination(r), "\n")[1:]; !slices.Equal(got, want[3:]) {
		t.Errorf("got  %q\nwant %q", got, want[3:])
	}
	// What was never looked at has no Event: it is not the Deployment's fault.
	r.Results = r.Results[1:]
	r.Conclude()
	if events := Events(r, Self{}, time.Now()); len(events) != 1 {
		t.Errorf("%d Events, want that of the run", len(events))
	}
}

func TestEventsAreBounded(t *testing.T) {
	t.Parallel()
	r := sample(100)
	r.Deployments = map[string]Object{}
	for _, res := range r.Results {
		r.Deployments[res.Service] = Object{Name: res.Service + "-deployment", UID: "u"}
	}
	events := Events(r, Self{Pod: "smoke-x", UID: "u"}, time.Now())
	if len(events) != maxEvents {
		t.Errorf("%d events", len(events))
	}
	names := map[string]bool{}
	for _, e := range events {
		if len(e.Message) > MaxEvent || names[e.Name] {
			t.Errorf("%s: %d bytes", e.Name, len(e.Message))
		}
		names[e.Name] = true
	}
	if e := events[0]; e.InvolvedObject.Kind != "Pod" || e.Reason != "SmokeFailed" || e.Type != "Warning" {
		t.Errorf("%+v", e)
	}
	if e := events[1]; e.InvolvedObject.Name != "user-0-deployment" || e.InvolvedObject.UID != "u" {
		t.Errorf("%+v", e.InvolvedObject)
	}
	if e := Events(sample(0), Self{}, time.Now())[0]; e.Reason != "SmokePassed" || e.Type != "Normal" {
		t.Errorf("%+v", e)
	}
}

func TestTheTableNamesEveryTrouble(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := WriteTable(&b, sample(2)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"SERVICE", "auth-service  ok", "FAILED  user-1 health", "INCONCLUSIVE  user-0 metrics", "expected  status 2xx", "| two", "failed (health): 2 failed, 1 inconclusive"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, &b)
		}
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	r := sample(1)
	plan := []Planned{{"auth-service", verdict.Rollout}, {"user-0", verdict.Health}}
	var lines, screen bytes.Buffer
	for _, p := range []Progress{&Lines{W: &lines}, &Screen{W: &screen}} {
		p.Done(r.Results[0]) // before the plan: nothing to show yet
		p.Plan(plan)
		p.Waiting(plan[1], r.Results[3].Finding)
		p.Waiting(plan[1], r.Results[3].Finding)
		for _, res := range r.Results {
			p.Done(res)
		}
		p.Close()
		p.Done(r.Results[0])
	}
	if got := strings.Count(lines.String(), "waiting "); got != 1 {
		t.Errorf("the same was said %d times:\n%s", got, &lines)
	}
	if strings.Contains(lines.String(), "\x1b[") {
		t.Error("lines move the cursor")
	}
	if !strings.Contains(screen.String(), "\x1b[J") || !strings.Contains(screen.String(), "SERVICE") {
		t.Errorf("%q", screen.String())
	}
}
