package pages

import (
	"strings"
	"testing"
)

func TestSteps(t *testing.T) {
	t.Parallel()
	const text = "# A\n\n    one HOST\n\n# B\n\n```sh\ntwo\n```\n\n```json\n{}\n```\n"
	one := Decision{Page: "p.md", Heading: "A", Run: "one"}
	two := Decision{Page: "p.md", Heading: "B", Has: "two", Not: "no time"}
	other := Decision{Page: "other.md", Heading: "A", Run: "x"}
	host := Substitution{Page: "p.md", Old: "HOST", New: "$LAB"}
	tests := []struct {
		name          string
		headings      []string
		decisions     []Decision
		substitutions []Substitution
		wantErr       string
	}{
		{"every block is decided about", nil, []Decision{one, two, other}, []Substitution{host}, ""},
		{"a block under another heading than those asked for", []string{"A"}, []Decision{one}, []Substitution{host}, ""},
		{"a new block", nil, []Decision{one}, []Substitution{host}, `p.md:7: 0 decisions about a block under "B"`},
		{"a block that is decided about twice", nil, []Decision{one, one, two}, []Substitution{host}, `p.md:3: 2 decisions`},
		{"a decision about a block that is gone", nil, []Decision{one, two, {Page: "p.md", Heading: "C", Run: "c"}}, []Substitution{host}, `0 blocks under "C"`},
		{"a decision that says nothing", nil, []Decision{{Page: "p.md", Heading: "A"}, two}, nil, "both or neither"},
		{"a substitution without an effect", nil, []Decision{one, two}, []Substitution{host, {Page: "p.md", Old: "two", New: "2"}}, `no block that is run has "two"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := Parse("p.md", text)
			if err != nil {
				t.Fatal(err)
			}
			steps, err := Steps(p, tt.headings, tt.decisions, tt.substitutions)
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Errorf("error %v, want %s", err, tt.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, want := steps["one"].Text, "one $LAB\n"; len(steps) != 1 || got != want {
				t.Errorf("steps %+v, want one: %q", steps, want)
			}
		})
	}
}
