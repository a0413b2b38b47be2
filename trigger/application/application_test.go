package application_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/proerror77/nova-staging/trigger/application"
)

func object(t testing.TB, text string) *unstructured.Unstructured {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return &unstructured.Unstructured{Object: o}
}

const meta = `"metadata":{"name":"nova","namespace":"argocd","resourceVersion":"7","labels":{"staging.nova/trigger":"true"}}`

func spec(source string) string { return `{` + meta + `,"spec":{"source":` + source + `}}` }

func TestWhyAsOfCanNotBeMoved(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ text, says string }{
		"no source":        {`{` + meta + `}`, "no source has a plugin"},
		"no plugin":        {spec(`{"path":"x"}`), "no source has a plugin"},
		"no parameters":    {spec(`{"plugin":{}}`), "no plugin source has a parameter as-of"},
		"a list":           {spec(`{"plugin":{"parameters":[{"name":"as-of","array":["x"]}]}}`), "has no string"},
		"twice":            {spec(`{"plugin":{"parameters":[{"name":"as-of","string":"2026-11-20T12:00:00Z"},{"name":"as-of","string":"2026-11-20T12:00:00Z"}]}}`), "is there twice"},
		"no instant":       {spec(`{"plugin":{"parameters":[{"name":"as-of","string":"now"}]}}`), `found "now", want an instant`},
		"being deleted":    {`{"metadata":{"name":"a","deletionTimestamp":"2026-11-20T12:00:00Z"},"spec":{"source":{"plugin":{"parameters":[{"name":"as-of","string":"2026-11-20T12:00:00Z"}]}}}}`, "is being deleted"},
		"broken all along": {`{` + meta + `,"spec":{"source":3,"sources":"x"},"status":[]}`, "no source has a plugin"},
	} {
		a := application.Parse(object(t, tt.text))
		if !errors.Is(a.Broken, application.ErrNotMovable) || !strings.Contains(a.Broken.Error(), tt.says) || !a.AsOf.IsZero() {
			t.Errorf("%s: %v, want %q", name, a.Broken, tt.says)
		}
	}
}

// A record of a move that moves nothing would be waited for in vain.
func TestNoMoveIsWrittenWithoutAPlaceForIt(t *testing.T) {
	t.Parallel()
	a := &application.Application{ObjectMeta: metav1.ObjectMeta{Namespace: "argocd", Name: "nova", ResourceVersion: "1"}}
	if patch, err := a.Patch(application.Change{To: time.Now()}); !errors.Is(err, application.ErrNotMovable) {
		t.Errorf("error %v, want %v; the patch is %s", err, application.ErrNotMovable, patch)
	}
}

