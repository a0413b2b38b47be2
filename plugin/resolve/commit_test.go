package resolve

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/plugin/ecr"
)

func TestCommitPolicyChooses(t *testing.T) {
	t.Parallel()
	before, after := noon.Add(-time.Minute), noon.Add(time.Minute)
	tests := []struct {
		name    string
		entry   string
		commits int
		push    func(f *fake)
		want    int // index of the commit
		why     string
		calls   string
	}{
		{
			name: "the revision itself when it has an image", entry: "commit: {}", commits: 5,
			push: func(f *fake) { f.push("a/b", before, sha(0)); f.push("a/b", before, sha(1)) },
			want: 0, why: "the revision itself has an image", calls: "Find Describe",
		},
		{
			name: "an image pushed exactly at the instant", entry: "commit: {}", commits: 2,
			push: func(f *fake) { f.push("a/b", noon, sha(0)) },
			want: 0, calls: "Find Describe",
		},
		{
			name: "the next commit when the newest was pushed after the instant", entry: "commit: {}", commits: 5,
			push: func(f *fake) { f.push("a/b", after, sha(0)); f.push("a/b", before, sha(1)) },
			want: 1, why: "pushed 1m0s after the instant", calls: "Find Describe",
		},
		{
			name: "the order of commits and not of pushes", entry: "commit: {}", commits: 5,
			push: func(f *fake) { f.push("a/b", before.Add(-time.Hour), sha(1)); f.push("a/b", before, sha(2)) },
			want: 1, calls: "Find Describe",
		},
		{
			name: "a commit in the second batch, without describing an empty first", entry: "commit: {}", commits: 200,
			push: func(f *fake) { f.push("a/b", before, sha(20)) },
			want: 20, calls: "Find Find Describe",
		},
		{
			name: "the last commit that may be looked at", entry: "commit: {depth: 200}", commits: 200,
			push: func(f *fake) { f.push("a/b", before, sha(199)) },
			want: 199, calls: "Find Find Find Describe",
		},
		{
			name: "a short tag by its template", entry: `commit: {tag: "main-{sha:8}"}`, commits: 5,
			push: func(f *fake) { f.push("a/b", before, "main-"+sha(3)[:8]) },
			// All test commits share their first 8 digits, so the newest owns the tag.
			want: 0, calls: "Find Describe",
		},
		{
			name: "past a build cache that carries the newest commit's tag", entry: "commit: {}", commits: 5,
			push: func(f *fake) {
				f.push("a/b", before, sha(0)).body = `{"config":{"mediaType":"` + cacheType + `"}}`
				f.push("a/b", before, sha(1))
			},
			want: 1, why: "not an image: a build cache", calls: "Find Describe",
		},
		{
			name: "past an image that DescribeImages calls an artifact", entry: "commit: {}", commits: 5,
			push: func(f *fake) {
				f.push("a/b", before, sha(0)).ArtifactType = "application/vnd.cncf.helm.config.v1+json"
				f.push("a/b", before, sha(1))
			},
			want: 1, why: "a Helm chart", calls: "Find Describe",
		},
		{
			name: "past an archived image, which can not be pulled", entry: "commit: {}", commits: 5,
			push: func(f *fake) {
				f.push("a/b", before, sha(0)).Status = "ARCHIVED"
				f.push("a/b", before, sha(1))
			},
			want: 1, why: "is archived", calls: "Find Describe",
		},
		{
			name: "one manifest that two commits share, described once", entry: "commit: {}", commits: 5,
			push: func(f *fake) { f.push("a/b", before, sha(1), sha(2)) },
			want: 1, calls: "Find Describe",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			tt.push(f)
			r := &Resolver{Registry: f, AsOf: noon, Commits: lineOf(&commits{n: tt.commits})}
			o := one(t, r, Group{Entry: entry(t, tt.entry), Repositories: repos(t, "a/b")})
			if o.Err != nil {
				t.Fatal(o.Err)
			}
			d := o.Decisions[0]
			if d.Commit != sha(tt.want) {
				t.Errorf("chose commit %s, want %s", d.Commit, sha(tt.want))
			}
			if d.Policy != "commit" || d.Name != host+"/a/b" || d.Digest == "" || d.PushedAt.IsZero() {
				t.Errorf("incomplete decision %+v", d)
			}
			if !strings.Contains(d.Why, tt.why) {
				t.Errorf("why is %q, want %q in it", d.Why, tt.why)
			}
			if got := ops(f); got != tt.calls {
				t.Errorf("made calls %q, want %q", got, tt.calls)
			}
		})
	}
}

