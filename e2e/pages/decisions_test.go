package pages

import (
	"slices"
	"strings"
	"testing"
)

// TestEveryBlockOfThePagesIsDecidedAbout fails when a page has got a new block.
func TestEveryBlockOfThePagesIsDecidedAbout(t *testing.T) {
	t.Parallel()
	for name, headings := range Held {
		page, err := Read("../..", name)
		if err != nil {
			t.Fatal(err)
		}
		steps, err := Steps(page, headings, Decisions, Substitutions)
		if err != nil {
			t.Error(err)
		}
		if len(steps) == 0 {
			t.Errorf("%s: no block is run", name)
		}
	}
}

func TestDecisionsAndSubstitutionsAreOfPagesThatAreHeld(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, d := range Decisions {
		if _, ok := Held[d.Page]; !ok {
			t.Errorf("%s is not held", d.Page)
		}
		walk, _, ok := strings.Cut(d.Run, "/")
		if d.Run != "" && (!ok || !slices.Contains([]string{"day-two", "first-image", "migration"}, walk) || names[d.Run]) {
			t.Errorf("%q is not the name of a step of a walk, or the second of that name", d.Run)
		}
		names[d.Run] = true
	}
	for _, s := range Substitutions {
		if _, ok := Held[s.Page]; !ok || s.Why == "" {
			t.Errorf("a substitution of a page that is not held, or without a reason: %+v", s)
		}
	}
}
