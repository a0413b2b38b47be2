package motoaccount

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Policy is an IAM policy document.
type Policy struct {
	Version   string
	Statement []Statement
}

// Statement is one of its statements.
type Statement struct {
	Sid       string `json:",omitempty"`
	Effect    string
	Principal any   `json:",omitempty"`
	Action    texts `json:",omitempty"`
	Resource  texts `json:",omitempty"`
	Condition any   `json:",omitempty"`
}

// texts are one or several, which policies write without a list when it is one.
type texts []string

func (t *texts) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*t = texts{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(t))
}

// ParsePolicy reads a document, or a single statement as pages show them.
func ParsePolicy(text string) (Policy, error) {
	var p Policy
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return Policy{}, fmt.Errorf("read a policy: %w", err)
	}
	if p.Statement == nil {
		var s Statement
		if err := json.Unmarshal([]byte(text), &s); err != nil || s.Effect == "" {
			return Policy{}, fmt.Errorf("read a policy: neither a document nor a statement: %s", text)
		}
		p = Policy{Version: "2012-10-17", Statement: []Statement{s}}
	}
	return p, nil
}

// Actions that it allows, each once.
func (p Policy) Actions() []string {
	var all []string
	for _, s := range p.Statement {
		if s.Effect == "Allow" {
			all = append(all, s.Action...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Without is the policy without one action.
func (p Policy) Without(action string) Policy {
	out := Policy{Version: p.Version}
	for _, s := range p.Statement {
		s.Action = slices.DeleteFunc(slices.Clone(s.Action), func(a string) bool { return a == action })
		if len(s.Action) > 0 {
			out.Statement = append(out.Statement, s)
		}
	}
	return out
}

// Allows says whether the policy allows a call. It knows no conditions.
func (p Policy) Allows(c Call) bool {
	allowed := false
	for _, s := range p.Statement {
		if slices.ContainsFunc(s.Action, func(a string) bool { return matches(strings.ToLower(a), strings.ToLower(c.Action)) }) &&
			slices.ContainsFunc(s.Resource, func(r string) bool { return matches(r, c.Resource) }) {
			if s.Effect != "Allow" {
				return false
			}
			allowed = true
		}
	}
	return allowed
}

// matches compares as IAM does: * stands for any text, ? for one character.
func matches(pattern, text string) bool {
	quoted := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern))
	return regexp.MustCompile("(?s)^" + quoted + "$").MatchString(text)
}

// enforceable is the policy as moto can enforce it. It does not look at resources,
// and takes SQS's batches for actions of their own; [Policy.Allows] does neither.
func (p Policy) enforceable() Policy {
	out := Policy{Version: p.Version}
	for _, s := range p.Statement {
		s.Resource = texts{"*"}
		var actions texts
		for _, a := range s.Action {
			actions = append(actions, a)
			if strings.HasPrefix(a, "sqs:") {
				actions = append(actions, a+"Batch")
			}
		}
		s.Action = actions
		out.Statement = append(out.Statement, s)
	}
	return out
}