// TestAPatchFitsOnlyWhatItWasMadeFor applies patches as an API server does.
func TestAPatchFitsOnlyWhatItWasMadeFor(t *testing.T) {
	t.Parallel()
	text := `{` + meta + `,"spec":{"sources":[{"ref":"v"},{"plugin":{"parameters":[{"name":"a","string":"x"},{"name":"as-of","string":"2026-11-20T12:00:00Z"}]}},
	 {"plugin":{"parameters":[{"name":"as-of","string":"2026-11-20T11:00:00Z"}]}}]}}`
	a := application.Parse(object(t, text))
	to, _ := application.ParseInstant("2026-11-21T12:00:00Z")
	hold := "x"
	data, err := a.Patch(application.Change{To: to, Record: application.Record{Instant: to}, Hold: &hold})
	if err != nil {
		t.Fatal(err)
	}
	patch, err := jsonpatch.DecodePatch(data)
	if err != nil {
		t.Fatal(err)
	}
	out, err := patch.Apply([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	after := application.Parse(object(t, string(out)))
	if !after.AsOf.Equal(to) || after.Places[0].Value != after.Places[1].Value || after.Settings.Hold != "x" || !after.Record.Instant.Equal(to) {
		t.Errorf("after the patch: %s", out)
	}
	for name, changed := range map[string]string{
		"another version": strings.Replace(text, `"7"`, `"8"`, 1),
		"another value":   strings.Replace(text, "2026-11-20T11", "2026-11-20T10", 1),
		"another order":   strings.Replace(text, `{"name":"a","string":"x"},{"name":"as-of","string":"2026-11-20T12:00:00Z"}`, `{"name":"as-of","string":"2026-11-20T12:00:00Z"},{"name":"a","string":"x"}`, 1),
	} {
		if _, err := patch.Apply([]byte(changed)); err == nil {
			t.Errorf("%s: the patch fits", name)
		}
	}
}

// TestOnlyASyncWithHooksVerifies has the operations that people can start, each of
// which succeeded at the instant that was set; the history is as Argo CD writes it.
func TestOnlyASyncWithHooksVerifies(t *testing.T) {
	t.Parallel()
	const source = `"source":{"plugin":{"parameters":[{"name":"as-of","string":"2026-11-20T12:00:00Z"}]}}`
	for _, tt := range []struct {
		name    string
		sync    string
		history bool
		want    application.Verdict
	}{
		{"a full one", `{"prune":true}`, true, application.Verified},
		{"a full one by the strategy hook", `{"syncStrategy":{"hook":{"force":true}}}`, true, application.Verified},
		{"where no history is kept", `{"prune":true}`, false, application.Verified},
		{"some resources", `{"resources":[{"kind":"Deployment","name":"auth"}]}`, false, ""},
		{"a dry run", `{"dryRun":true}`, false, ""},
		{"the strategy apply", `{"syncStrategy":{"apply":{}}}`, true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			history := ""
			if tt.history {
				history = `"history":[{"id":3,"deployStartedAt":"2026-11-20T12:00:05Z","deployedAt":"2026-11-20T12:00:09Z",` + source + `}],`
			}
			a := application.Parse(object(t, `{"metadata":{"name":"nova","annotations":{"trigger.staging.nova/record":
				"{\"instant\":\"2026-11-20T12:00:00Z\",\"kind\":\"deploy\",\"before\":{\"historyID\":2,\"reconciled\":\"before\"}}"}},
				"spec":{`+source+`},"status":{`+history+`"reconciledAt":"after","sync":{"status":"Synced","comparedTo":{`+source+`}},
				"operationState":{"phase":"Succeeded","startedAt":"2026-11-20T12:00:05Z","operation":{"sync":`+tt.sync+`},"syncResult":{`+source+`}}}}`))
			if v, why := a.Judge(); v != tt.want {
				t.Errorf("%q (%s), want %q", v, why, tt.want)
			}
			if got := a.Proved(); got != (tt.want != "") {
				t.Errorf("what runs passed: %t", got)
			}
		})
	}
}

func TestTheNewestRecordCountsWhateverIsPutBack(t *testing.T) {
	t.Parallel()
	record := func(number, reason string) string {
		return `{"number":` + number + `,"reason":"` + reason + `"}`
	}
	for _, tt := range []struct {
		name        string
		annotations map[string]string
		want        string // reason
		stale       bool
		warns       bool
	}{
		{"none", nil, "", false, false},
		{"of a version without numbers", map[string]string{"record": `{"reason":"old"}`}, "old", false, false},
		{"with its copy", map[string]string{"record": record("4", "new"), "record.4": record("4", "new")}, "new", false, false},
		{"an older one over it", map[string]string{"record": record("3", "old"), "record.4": record("4", "new")}, "new", true, false},
		{"an older one over it, with its own copy", map[string]string{"record": record("3", "old"), "record.3": record("3", "old"), "record.4": record("4", "new")}, "new", true, false},
		{"numbers are no text", map[string]string{"record": record("9", "old"), "record.10": record("10", "new"), "record.9": record("9", "old")}, "new", true, false},
		{"taken away by a person", map[string]string{"record.4": record("4", "new")}, "", false, false},
		{"a copy that can not be read", map[string]string{"record": record("3", "old"), "record.4": "{"}, "old", false, true},
		{"another's key", map[string]string{"record": record("3", "old"), "record.next": record("4", "new")}, "old", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := object(t, spec(`{"plugin":{"parameters":[{"name":"as-of","string":"2026-11-20T12:00:00Z"}]}}`))
			annotations := map[string]string{}
			for k, v := range tt.annotations {
				annotations[application.Prefix+k] = v
			}
			o.SetAnnotations(annotations)
			a := application.Parse(o)
			if a.Record.Reason != tt.want || a.Stale != tt.stale || len(a.Warnings) > 0 != tt.warns {
				t.Fatalf("record %+v, stale %t, warnings %q", a.Record, a.Stale, a.Warnings)
			}
			// Whatever there was, the next one is the newest, and alone.
			data, err := a.Patch(application.Change{Record: application.Record{Reason: "next"}})
			if err != nil {
				t.Fatal(err)
			}
			patch, err := jsonpatch.DecodePatch(data)
			if err != nil {
				t.Fatal(err)
			}
			text, err := o.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			out, err := patch.Apply(text)
			if err != nil {
				t.Fatal(err)
			}
			next := object(t, string(out))
			copies := 0
			for k := range next.GetAnnotations() {
				if strings.HasPrefix(k, application.CopyPrefix) && k != application.CopyPrefix+"next" {
					copies++
				}
			}
			if a := application.Parse(next); a.Record.Reason != "next" || a.Stale || copies != 1 {
				t.Errorf("after a write: %+v, stale %t, %d copies", a.Record, a.Stale, copies)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(spec(`{"plugin":{"parameters":[{"name":"as-of","string":"2026-11-20T12:00:00Z"}]}}`))
	f.Add(`{` + meta + `,"status":{"history":[1],"operationState":{"syncResult":{"resources":[3],"sources":[null]}},"conditions":{}},"operation":1}`)
	f.Fuzz(func(t *testing.T, text string) {
		var o map[string]any
		if json.Unmarshal([]byte(text), &o) != nil || o == nil {
			return
		}
		a := application.Parse(&unstructured.Unstructured{Object: o})
		a.Judge()
		_ = a.Stuck()
		if a.Broken == nil && a.AsOf.IsZero() && len(a.Places) == 0 {
			t.Fatal("neither movable nor broken")
		}
	})
}
