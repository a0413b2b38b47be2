package resolve

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/proerror77/nova-staging/plugin/ecr"
)

var (
	// ErrNoImage is returned when nothing in a repository satisfies the policy.
	ErrNoImage = errors.New("no image satisfies the policy")
	// ErrTogether is returned when no single commit has all images of an entry
	// that says together.
	ErrTogether = errors.New("no commit has all images")
	// ErrNoHistory is returned when the commit policy has no commits to look at.
	ErrNoHistory = errors.New("no commit history")
)

// Registry is what resolving needs of ECR. *ecr.Client implements it.
type Registry interface {
	Find(ctx context.Context, repo ecr.Repository, tags []string) (map[string]ecr.Manifest, error)
	Manifest(ctx context.Context, repo ecr.Repository, digest string) (ecr.Manifest, error)
	Describe(ctx context.Context, repo ecr.Repository, digests []string) (map[string]ecr.Image, error)
	DescribeTag(ctx context.Context, repo ecr.Repository, tag string) (ecr.Image, error)
	List(ctx context.Context, repo ecr.Repository, each func([]ecr.Image) error) error
	Scan(ctx context.Context, repo ecr.Repository, digest string) (ecr.Scan, error)
}

var _ Registry = (*ecr.Client)(nil)

// Resolver decides groups as of one instant at one revision.
type Resolver struct {
	// Registry to ask. Required.
	Registry Registry
	// AsOf is the instant. Required.
	AsOf time.Time
	// Commits gives the line of commits from the revision, for a depth. Required
	// when a group uses the commit policy.
	Commits func(depth int) (*Line, error)
	// Candidates keeps every candidate in the decisions, for explain. Then the
	// cache is neither read nor written.
	Candidates bool
	// Cache of final decisions. Optional.
	Cache *Cache
}

// Outcome is what became of one group: decisions, in the order of its
// repositories, or an error.
type Outcome struct {
	Group     Group
	Decisions []Decision
	Err       error
}

// Resolve decides all groups, concurrently. Outcomes come in the order of the
// groups; a caller that goes on with some of them although others failed deploys
// a partial render, so [Decisions] is the way to read them.
func (r *Resolver) Resolve(ctx context.Context, groups []Group) []Outcome {
	outcomes := make([]Outcome, len(groups))
	var wg sync.WaitGroup
	for i, g := range groups {
		wg.Go(func() {
			decisions, err := r.group(ctx, g)
			outcomes[i] = Outcome{Group: g, Decisions: decisions, Err: err}
		})
	}
	wg.Wait()
	return outcomes
}

// Decisions gives all decisions when every group has one, and otherwise an error
// that reports every group that failed.
func Decisions(outcomes []Outcome) ([]Decision, error) {
	var decisions []Decision
	failures := make([]error, len(outcomes))
	for i, o := range outcomes {
		decisions = append(decisions, o.Decisions...)
		failures[i] = o.Err
	}
	if err := join(failures, len(outcomes)); err != nil {
		return nil, err
	}
	return decisions, nil
}

func (r *Resolver) group(ctx context.Context, g Group) ([]Decision, error) {
	cache := r.cache()
	if cache != nil {
		if decisions, ok := cache.get(g, r.AsOf); ok {
			return decisions, nil
		}
	}
	var clock ecr.Clock
	decisions, err := r.decide(ecr.WithClock(ctx, &clock), g)
	if err != nil {
		return nil, err
	}
	if g.Entry.Scan != nil {
		if err := r.gate(ctx, g, decisions, &clock); err != nil {
			return nil, err
		}
	}
	if cache != nil && r.final(g, decisions, &clock) {
		cache.put(g, r.AsOf, decisions)
	}
	return decisions, nil
}

// cache is nil for an explanation of every candidate: what it sees today must not
// replace what an instant was rendered with.
func (r *Resolver) cache() *Cache {
	if r.Candidates {
		return nil
	}
	return r.Cache
}

func (r *Resolver) decide(ctx context.Context, g Group) ([]Decision, error) {
	if g.Entry.Commit != nil {
		return r.byCommit(ctx, g)
	}
	decide := r.byRank
	if g.Entry.Tag != nil {
		decide = r.byTag
	}
	d, err := decide(ctx, g.Entry, g.Repositories[0])
	if err != nil {
		return nil, err
	}
	return []Decision{d}, nil
}

// final says whether asking again later would give the same answer: by ECR's own
// clock the instant had passed when it was asked, so nothing can still be pushed
// before it. A mutable tag that points at a later image never is.
func (r *Resolver) final(g Group, decisions []Decision, clock *ecr.Clock) bool {
	if !r.passed(clock) {
		return false
	}
	return g.Entry.Tag == nil || !decisions[0].PushedAt.After(r.AsOf)
}

// passed says whether by ECR's own clock the instant had passed.
func (r *Resolver) passed(clock *ecr.Clock) bool {
	t := clock.Min()
	return !t.IsZero() && !t.Before(r.AsOf)
}

// join makes one error of the failures of independent groups: one line for one
// failure, else a line for each.
func join(failures []error, of int) error {
	var failed []error
	credentials := false
	for _, err := range failures {
		if err == nil {
			continue
		}
		if errors.Is(err, ecr.ErrCredentials) {
			// The same for each repository: once is enough.
			if credentials {
				continue
			}
			credentials = true
		}
		failed = append(failed, err)
	}
	switch len(failed) {
	case 0:
		return nil
	case 1:
		return failed[0]
	}
	return &joined{failed: failed, of: of}
}

type joined struct {
	failed []error
	of     int
}

func (j *joined) Error() string {
	const most = 20
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d could not be resolved:", len(j.failed), j.of)
	for i, err := range j.failed {
		if i == most {
			fmt.Fprintf(&b, "\n  and %d more", len(j.failed)-most)
			break
		}
		fmt.Fprintf(&b, "\n  %s", err)
	}
	return b.String()
}

func (j *joined) Unwrap() []error { return j.failed }
