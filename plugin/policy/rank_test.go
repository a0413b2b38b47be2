package policy

import (
	"slices"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func rankerOf(t *testing.T, rule string) Ranker {
	t.Helper()
	c, err := Parse("images.yaml", []byte(head+"images:\n- {match: a, "+rule+"}\n"))
	if err != nil {
		t.Fatal(err)
	}
	return c.Images[0].Ranker()
}

func TestRejection(t *testing.T) {
	t.Parallel()
	tests := []struct {
		rule string
		tag  string
		want string // "" for a candidate
	}{
		{"newest: {tags: '^v'}", "v1", ""},
		{"newest: {tags: '^v'}", "latest", "does not match ^v"},
		{"newest: {tags: 'rc'}", "v1-rc-2", ""}, // not anchored unless it says so
		{"semver: {range: '>=1.2 <2'}", "1.2.0", ""},
		{"semver: {range: '>=1.2 <2'}", "v1.9.9", ""},
		{"semver: {range: '>=1.2 <2'}", "2.0.0", "not in range >=1.2 <2"},
		{"semver: {range: '>=1.2 <2'}", "1.3.0-rc.1", "is a prerelease"},
		{"semver: {range: '>=1.2 <2', prerelease: true}", "1.3.0-rc.1", ""},
		// Below a version are not its own prereleases, unless the bound is one itself.
		{"semver: {range: '>=1.2 <2', prerelease: true}", "2.0.0-rc.1", "not in range >=1.2 <2"},
		{"semver: {range: '>=1.2 <2', prerelease: true}", "2.0.0-0", "not in range"},
		{"semver: {range: '>= 1.2, < v2.0.0 || >=4 <4.1', prerelease: true}", "v2.0.0-rc.1", "not in range"},
		{"semver: {range: '>=1.2 <2 || >=4 <4.1', prerelease: true}", "4.1.0-rc.1", "not in range"},
		{"semver: {range: '>=1.2 <2 || >=4 <4.1', prerelease: true}", "4.0.9-rc.1", ""},
		{"semver: {range: '<2.x', prerelease: true}", "2.0.0-rc.1", "not in range"},
		{"semver: {range: '<2.0.0-rc.2', prerelease: true}", "2.0.0-rc.1", ""},
		{"semver: {range: '<=2.0.0', prerelease: true}", "2.0.0-rc.1", ""},
		{"semver: {range: '<=2', prerelease: true}", "2.3.0-rc.1", ""},
		{"semver: {range: '*'}", "1.2", "is not a version"},
		{"semver: {range: '*'}", "20261120", "is not a version"},
		{"semver: {range: '*'}", "1.2.3.4", "is not a version"},
		{"semver: {range: '*'}", "latest", "is not a version"},
		{"semver: {range: '*'}", "vv1.2.3", "is not a version"},
		{"semver: {range: '*'}", "01.2.3", "is not a version"},
	}
	for _, tt := range tests {
		got := rankerOf(t, tt.rule).Reject(tt.tag)
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s says %q of %s, want %q", tt.rule, got, tt.tag, tt.want)
		}
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	at := func(m int) time.Time { return noon.Add(time.Duration(m) * time.Minute) }
	tests := []struct {
		name string
		rule string
		// worst first
		order []Candidate
	}{
		{
			"newest goes by push time, then by digest, then by tag", "newest: {tags: '.'}",
			[]Candidate{{"z", "d9", at(0)}, {"y", "d1", at(1)}, {"x", "d2", at(1)}, {"a", "d2", at(1)}, {"b", "d0", at(2)}},
		},
		{
			"semver goes by version, then by push time, digest and tag", "semver: {range: '*', prerelease: true}",
			[]Candidate{
				{"1.9.0", "d9", at(9)},
				{"1.10.0-rc.1", "d8", at(8)},
				{"1.10.0-rc.2", "d8", at(7)},
				{"v1.10.0", "d1", at(0)},
				{"1.10.0", "d2", at(1)},
				{"v2.0.0", "d3", at(1)},
				{"2.0.0", "d3", at(1)},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := rankerOf(t, tt.rule)
			for i, a := range tt.order {
				for j, b := range tt.order {
					got := r.Compare(a, b)
					if want := i - j; (got < 0) != (want < 0) || (got > 0) != (want > 0) {
						t.Errorf("Compare(%s %s, %s %s) is %d", a.Tag, a.Digest, b.Tag, b.Digest, got)
					}
				}
			}
			best := slices.MaxFunc(tt.order, r.Compare)
			for _, c := range tt.order[:len(tt.order)-1] {
				if r.Lost(c, best) == "" {
					t.Errorf("no reason why %s lost", c.Tag)
				}
			}
		})
	}
}