func ops(f *fake) string {
	var names []string
	for _, c := range f.calls {
		op, _, _ := strings.Cut(c, " ")
		names = append(names, op)
	}
	return strings.Join(names, " ")
}

func TestCommitPolicyFailsWithTheNearestMiss(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		commits commits
		push    func(f *fake)
		want    []string
	}{
		{
			name: "an empty repository", commits: commits{n: 3}, push: func(*fake) {},
			want: []string{"a/b", "none of 3 commits", "no tagged image at all"},
		},
		{
			name: "an image that came too late", commits: commits{n: 3},
			push: func(f *fake) { f.push("a/b", noon.Add(5*time.Minute), sha(1)) },
			want: []string{"nearest: commit " + sha(1)[:12], "pushed 5m0s after the instant"},
		},
		{
			name: "tags that abbreviate the commit", commits: commits{n: 3},
			push: func(f *fake) { f.push("a/b", noon, "sha-"+sha(2)[:7]) },
			want: []string{"tag sha-" + sha(2)[:7] + " looks like commit", "set commit.tag"},
		},
		{
			name: "tags of another kind", commits: commits{n: 3},
			push: func(f *fake) { f.push("a/b", noon, "v1.2.3") },
			want: []string{"other tags, for example v1.2.3"},
		},
		{
			name: "a shallow clone", commits: commits{n: 1, shallow: true},
			push: func(f *fake) { f.push("a/b", noon, sha(7)) },
			want: []string{"shallow", sha(0)[:12], "remove depth"},
		},
		{
			name: "the depth of the policy", commits: commits{n: 30, cut: true},
			push: func(f *fake) { f.push("a/b", noon, "x") },
			want: []string{"none of 30 commits", "commit.depth is 200: raise it"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			tt.push(f)
			r := &Resolver{Registry: f, AsOf: noon, Commits: lineOf(&tt.commits), Candidates: true}
			o := one(t, r, Group{Entry: entry(t, "commit: {}"), Repositories: repos(t, "a/b")})
			if !errors.Is(o.Err, ErrNoImage) {
				t.Fatalf("error is %v, want ErrNoImage", o.Err)
			}
			for _, w := range tt.want {
				if !strings.Contains(o.Err.Error(), w) {
					t.Errorf("error %q does not say %q", o.Err, w)
				}
			}
			if strings.Contains(o.Err.Error(), "\n") {
				t.Errorf("error has several lines: %q", o.Err)
			}
			var u *Unsatisfied
			if !errors.As(o.Err, &u) || len(u.Candidates) != 1 || len(u.Candidates[0]) != tt.commits.n {
				t.Errorf("the error does not carry the %d candidates", tt.commits.n)
			}
		})
	}
}

func TestTogether(t *testing.T) {
	t.Parallel()
	before := noon.Add(-time.Minute)
	names := []string{"n/a", "n/b", "n/c"}
	all := func(f *fake, i int, at time.Time) {
		for _, n := range names {
			f.push(n, at, sha(i))
		}
	}
	tests := []struct {
		name string
		push func(f *fake)
		want int
		err  []string
	}{
		{name: "takes the newest commit that all have", push: func(f *fake) { all(f, 1, before); all(f, 2, before) }, want: 1},
		{
			name: "holds back while one is missing",
			push: func(f *fake) {
				all(f, 2, before)
				f.push("n/a", before, sha(0))
				f.push("n/b", before, sha(0))
			},
			want: 2,
		},
		{
			name: "holds back while one was pushed after the instant",
			push: func(f *fake) {
				all(f, 2, before)
				f.push("n/a", before, sha(0))
				f.push("n/b", before, sha(0))
				f.push("n/c", noon.Add(time.Second), sha(0))
			},
			want: 2,
		},
		{
			name: "finds a common commit across batches",
			push: func(f *fake) { f.push("n/a", before, sha(3)); f.push("n/b", before, sha(30)); all(f, 140, before) },
			want: 140,
		},
		{
			name: "fails naming what the nearest commits lack",
			push: func(f *fake) {
				f.push("n/a", before, sha(0))
				f.push("n/b", before, sha(0))
				f.push("n/c", before, sha(1))
			},
			err: []string{"all 3 images", "commit " + sha(0)[:12] + " lacks n/c", "commit " + sha(1)[:12] + " lacks n/a and n/b"},
		},
		{
			name: "fails naming an image that was never built from these commits",
			push: func(f *fake) {
				f.push("n/a", before, sha(0))
				f.push("n/b", before, sha(0))
				f.push("n/c", before, "1.0.0")
			},
			err: []string{"n/c has no image of any of them", "1.0.0"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			tt.push(f)
			r := &Resolver{Registry: f, AsOf: noon, Commits: lineOf(&commits{n: 200})}
			o := one(t, r, Group{Entry: entry(t, "commit: {}\n  together: true"), Repositories: repos(t, names...)})
			if tt.err != nil {
				if !errors.Is(o.Err, ErrTogether) {
					t.Fatalf("error is %v, want ErrTogether", o.Err)
				}
				for _, w := range tt.err {
					if !strings.Contains(o.Err.Error(), w) {
						t.Errorf("error %q does not say %q", o.Err, w)
					}
				}
				return
			}
			if o.Err != nil {
				t.Fatal(o.Err)
			}
			for i, d := range o.Decisions {
				if d.Commit != sha(tt.want) || d.Name != host+"/"+names[i] {
					t.Errorf("%s comes from %s, want %s", d.Name, d.Commit, sha(tt.want))
				}
			}
		})
	}
}

