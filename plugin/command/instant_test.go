package command

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// What Argo CD makes of spec.source.plugin.parameters: each value as a variable
// of its own, and all as JSON. An empty list, an empty map and a parameter without
// a value are in the JSON only.
func TestTheInstantThatArgoCDGives(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	const at = "2026-11-19T09:00:00Z"
	for name, c := range map[string]struct {
		env   []string
		given bool
		wrong string
	}{
		"no parameter at all":                    {env: []string{"ARGOCD_APP_PARAMETERS=null"}},
		"an empty list of them":                  {env: []string{"ARGOCD_APP_PARAMETERS=[]"}},
		"a string":                               {env: []string{`ARGOCD_APP_PARAMETERS=[{"name":"as-of","string":"` + at + `"}]`, "PARAM_AS_OF=" + at}, given: true},
		"a string, by an older one":              {env: []string{"PARAM_AS_OF=" + at}, given: true},
		"an empty string":                        {env: []string{`ARGOCD_APP_PARAMETERS=[{"name":"as-of","string":""}]`, "PARAM_AS_OF="}, wrong: "the parameter as-of is empty"},
		"no value":                               {env: []string{`ARGOCD_APP_PARAMETERS=[{"name":"as-of"}]`}, wrong: "the parameter as-of has no string"},
		"an empty array":                         {env: []string{`ARGOCD_APP_PARAMETERS=[{"name":"as-of","array":[]}]`}, wrong: "the parameter as-of is a list or a map"},
		"an empty map":                           {env: []string{`ARGOCD_APP_PARAMETERS=[{"name":"as-of","map":{}}]`}, wrong: "the parameter as-of is a list or a map"},
		"an array":                               {env: []string{`ARGOCD_APP_PARAMETERS=[{"name":"as-of","array":["` + at + `"]}]`, "PARAM_AS_OF_0=" + at}, wrong: "the parameter as-of is a list or a map"},
		"another parameter whose name begins so": {env: []string{`ARGOCD_APP_PARAMETERS=[{"name":"as-of-note","string":"demo"}]`, "PARAM_AS_OF_NOTE=demo"}},
		"two of them": {
			env:   []string{`ARGOCD_APP_PARAMETERS=[{"name":"as-of","string":"2026-11-18T09:00:00Z"},{"name":"as-of","string":"` + at + `"}]`, "PARAM_AS_OF=2026-11-18T09:00:00Z", "PARAM_AS_OF=" + at},
			wrong: "the parameter as-of is given 2 times",
		},
		"two that become one variable": {
			env:   []string{`ARGOCD_APP_PARAMETERS=[{"name":"as_of","string":"2026-11-18T09:00:00Z"},{"name":"as-of","string":"` + at + `"}]`, "PARAM_AS_OF=" + at},
			wrong: "the parameter as-of is given 2 times",
		},
	} {
		p := Program{Env: c.env, Now: func() time.Time { return now }}
		got, given, err := p.instant(flags{})
		if c.wrong != "" {
			if !errors.Is(err, errUsage) || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%s: got %s, %v, want an error with %q", name, got, err, c.wrong)
			}
			continue
		}
		want := now
		if c.given {
			want = now.Add(-27 * time.Hour)
		}
		if err != nil || given != c.given || !got.Equal(want) {
			t.Errorf("%s: got %s, given %v, %v, want %s, given %v", name, got, given, err, want, c.given)
		}
	}
	got, given, err := Program{Env: []string{`ARGOCD_APP_PARAMETERS=[{"name":"as-of","array":[]}]`}}.instant(flags{asOf: at, asOfSet: true})
	if err != nil || !given || !got.Equal(now.Add(-27*time.Hour)) {
		t.Errorf("the flag does not have precedence: %s, %v, %v", got, given, err)
	}
}
