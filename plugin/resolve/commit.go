package resolve

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/proerror77/nova-staging/internal/release"
	"github.com/proerror77/nova-staging/plugin/ecr"
	"github.com/proerror77/nova-staging/plugin/history"
	"github.com/proerror77/nova-staging/plugin/policy"
)

// Batches of commits asked for in one BatchGetImage. The first is small because
// whole manifests come back and the newest commits nearly always have images.
const (
	firstBatch = 20
	nextBatch  = ecr.MaxBatch
)

// sighting is what a repository has for one commit.
type sighting struct {
	Candidate
	usable   bool
	manifest ecr.Manifest
}

// byCommit finds the newest commit that every repository of the group has a
// usable image of. A group of one repository is the ordinary case.
func (r *Resolver) byCommit(ctx context.Context, g Group) ([]Decision, error) {
	line, err := r.Commits(g.Entry.Commit.Depth)
	if err != nil {
		return nil, fmt.Errorf("%w for %s: %w", ErrNoHistory, g.Repositories[0], err)
	}
	// seen[k][i] is what repository k has for commit i.
	seen := make([][]sighting, len(g.Repositories))
	for lo := 0; ; {
		size := nextBatch
		if lo == 0 {
			size = firstBatch
		}
		commits, err := line.slice(ctx, lo, lo+size)
		if err != nil {
			return nil, fmt.Errorf("read commit history: %w", err)
		}
		if len(commits) == 0 {
			return nil, r.noCommit(ctx, g, line, seen)
		}
		if err := r.lookAll(ctx, g, commits, seen); err != nil {
			return nil, err
		}
		for i := lo; i < lo+len(commits); i++ {
			if complete(seen, i) {
				return r.decisions(g, seen, i), nil
			}
		}
		lo += len(commits)
	}
}

func (r *Resolver) lookAll(ctx context.Context, g Group, commits []history.Commit, seen [][]sighting) error {
	failures := make([]error, len(g.Repositories))
	var wg sync.WaitGroup
	for k, repo := range g.Repositories {
		wg.Go(func() {
			more, err := r.look(ctx, g.Entry.Commit, repo, commits)
			seen[k], failures[k] = append(seen[k], more...), err
		})
	}
	wg.Wait()
	return join(failures, len(g.Repositories))
}

func complete(seen [][]sighting, i int) bool {
	return !slices.ContainsFunc(seen, func(s []sighting) bool { return !s[i].usable })
}

// look asks one repository for the images of some commits: which tags exist, in
// one call, and when those images were pushed, in another.
func (r *Resolver) look(ctx context.Context, p *policy.Commit, repo ecr.Repository, commits []history.Commit) ([]sighting, error) {
	// An image can be deleted between the two calls; then both are made again.
	const tries = 3
	for try := 1; ; try++ {
		s, err := r.lookOnce(ctx, p, repo, commits)
		if err == nil || try == tries || !errors.Is(err, ecr.ErrImageNotFound) {
			return s, err
		}
	}
}

func (r *Resolver) lookOnce(ctx context.Context, p *policy.Commit, repo ecr.Repository, commits []history.Commit) ([]sighting, error) {
	s := make([]sighting, len(commits))
	var tags []string
	for i, c := range commits {
		s[i].Candidate = Candidate{Tag: p.TagFor(c.SHA), Commit: c.SHA, Subject: c.Subject}
		if !slices.Contains(tags, s[i].Tag) {
			tags = append(tags, s[i].Tag)
		}
	}
	found, err := r.Registry.Find(ctx, repo, tags)
	if err != nil {
		return nil, err
	}
	var digests []string
	for i := range s {
		m, ok := found[s[i].Tag]
		if !ok {
			s[i].Why = "no image has this tag"
			continue
		}
		s[i].Digest, s[i].manifest = m.Digest, m
		if why := m.NotImage(); why != "" {
			s[i].Why = "not an image: " + why
			continue
		}
		s[i].usable = true
		if !slices.Contains(digests, m.Digest) {
			digests = append(digests, m.Digest)
		}
	}
	if len(digests) == 0 {
		return s, nil
	}
	images, err := r.Registry.Describe(ctx, repo, digests)
	if err != nil {
		return nil, err
	}
	for i := range s {
		if s[i].usable {
			r.judge(&s[i], images[s[i].Digest])
		}
	}
	return s, nil
}

func (r *Resolver) judge(s *sighting, image ecr.Image) {
	pushed := image.PushedAt
	s.PushedAt = &pushed
	if why := image.NotImage(); why != "" {
		s.usable, s.Why = false, "not an image: "+why
	} else if pushed.After(r.AsOf) {
		s.usable, s.Why = false, fmt.Sprintf("pushed %s after the instant", duration(pushed.Sub(r.AsOf)))
	}
}

func (r *Resolver) decisions(g Group, seen [][]sighting, at int) []Decision {
	decisions := make([]Decision, len(g.Repositories))
	for k, repo := range g.Repositories {
		s := seen[k][at]
		d := Decision{
			Image: release.Image{
				Name: repo.String(), Tag: s.Tag, Digest: s.Digest, Policy: g.Entry.Name(),
				Commit: s.Commit, PushedAt: *s.PushedAt,
			},
			Subject: s.Subject, Looked: at + 1,
			Why:      whyCommit(g, seen, at),
			manifest: s.manifest,
		}
		if r.Candidates {
			d.Candidates = candidates(g, seen, k, at)
		}
		decisions[k] = d
	}
	return decisions
}

// whyCommit says why this commit, and of the newest one, which people expect to
// see deployed, why not that.
func whyCommit(g Group, seen [][]sighting, at int) string {
	all := "an image"
	if len(g.Repositories) > 1 {
		all = fmt.Sprintf("all %d images", len(g.Repositories))
	}
	if at == 0 {
		return "the revision itself has " + all
	}
	newest := short(seen[0][0].Commit)
	if len(g.Repositories) == 1 {
		return fmt.Sprintf("newest commit with %s; %s: %s", all, newest, seen[0][0].Why)
	}
	s := fmt.Sprintf("newest commit with %s; %s lacks %s", all, newest, some(lacking(g, seen, 0)))
	if why := lateOnly(g, seen, 0); why != "" {
		s += " (" + why + ")"
	}
	return s
}

// candidates of repository k, in the order of preference. A commit that this
// repository could serve but another could not says which.
func candidates(g Group, seen [][]sighting, k, chosen int) []Candidate {
	list := make([]Candidate, len(seen[k]))
	for i, s := range seen[k] {
		c := s.Candidate
		switch {
		case i == chosen:
			c.Chosen, c.Why = true, "chosen"
		case chosen >= 0 && i > chosen && s.usable:
			c.Why = "older commit than the chosen one"
		case s.usable:
			c.Why = "together: " + some(lacking(g, seen, i)) + " had no image of this commit by the instant"
		}
		list[i] = c
	}
	return list
}

// lacking names the repositories that have no usable image of commit i.
func lacking(g Group, seen [][]sighting, i int) []string {
	var names []string
	for k, repo := range g.Repositories {
		if i < len(seen[k]) && !seen[k][i].usable {
			names = append(names, repo.Name)
		}
	}
	return names
}

func duration(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	case d >= time.Second:
		return d.Round(time.Second).String()
	}
	return d.String()
}
