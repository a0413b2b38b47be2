package resolve

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/plugin/ecr"
)

func TestRankingPoliciesChoose(t *testing.T) {
	t.Parallel()
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	tests := []struct {
		name  string
		entry string
		push  func(f *fake)
		want  string // tag
		calls string
	}{
		{
			name: "newest takes the last push among matching tags", entry: `newest: {tags: '^[0-9a-f]{7}$'}`,
			push: func(f *fake) {
				f.push("a/b", at(-9), "aaaaaaa")
				f.push("a/b", at(-3), "bbbbbbb")
				f.push("a/b", at(-1), "latest")
			},
			want: "bbbbbbb", calls: "List",
		},
		{
			name: "newest leaves out what was pushed after the instant", entry: `newest: {tags: '^r'}`,
			push: func(f *fake) { f.push("a/b", at(-5), "r1"); f.push("a/b", at(1), "r2") },
			want: "r1", calls: "List",
		},
		{
			name: "newest never takes a build cache", entry: `newest: {tags: '.*'}`,
			push: func(f *fake) {
				f.push("a/b", at(-5), "r1")
				f.push("a/b", at(-1), "buildcache").ArtifactType = cacheType
			},
			want: "r1", calls: "List",
		},
		{
			name: "newest looks into an index and finds a build cache", entry: `newest: {tags: '.*'}`,
			push: func(f *fake) {
				f.push("a/b", at(-5), "r1")
				c := f.push("a/b", at(-1), "buildcache")
				c.MediaType, c.ArtifactType = ociIndex, ""
				c.body = `{"manifests":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip"},{"mediaType":"` + cacheType + `"}]}`
			},
			want: "r1", calls: "List Manifest",
		},
		{
			name: "newest looks into an index and finds an image", entry: `newest: {tags: '.*'}`,
			push: func(f *fake) {
				c := f.push("a/b", at(-1), "r2")
				c.MediaType, c.ArtifactType = ociIndex, ""
				c.body = `{"manifests":[{"mediaType":"` + ociImage + `"},{"mediaType":"` + ociImage + `","annotations":{"vnd.docker.reference.type":"attestation-manifest"}}]}`
			},
			want: "r2", calls: "List Manifest",
		},
		{
			name: "newest never takes a cosign signature, which looks like an image", entry: `newest: {tags: '.*'}`,
			push: func(f *fake) {
				f.push("a/b", at(-5), "r1")
				f.push("a/b", at(-1), "sha256-"+strings.Repeat("ab", 32)+".sig")
			},
			want: "r1", calls: "List",
		},
		{
			name: "newest never takes what refers to another image", entry: `newest: {tags: '.*'}`,
			push: func(f *fake) {
				f.push("a/b", at(-5), "r1")
				f.push("a/b", at(-1), "sbom").Subject = digest("r1")
			},
			want: "r1", calls: "List",
		},
		{
			name: "semver takes the highest version whenever it was pushed", entry: `semver: {range: ">=1.2 <2"}`,
			push: func(f *fake) {
				f.push("a/b", at(-9), "v1.10.0")
				f.push("a/b", at(-1), "v1.9.0")
				f.push("a/b", at(-1), "v2.0.0")
				f.push("a/b", at(-1), "20260101")
			},
			want: "v1.10.0", calls: "List",
		},
		{
			name: "semver leaves out prereleases", entry: `semver: {range: ">=1.2"}`,
			push: func(f *fake) { f.push("a/b", at(-9), "1.2.0"); f.push("a/b", at(-9), "1.3.0-rc.1") },
			want: "1.2.0", calls: "List",
		},
		{
			name: "semver takes prereleases when they are allowed", entry: `semver: {range: ">=1.2", prerelease: true}`,
			push: func(f *fake) { f.push("a/b", at(-9), "1.2.0"); f.push("a/b", at(-9), "1.3.0-rc.1") },
			want: "1.3.0-rc.1", calls: "List",
		},
		{
			name: "tag takes what the tag points at", entry: `tag: {name: dev-latest}`,
			push: func(f *fake) { f.push("a/b", at(-9), "dev-latest", "x") },
			want: "dev-latest", calls: "DescribeTag",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, candidates := range []bool{false, true} {
				f := newFake()
				tt.push(f)
				r := &Resolver{Registry: f, AsOf: noon, Candidates: candidates}
				o := one(t, r, Group{Entry: entry(t, tt.entry), Repositories: repos(t, "a/b")})
				if o.Err != nil {
					t.Fatal(o.Err)
				}
				d := o.Decisions[0]
				if d.Tag != tt.want {
					t.Errorf("chose %s, want %s", d.Tag, tt.want)
				}
				if got := ops(f); !strings.HasPrefix(got, tt.calls) {
					t.Errorf("made calls %q, want %q", got, tt.calls)
				}
				if candidates && (len(d.Candidates) == 0 || !d.Candidates[0].Chosen || d.Candidates[0].Tag != tt.want) {
					t.Errorf("the chosen candidate is not listed first: %+v", d.Candidates)
				}
				for _, c := range d.Candidates {
					if c.Why == "" {
						t.Errorf("candidate %s has no reason", c.Tag)
					}
				}
			}
		})
	}
}

