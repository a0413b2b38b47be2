package resolve

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/plugin/ecr"
	"github.com/proerror77/nova-staging/plugin/history"
	"github.com/proerror77/nova-staging/plugin/policy"
)

const (
	host      = "025434362120.dkr.ecr.ap-northeast-1.amazonaws.com"
	ociImage  = "application/vnd.oci.image.manifest.v1+json"
	ociIndex  = "application/vnd.oci.image.index.v1+json"
	ociConfig = "application/vnd.oci.image.config.v1+json"
	cacheType = "application/vnd.buildkit.cacheconfig.v0"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// fake is a registry in memory that counts its calls.
type fake struct {
	mu     sync.Mutex
	images map[string][]stored // by repository name
	scans  map[string]ecr.Scan // by digest
	calls  []string
	fail   func(op, repo string) error
	clock  time.Time // ECR's time in answers; zero for none
}

type stored struct {
	ecr.Image
	body string
}

var _ Registry = (*fake)(nil)

func newFake() *fake { return &fake{images: map[string][]stored{}, clock: noon.Add(time.Hour)} }

// push stores an ordinary image; the digest is made of the repository and tags.
func (f *fake) push(repo string, at time.Time, tags ...string) *stored {
	f.images[repo] = append(f.images[repo], stored{Image: ecr.Image{
		Digest: digest(repo + strings.Join(tags, ",")), Tags: tags, PushedAt: at, MediaType: ociImage, ArtifactType: ociConfig,
	}, body: `{"config":{"mediaType":"` + ociConfig + `"}}`})
	return &f.images[repo][len(f.images[repo])-1]
}

func digest(seed string) string {
	sum := 0
	for _, c := range seed {
		sum = sum*31 + int(c)
	}
	return fmt.Sprintf("sha256:%064x", uint32(sum))
}

func (f *fake) call(ctx context.Context, op string, repo ecr.Repository) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, op+" "+repo.Name)
	if f.fail != nil {
		if err := f.fail(op, repo.Name); err != nil {
			return err
		}
	}
	if !f.clock.IsZero() {
		ecr.SeeClock(ctx, f.clock)
	}
	return ctx.Err()
}

func (f *fake) Find(ctx context.Context, repo ecr.Repository, tags []string) (map[string]ecr.Manifest, error) {
	if err := f.call(ctx, "Find", repo); err != nil {
		return nil, err
	}
	found := map[string]ecr.Manifest{}
	for _, i := range f.images[repo.Name] {
		for _, tag := range i.Tags {
			if slices.Contains(tags, tag) {
				found[tag] = ecr.Manifest{Digest: i.Digest, MediaType: i.MediaType, Body: i.body}
			}
		}
	}
	return found, nil
}

func (f *fake) Manifest(ctx context.Context, repo ecr.Repository, d string) (ecr.Manifest, error) {
	if err := f.call(ctx, "Manifest", repo); err != nil {
		return ecr.Manifest{}, err
	}
	for _, i := range f.images[repo.Name] {
		if i.Digest == d {
			return ecr.Manifest{Digest: d, MediaType: i.MediaType, Body: i.body}, nil
		}
	}
	return ecr.Manifest{}, ecr.ErrImageNotFound
}

func (f *fake) Describe(ctx context.Context, repo ecr.Repository, digests []string) (map[string]ecr.Image, error) {
	if err := f.call(ctx, "Describe", repo); err != nil {
		return nil, err
	}
	found := map[string]ecr.Image{}
	for _, i := range f.images[repo.Name] {
		if slices.Contains(digests, i.Digest) {
			found[i.Digest] = i.Image
		}
	}
	if len(found) != len(digests) {
		return nil, ecr.ErrImageNotFound
	}
	return found, nil
}

func (f *fake) DescribeTag(ctx context.Context, repo ecr.Repository, tag string) (ecr.Image, error) {
	if err := f.call(ctx, "DescribeTag", repo); err != nil {
		return ecr.Image{}, err
	}
	for _, i := range f.images[repo.Name] {
		if slices.Contains(i.Tags, tag) {
			return i.Image, nil
		}
	}
	return ecr.Image{}, ecr.ErrImageNotFound
}

func (f *fake) Scan(ctx context.Context, repo ecr.Repository, d string) (ecr.Scan, error) {
	if err := f.call(ctx, "Scan", repo); err != nil {
		return ecr.Scan{}, err
	}
	return f.scans[d], nil
}

func (f *fake) List(ctx context.Context, repo ecr.Repository, each func([]ecr.Image) error) error {
	if err := f.call(ctx, "List", repo); err != nil {
		return err
	}
	for _, i := range f.images[repo.Name] {
		if err := each([]ecr.Image{i.Image}); err != nil {
			return err
		}
	}
	return nil
}

// commits is a log of n commits, newest first: sha(0), sha(1), …
type commits struct {
	n, at   int
	shallow bool
	cut     bool
	fail    error
}

func sha(i int) string { return fmt.Sprintf("%040x", 0xabcdef0000+i) }

func (c *commits) Next(_ context.Context, n int) ([]history.Commit, error) {
	if c.fail != nil {
		return nil, c.fail
	}
	var next []history.Commit
	for ; n > 0 && c.at < c.n; n-- {
		next = append(next, history.Commit{SHA: sha(c.at), Subject: fmt.Sprintf("change %d", c.at)})
		c.at++
	}
	return next, nil
}

func (c *commits) Reach() history.Reach {
	return history.Reach{Looked: c.at, Shallow: c.shallow, ShallowAt: sha(max(0, c.n-1)), DepthReached: c.cut}
}

func lineOf(c *commits) func(int) (*Line, error) {
	line := NewLine(c)
	return func(int) (*Line, error) { return line, nil }
}

// entry parses the one entry of an images.yaml.
func entry(t testing.TB, text string) *policy.Entry {
	t.Helper()
	c, err := policy.Parse("images.yaml", []byte("apiVersion: staging.nova/v1alpha1\nkind: ImagePolicy\nimages:\n- match: \"**\"\n  "+text+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	return &c.Images[0]
}

func repos(t testing.TB, names ...string) []ecr.Repository {
	t.Helper()
	var list []ecr.Repository
	for _, n := range names {
		r, err := ecr.ParseRepository(host + "/" + n)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}

// one resolves a single group and gives its outcome.
func one(t testing.TB, r *Resolver, g Group) Outcome {
	t.Helper()
	return r.Resolve(t.Context(), []Group{g})[0]
}
