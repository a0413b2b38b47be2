package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"
	stringadapter "github.com/casbin/casbin/v2/persist/string-adapter"
	"github.com/gobwas/glob"
)

// rbacModel is Argo CD's assets/model.conf.
const rbacModel = `
[request_definition]
r = sub, res, act, obj
[policy_definition]
p = sub, res, act, obj, eft
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = g(r.sub, p.sub) && globOrRegexMatch(r.res, p.res) && globOrRegexMatch(r.act, p.act) && globOrRegexMatch(r.obj, p.obj)
`

// rbac says for each request, a line "SUBJECT RESOURCE ACTION OBJECT", whether a
// policy.csv allows it.
func rbac(in io.Reader) (any, error) {
	var q struct {
		Policy   string   `json:"policy"`
		Requests []string `json:"requests"`
	}
	if err := read(in, &q); err != nil {
		return nil, err
	}
	m, err := model.NewModelFromString(rbacModel)
	if err != nil {
		return nil, err
	}
	e, err := casbin.NewEnforcer(m, stringadapter.NewAdapter(rules(q.Policy)))
	if err != nil {
		return nil, fmt.Errorf("read the policy: %w", err)
	}
	e.AddFunction("globOrRegexMatch", func(args ...any) (any, error) {
		value, _ := args[0].(string)
		pattern, _ := args[1].(string)
		g, err := glob.Compile(pattern)
		return err == nil && g.Match(value), err
	})
	answers := map[string]bool{}
	for _, r := range q.Requests {
		f := strings.Fields(r)
		if len(f) != 4 {
			return nil, fmt.Errorf("request %q: want SUBJECT RESOURCE ACTION OBJECT", r)
		}
		ok, err := e.Enforce(f[0], f[1], f[2], f[3])
		if err != nil {
			return nil, fmt.Errorf("request %q: %w", r, err)
		}
		answers[r] = ok
	}
	return answers, nil
}

// rules drops comments and empty lines, which the adapter does not know.
func rules(policy string) string {
	var kept []string
	for line := range strings.Lines(policy) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}
