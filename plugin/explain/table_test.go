package explain

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proerror77/nova-staging/plugin/resolve"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

const (
	sha1   = "4f2c19a8d0e14f2c19a8d0e14f2c19a8d0e14f2c"
	sha2   = "9a8b7c6d5e4f9a8b7c6d5e4f9a8b7c6d5e4f9a8b"
	digest = "sha256:51913c73ed767c6c183527dffda656225703cb96f40c9eb84b47976f3ff04d37"
)

func at(t time.Time) *time.Time { return &t }

func TestTable(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		report Report
		want   string
	}{
		{
			name: "says in one look what runs, since when and why",
			report: Report{
				Kustomization: "overlays/staging", AsOf: noon, Revision: &Revision{SHA: sha2, Subject: "feat: new"},
				Images: []Image{
					{Name: "r.example/nova/auth", Status: Resolved, Policy: "commit", Tag: sha1, Digest: digest, PushedAt: at(noon.Add(-90 * time.Minute)), Commit: sha1, Subject: "fix: old", Why: "because"},
					{Name: "redis", Status: Unmatched, Tag: "7", Why: "left as it is: no entry of images.yaml matches"},
				},
			},
			want: `
overlays/staging as of 2026-11-20T12:00:00Z
revision 9a8b7c6d5e4f "feat: new"
images of 4f2c19a8d0e1 "fix: old"
registry r.example

IMAGE      TAG           DIGEST               PUSHED                AGE  POLICY  WHY
nova/auth  4f2c19a8d0e1  sha256:51913c73ed76  2026-11-20T10:30:00Z  1h   commit  because
redis      7             -                    -                     -    -       left as it is: no entry of images.yaml matches
`,
		},
		{
			name: "keeps registries apart and moves a shared long reason below",
			report: Report{
				Kustomization: "x", AsOf: noon,
				Images: []Image{
					{Name: "a.example/one", Policy: "newest", Status: Failed, Why: strings.Repeat("long ", 12)},
					{Name: "b.example/two", Policy: "newest", Status: Failed, Why: strings.Repeat("long ", 12)},
				},
				Warnings: []string{"careful"},
			},
			want: `
x as of 2026-11-20T12:00:00Z

IMAGE          TAG  DIGEST  PUSHED  AGE  POLICY  WHY
a.example/one  -    -       -       -    newest  [1]
b.example/two  -    -       -       -    newest  [1]

[1] FAILED: long long long long long long long long long long long long

warning: careful
`,
		},
		{
			name: "lists candidates and marks the chosen one",
			report: Report{
				Kustomization: "x", AsOf: noon,
				Images: []Image{{
					Name: "a.example/one", Policy: "semver", Rule: "semver (range ^1)", Entry: "images.yaml:4", Status: Resolved, Tag: "1.2.0", Digest: digest, PushedAt: at(noon.Add(-72 * time.Hour)), Why: "highest", Cached: true,
					Candidates: []resolve.Candidate{
						{Tag: "1.2.0", Digest: digest, PushedAt: at(noon.Add(-72 * time.Hour)), Chosen: true, Why: "chosen"},
						{Tag: "2.0.0", Why: "out of range", Subject: "feat: two"},
					},
				}},
			},
			want: `
x as of 2026-11-20T12:00:00Z
registry a.example

IMAGE  TAG    DIGEST               PUSHED                AGE  POLICY  WHY
one    1.2.0  sha256:51913c73ed76  2026-11-17T12:00:00Z  3d   semver  highest (decided by an earlier render)

one: 2 looked at, by semver (range ^1) at images.yaml:4
* 1.2.0  sha256:51913c73ed76  2026-11-17T12:00:00Z  chosen
  2.0.0  -                    -                     out of range  "feat: two"
`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			if err := tt.report.Table(&b); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.TrimPrefix(tt.want, "\n"), b.String()); diff != "" {
				t.Errorf("table (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAgeIsMeasuredFromTheInstant(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]time.Duration{"30s": 30 * time.Second, "59m": 59 * time.Minute, "47h": 47 * time.Hour, "2d": 48 * time.Hour, "after": -time.Second} {
		if got := age(at(noon.Add(-d)), noon); got != want {
			t.Errorf("%s before the instant is %q, want %q", d, got, want)
		}
	}
}