func TestAnImageDeletedBetweenTheTwoCallsIsLookedForAgain(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.push("a/b", noon.Add(-time.Minute), sha(0))
	f.push("a/b", noon.Add(-time.Minute), sha(1))
	f.fail = func(op, _ string) error {
		if op == "Describe" && len(f.images["a/b"]) == 2 {
			f.images["a/b"] = f.images["a/b"][1:]
		}
		return nil
	}
	r := &Resolver{Registry: f, AsOf: noon, Commits: lineOf(&commits{n: 3})}
	o := one(t, r, Group{Entry: entry(t, "commit: {}"), Repositories: repos(t, "a/b")})
	if o.Err != nil || o.Decisions[0].Commit != sha(1) {
		t.Fatalf("outcome is %+v, want commit %s", o, sha(1))
	}
	if got := ops(f); got != "Find Describe Find Describe" {
		t.Errorf("made calls %q", got)
	}
}

func TestOneRepositoryThatCanNotBeAskedFailsTheWholeGroup(t *testing.T) {
	t.Parallel()
	f := newFake()
	for _, n := range []string{"n/a", "n/b"} {
		f.push(n, noon, sha(0))
	}
	f.fail = func(_, repo string) error {
		if repo == "n/b" {
			return &ecr.Error{Op: "BatchGetImage", Kind: ecr.ErrDenied, Detail: "no"}
		}
		return nil
	}
	r := &Resolver{Registry: f, AsOf: noon, Commits: lineOf(&commits{n: 3})}
	outcomes := r.Resolve(t.Context(), []Group{
		{Entry: entry(t, "commit: {}"), Repositories: repos(t, "n/a")},
		{Entry: entry(t, "commit: {}"), Repositories: repos(t, "n/b")},
	})
	decisions, err := Decisions(outcomes)
	if !errors.Is(err, ecr.ErrDenied) || decisions != nil {
		t.Fatalf("got %v, %v; want no decision and ErrDenied", decisions, err)
	}
	if outcomes[0].Err != nil || len(outcomes[0].Decisions) != 1 {
		t.Errorf("the other group's outcome is lost: %+v", outcomes[0])
	}
}

func TestFailuresOfSeveralImagesAreListedAndCredentialsOnce(t *testing.T) {
	t.Parallel()
	fails := func(kind error) []Outcome {
		var list []Outcome
		for _, repo := range repos(t, "n/a", "n/b", "n/c") {
			list = append(list, Outcome{Err: &ecr.Error{Op: "DescribeImages", Repository: repo, Kind: kind}})
		}
		return list
	}
	_, err := Decisions(fails(ecr.ErrRepositoryNotFound))
	if lines := strings.Split(err.Error(), "\n"); len(lines) != 4 || !strings.HasPrefix(lines[0], "3 of 3 ") {
		t.Errorf("want a heading and a line for each, got %q", err)
	}
	_, err = Decisions(fails(ecr.ErrCredentials))
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("want the credentials' failure once, got %q", err)
	}
}

func TestMissingHistoryFailsOnlyTheCommitPolicy(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.push("a/b", noon, "v1.0.0")
	r := &Resolver{Registry: f, AsOf: noon, Commits: func(int) (*Line, error) { return nil, errors.New("no .git") }}
	o := one(t, r, Group{Entry: entry(t, "commit: {}"), Repositories: repos(t, "a/b")})
	if !errors.Is(o.Err, ErrNoHistory) || !strings.Contains(o.Err.Error(), "no .git") {
		t.Errorf("error is %v, want ErrNoHistory with its cause", o.Err)
	}
	if o := one(t, r, Group{Entry: entry(t, `semver: {range: "^1"}`), Repositories: repos(t, "a/b")}); o.Err != nil {
		t.Errorf("semver needs no history but failed: %v", o.Err)
	}
}
