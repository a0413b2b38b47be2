package motoaccount

import (
	"slices"
	"strings"
	"testing"
)

// Run is what a program did with a key: whether it did what it had to, and what it
// said.
type Run struct {
	OK   bool
	Said string
}

// Rights holds a policy to what a program needs: with it the program works, calls
// what the policy allows and nothing else, and each action of the policy is one
// that it calls; without any one of them it fails, and says which to add.
func (a *Account) Rights(t *testing.T, role string, p Policy, run func(*testing.T, Credentials) Run) {
	t.Helper()
	try := func(t *testing.T, p Policy) (Run, Credentials) {
		t.Helper()
		c := a.Role(t, role, p)
		defer a.Enforce(t)()
		return run(t, c), c
	}
	actions := p.Actions()
	if len(actions) == 0 {
		t.Fatal("the policy allows nothing")
	}
	r, c := try(t, p)
	if !r.OK {
		t.Errorf("with %s it fails: %s", actions, r.Said)
	}
	calls := a.Calls(c)
	for _, call := range calls {
		if !p.Allows(call) {
			t.Errorf("it calls %s on %s, which the policy does not allow", call.Action, call.Resource)
		}
	}
	for _, action := range actions {
		if !slices.ContainsFunc(calls, func(c Call) bool { return c.Action == action }) {
			t.Errorf("the policy allows %s, which was not called", action)
		}
		r, _ := try(t, p.Without(action))
		if r.OK {
			t.Errorf("without %s it works as well", action)
		}
		if !strings.Contains(r.Said, "access denied") && !strings.Contains(r.Said, "AccessDenied") || !strings.Contains(r.Said, action) {
			t.Errorf("without %s it does not say so: %s", action, r.Said)
		}
	}
}
