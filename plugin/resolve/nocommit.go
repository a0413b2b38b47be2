package resolve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/proerror77/nova-staging/plugin/ecr"
	"github.com/proerror77/nova-staging/plugin/policy"
)

// noCommit explains why no commit could be chosen: how many were looked at, how
// far history reaches, and the nearest miss.
func (r *Resolver) noCommit(ctx context.Context, g Group, line *Line, seen [][]sighting) error {
	if len(seen[0]) == 0 {
		return fmt.Errorf("%w: the revision has no commits", ErrNoHistory)
	}
	if len(g.Repositories) > 1 {
		return r.noTogether(ctx, g, line, seen)
	}
	repo := g.Repositories[0]
	return r.unsatisfied(ErrNoImage, g, seen, fmt.Sprintf("%s: %s: %s has an image pushed by %s%s%s", ErrNoImage, repo,
		noneOf(seen[0]), instant(r.AsOf), r.nearestMiss(ctx, repo, seen[0]), limits(g, line)))
}

// Unsatisfied is the error for a policy that nothing satisfies. It matches
// [ErrNoImage] or [ErrTogether].
type Unsatisfied struct {
	// Candidates of each repository of the group, when the resolver keeps them.
	Candidates [][]Candidate

	kind error
	text string
}

func (u *Unsatisfied) Error() string { return u.text }

// Unwrap makes errors.Is match the sentinel.
func (u *Unsatisfied) Unwrap() error { return u.kind }

func (r *Resolver) unsatisfied(kind error, g Group, seen [][]sighting, text string) error {
	u := &Unsatisfied{kind: kind, text: text}
	if r.Candidates {
		for k := range seen {
			u.Candidates = append(u.Candidates, candidates(g, seen, k, -1))
		}
	}
	return u
}

func noneOf(seen []sighting) string {
	if len(seen) == 1 {
		return fmt.Sprintf("none of 1 commit, %s,", short(seen[0].Commit))
	}
	return fmt.Sprintf("none of %d commits from %s backwards", len(seen), short(seen[0].Commit))
}

// limits says what kept the search from looking further, and the remedy.
func limits(g Group, line *Line) string {
	reach := line.reach()
	switch {
	case reach.Shallow:
		return fmt.Sprintf("; history ends at commit %s because the clone is shallow: remove depth from the repository's secret in Argo CD, or fetch more", short(reach.ShallowAt))
	case reach.DepthReached:
		return fmt.Sprintf("; commit.depth is %d: raise it in images.yaml if older commits should count", g.Entry.Commit.Depth)
	}
	return ""
}

// nearestMiss looks for what a person would look for first. It may ask ECR once
// more, for the repository's tags: this is the way to an error only.
func (r *Resolver) nearestMiss(ctx context.Context, repo ecr.Repository, seen []sighting) string {
	for _, s := range seen {
		if s.Digest != "" {
			return fmt.Sprintf("; nearest: commit %s, tag %s: %s", short(s.Commit), s.Tag, s.Why)
		}
	}
	tags := r.someTags(ctx, repo)
	if len(tags) == 0 {
		return "; the repository has no tagged image at all: has CI pushed to it?"
	}
	for _, c := range tags {
		for _, s := range seen {
			if s.Tag != c.Tag && strings.Contains(c.Tag, s.Commit[:7]) {
				return fmt.Sprintf("; nearest: tag %s looks like commit %s in another form: set commit.tag in images.yaml (now it makes %s)", c.Tag, short(s.Commit), s.Tag)
			}
		}
	}
	return fmt.Sprintf("; the repository has other tags, for example %s pushed %s: are its images built from this repository's commits?", tags[0].Tag, instant(tags[0].PushedAt))
}

// someTags gives the image tags of the first page of a repository, the newest by
// the instant first. It is empty also when the repository can not be asked: the
// error that it illustrates stands without it.
func (r *Resolver) someTags(ctx context.Context, repo ecr.Repository) []policy.Candidate {
	var tags []policy.Candidate
	onePage := errors.New("one page is enough")
	_ = r.Registry.List(ctx, repo, func(images []ecr.Image) error {
		for _, image := range images {
			for _, tag := range image.Tags {
				if image.NotImage() == "" && ecr.NotImageTag(tag) == "" {
					tags = append(tags, policy.Candidate{Tag: tag, Digest: image.Digest, PushedAt: image.PushedAt})
				}
			}
		}
		return onePage
	})
	slices.SortFunc(tags, func(a, b policy.Candidate) int {
		if late := cmp.Compare(toInt(a.PushedAt.After(r.AsOf)), toInt(b.PushedAt.After(r.AsOf))); late != 0 {
			return late
		}
		return cmp.Or(b.PushedAt.Compare(a.PushedAt), cmp.Compare(a.Tag, b.Tag))
	})
	return tags
}

func toInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (r *Resolver) noTogether(ctx context.Context, g Group, line *Line, seen [][]sighting) error {
	n := len(seen[0])
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	// Nearest first: fewest images lacking, then newest.
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(len(lacking(g, seen, a)), len(lacking(g, seen, b)))
	})
	var b strings.Builder
	fmt.Fprintf(&b, "%s of an entry with together: %s has all %d images pushed by %s", ErrTogether,
		noneOf(seen[0]), len(g.Repositories), instant(r.AsOf))
	const most = 3
	for _, i := range order[:min(most, n)] {
		lack := lacking(g, seen, i)
		if len(lack) == len(g.Repositories) {
			break
		}
		fmt.Fprintf(&b, "; commit %s lacks %s", short(seen[0][i].Commit), some(lack))
		if why := lateOnly(g, seen, i); why != "" {
			fmt.Fprintf(&b, " (%s)", why)
		}
	}
	for k, repo := range g.Repositories {
		if !slices.ContainsFunc(seen[k], func(s sighting) bool { return s.usable }) {
			fmt.Fprintf(&b, "; %s has no image of any of them%s", repo.Name, r.nearestMiss(ctx, repo, seen[k]))
			break
		}
	}
	b.WriteString(limits(g, line))
	return r.unsatisfied(ErrTogether, g, seen, b.String())
}

// lateOnly says when the lacking images of commit i came too late.
func lateOnly(g Group, seen [][]sighting, i int) string {
	for k := range g.Repositories {
		if s := seen[k][i]; !s.usable && s.Digest != "" {
			return s.Why
		}
	}
	return ""
}

// some names up to two things and counts the rest.
func some(names []string) string {
	if len(names) > 2 {
		return fmt.Sprintf("%s, %s and %d more", names[0], names[1], len(names)-2)
	}
	return strings.Join(names, " and ")
}

func short(sha string) string { return sha[:min(12, len(sha))] }