func TestRankingPoliciesFailWithTheNearestMiss(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		entry string
		push  func(f *fake)
		want  []string
	}{
		{
			name: "no tag matches", entry: `newest: {tags: '^r'}`,
			push: func(f *fake) { f.push("a/b", noon, "v1.0.0", "latest") },
			want: []string{"none of 2 tags satisfies newest (tags ^r)", "does not match ^r"},
		},
		{
			name: "nothing was pushed by the instant", entry: `newest: {tags: '^r'}`,
			push: func(f *fake) { f.push("a/b", noon.Add(3*time.Hour), "r1"); f.push("a/b", noon.Add(time.Hour), "r2") },
			want: []string{"nearest: tag r2 was pushed 1h0m0s after the instant"},
		},
		{
			name: "only artifacts match", entry: `newest: {tags: '.*'}`,
			push: func(f *fake) { f.push("a/b", noon, "buildcache").ArtifactType = cacheType },
			want: []string{"tag buildcache is not an image: a build cache"},
		},
		{
			name: "an empty repository", entry: `semver: {range: "^1"}`, push: func(*fake) {},
			want: []string{"no tagged image at all"},
		},
		{
			name: "versions out of range", entry: `semver: {range: "^1"}`,
			push: func(f *fake) { f.push("a/b", noon, "2.0.0") },
			want: []string{"tag 2.0.0", "not in range ^1"},
		},
		{
			name: "versions out of range, and a newer tag that is none", entry: `semver: {range: "^1"}`,
			push: func(f *fake) {
				f.push("a/b", noon.Add(-time.Hour), "2.0.0")
				f.push("a/b", noon, "main")
				f.push("a/b", noon.Add(-2*time.Hour), "3.0.0")
			},
			want: []string{"nearest: tag 2.0.0", "not in range ^1"},
		},
		{
			name: "an unknown tag", entry: `tag: {name: dev-latest}`, push: func(*fake) {},
			want: []string{"a/b has no image with tag dev-latest"},
		},
		{
			name: "a tag that points at a build cache", entry: `tag: {name: buildcache}`,
			push: func(f *fake) { f.push("a/b", noon, "buildcache").ArtifactType = cacheType },
			want: []string{"tag buildcache of", "a build cache"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			tt.push(f)
			r := &Resolver{Registry: f, AsOf: noon}
			o := one(t, r, Group{Entry: entry(t, tt.entry), Repositories: repos(t, "a/b")})
			if !errors.Is(o.Err, ErrNoImage) {
				t.Fatalf("error is %v, want ErrNoImage", o.Err)
			}
			for _, w := range tt.want {
				if !strings.Contains(o.Err.Error(), w) {
					t.Errorf("error %q does not say %q", o.Err, w)
				}
			}
		})
	}
}

