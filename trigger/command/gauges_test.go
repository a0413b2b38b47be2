package command_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/proerror77/nova-staging/internal/argotest"
	"github.com/proerror77/nova-staging/internal/triggertest"
	"github.com/proerror77/nova-staging/trigger/application"
)

func TestTheStateOfEachApplicationIsAMetric(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.API.Add(argotest.App{
		Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"}, Annotations: map[string]string{application.RollbackKey: "off"},
	})
	w.API.Add(argotest.App{Name: "no-as-of"})
	w.API.Add(argotest.App{Name: "other", AsOf: triggertest.Start, Labels: map[string]string{application.SelectKey: "false"}})
	w.Run()
	p := w.Watch()
	// One series an Application: those of states that are left would contradict it.
	becomes := func(state string) {
		t.Helper()
		want := []string{`{application="argocd/no-as-of",state="Broken"} 1`, `{application="argocd/nova",state="` + state + `"} 1`}
		w.Eventually(fmt.Sprint("the states are ", want), func() bool {
			_, page := triggertest.Get(t, p.URL+"/metrics")
			var got []string
			for _, m := range regexp.MustCompile(`(?m)^nova_trigger_application_state(.*)$`).FindAllStringSubmatch(page, -1) {
				got = append(got, m[1])
			}
			return slices.Equal(got, want)
		}, p.Log)
	}
	becomes("Unknown")
	w.Push("nova/auth", "good1")
	becomes("Verified")
	w.Push("nova/auth", "bad1")
	becomes("Failed")
	// Argo CD repairs something: its phase is Succeeded now, and nothing was tested.
	w.API.Update("argocd", "nova", func(o map[string]any) {
		operation := o["status"].(map[string]any)["operationState"].(map[string]any)
		operation["phase"] = "Succeeded"
		operation["startedAt"] = "2026-11-20T12:00:01Z"
		operation["operation"].(map[string]any)["sync"].(map[string]any)["resources"] = []any{map[string]any{"kind": "Deployment", "name": "auth"}}
	})
	w.API.Add(argotest.App{Name: "seen-later"})
	w.Eventually("the repair is seen", func() bool {
		_, page := triggertest.Get(t, p.URL+"/metrics")
		return strings.Contains(page, `application="argocd/seen-later"`)
	}, p.Log)
	w.API.Remove("argocd", "seen-later")
	becomes("Failed")
}

func TestANamespaceThatIsNamedTwiceCountsOnce(t *testing.T) {
	t.Parallel()
	w := triggertest.New(t)
	w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"}})
	w.Run()
	p := w.Watch("--namespace", "argocd", "--namespace", "argocd")
	w.Eventually("the Application is known", func() bool {
		_, page := triggertest.Get(t, p.URL+"/metrics")
		return strings.Contains(page, "nova_trigger_applications 1\n") && strings.Contains(page, `nova_trigger_application_state{application="argocd/nova"`)
	}, p.Log)
}

func TestASelectorRestrictsWhatIsLookedAt(t *testing.T) {
	t.Parallel()
	for name, streams := range map[string]bool{"an API server that streams what there is": true, "an older one, which lists it": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := triggertest.New(t)
			w.API.Intercept = func(rw http.ResponseWriter, r *http.Request) bool {
				if streams || r.URL.Query().Get("sendInitialEvents") == "" {
					return false
				}
				rw.Header().Set("Content-Type", "application/json")
				rw.WriteHeader(http.StatusUnprocessableEntity)
				fmt.Fprint(rw, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422,"message":"sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"}`)
				return true
			}
			add := func(name, team string) {
				w.API.Add(argotest.App{Name: name, AsOf: triggertest.Start, Labels: map[string]string{application.SelectKey: "true", "team": team}})
			}
			add("ours", "a")
			add("theirs", "b")
			p := w.Watch("--selector", "team=a")
			known := func(name string) bool {
				_, page := triggertest.Get(t, p.URL+"/metrics")
				return strings.Contains(page, `nova_trigger_application_state{application="argocd/`+name+`"`)
			}
			if !known("ours") || known("theirs") {
				t.Errorf("ours is known: %t, theirs: %t", known("ours"), known("theirs"))
			}
			add("theirs-later", "b")
			add("ours-later", "a")
			w.Eventually("a later one is known", func() bool { return known("ours-later") }, p.Log)
			if known("theirs-later") {
				t.Error("theirs is known later")
			}
		})
	}
}

// BenchmarkScrape is the cost of a scrape with many Applications.
func BenchmarkScrape(b *testing.B) {
	for _, n := range []int{1, 2000} {
		b.Run(fmt.Sprint(n, " Applications"), func(b *testing.B) {
			w := triggertest.New(b)
			for i := range n {
				a := argotest.App{Name: fmt.Sprintf("nova-%04d", i), AsOf: triggertest.Start}
				for j := range 8 {
					a.Images = append(a.Images, fmt.Sprintf("%snova/service-%d:old@sha256:%064d", triggertest.Host, j, i))
				}
				w.API.Add(a)
			}
			p := w.Watch()
			size := 0
			for b.Loop() {
				_, page := triggertest.Get(b, p.URL+"/metrics")
				size = len(page)
			}
			b.ReportMetric(float64(size)/1024, "KiB/scrape")
			p.Stop()
		})
	}
}