func TestTheChoiceDoesNotDependOnTheOrderOfTheList(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for _, rule := range []string{`newest: {tags: '^v'}`, `semver: {range: "*"}`} {
		f := newFake()
		for i := range 60 {
			// Few distinct times and versions, so that there are ties.
			f.push("a/b", noon.Add(-time.Duration(random.IntN(5))*time.Minute),
				fmt.Sprintf("v1.%d.0", random.IntN(4)), fmt.Sprintf("v1.%d.0-x%d", random.IntN(4), i))
		}
		var first string
		for round := range 20 {
			images := f.images["a/b"]
			random.Shuffle(len(images), func(i, j int) { images[i], images[j] = images[j], images[i] })
			o := one(t, &Resolver{Registry: f, AsOf: noon}, Group{Entry: entry(t, rule), Repositories: repos(t, "a/b")})
			if o.Err != nil {
				t.Fatal(o.Err)
			}
			got := o.Decisions[0].Ref()
			if round == 0 {
				first = got
			}
			if got != first {
				t.Fatalf("%s: shuffled list gives %s, first gave %s", rule, got, first)
			}
		}
	}
}

func TestMoreFalseImagesThanAreKeptAreAllPassedOver(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.push("a/b", noon.Add(-time.Hour), "r-good")
	for i := range 3 * runnersUp {
		c := f.push("a/b", noon.Add(-time.Duration(i)*time.Second), fmt.Sprintf("r%d", i))
		c.MediaType, c.ArtifactType = ociIndex, ""
		c.body = `{"manifests":[{"mediaType":"` + cacheType + `"}]}`
	}
	o := one(t, &Resolver{Registry: f, AsOf: noon}, Group{Entry: entry(t, `newest: {tags: '^r'}`), Repositories: repos(t, "a/b")})
	if o.Err != nil || o.Decisions[0].Tag != "r-good" {
		t.Fatalf("outcome is %+v, want r-good", o)
	}
}

func TestATagThatMovedAfterTheInstantIsReported(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.push("a/b", noon.Add(time.Hour), "dev-latest")
	store := &memory{}
	r := &Resolver{Registry: f, AsOf: noon, Cache: &Cache{Store: store}}
	o := one(t, r, Group{Entry: entry(t, `tag: {name: dev-latest}`), Repositories: repos(t, "a/b")})
	if o.Err != nil {
		t.Fatal(o.Err)
	}
	if w := o.Decisions[0].Warnings; len(w) != 1 || !strings.Contains(w[0], "1h0m0s after the instant") {
		t.Errorf("warnings are %q", w)
	}
	if len(store.puts) != 0 {
		t.Error("an answer that is not that of the instant was kept")
	}
}

func TestARegistryErrorPassesThrough(t *testing.T) {
	t.Parallel()
	for _, rule := range []string{"commit: {}", `newest: {tags: x}`, `semver: {range: "*"}`, `tag: {name: x}`} {
		f := newFake()
		f.fail = func(string, string) error { return &ecr.Error{Kind: ecr.ErrRepositoryNotFound} }
		r := &Resolver{Registry: f, AsOf: noon, Commits: lineOf(&commits{n: 3})}
		o := one(t, r, Group{Entry: entry(t, rule), Repositories: repos(t, "a/b")})
		if !errors.Is(o.Err, ecr.ErrRepositoryNotFound) {
			t.Errorf("%s: error is %v, want ErrRepositoryNotFound", rule, o.Err)
		}
	}
}

func TestNewestCountsTheTagsThatCouldBeChosen(t *testing.T) {
	t.Parallel()
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	f := newFake()
	f.push("a/b", at(-9), "r1")
	f.push("a/b", at(-3), "latest")
	f.push("a/b", at(1), "r3") // after the instant
	for _, want := range []string{"the only tag that matches ^r by the instant", "pushed last among 2 tags that match ^r by the instant"} {
		o := one(t, &Resolver{Registry: f, AsOf: noon}, Group{Entry: entry(t, `newest: {tags: '^r'}`), Repositories: repos(t, "a/b")})
		if o.Err != nil || o.Decisions[0].Why != want {
			t.Errorf("%v, %+v, want %q", o.Err, o.Decisions, want)
		}
		f.push("a/b", at(-2), "r2")
	}
}
