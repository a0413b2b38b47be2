package resolve

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/proerror77/nova-staging/internal/release"
	"github.com/proerror77/nova-staging/plugin/ecr"
	"github.com/proerror77/nova-staging/plugin/policy"
)

// runnersUp is how many candidates are kept besides the best, for the case that
// the best turns out to be no image.
const runnersUp = 8

// byRank lists the whole repository and chooses by the policy's own order.
func (r *Resolver) byRank(ctx context.Context, e *policy.Entry, repo ecr.Repository) (Decision, error) {
	excluded := map[string]string{} // digest to why
	for {
		s := survey{r: r, ranker: e.Ranker(), excluded: excluded, subject: map[string]ecr.Image{}, mismatch: map[string]policy.Candidate{}}
		if err := r.Registry.List(ctx, repo, s.page); err != nil {
			return Decision{}, err
		}
		for i, best := range s.best {
			m, why, err := r.verify(ctx, repo, s.subject[best.Digest])
			if err != nil {
				return Decision{}, err
			}
			if why == "" {
				d := s.decision(e, repo, s.best[i])
				d.manifest = m
				return d, nil
			}
			excluded[best.Digest] = why
		}
		if len(s.best) < runnersUp {
			return Decision{}, s.none(e, repo)
		}
	}
}

// verify asks for the manifest of an image that DescribeImages could not tell
// from a build cache, and says why it is not an image. Of any other image the
// manifest comes without its body.
func (r *Resolver) verify(ctx context.Context, repo ecr.Repository, image ecr.Image) (ecr.Manifest, string, error) {
	if image.Conclusive() {
		return ecr.Manifest{Digest: image.Digest, MediaType: image.MediaType}, "", nil
	}
	m, err := r.Registry.Manifest(ctx, repo, image.Digest)
	if err != nil {
		return ecr.Manifest{}, "", err
	}
	return m, m.NotImage(), nil
}

// survey goes through a repository page by page and keeps the best few.
type survey struct {
	r        *Resolver
	ranker   policy.Ranker
	excluded map[string]string
	best     []policy.Candidate // best first, at most runnersUp
	subject  map[string]ecr.Image
	looked   int
	fit      int         // of those looked at, how many could have been chosen
	kept     []Candidate // all, when the resolver keeps candidates

	late      *policy.Candidate           // earliest candidate after the instant
	mismatch  map[string]policy.Candidate // newest one whose tag was rejected, by the reason
	artifact  *policy.Candidate           // newest one that is no image
	artifactY string
}

func (s *survey) page(images []ecr.Image) error {
	for _, image := range images {
		for _, tag := range image.Tags {
			s.looked++
			c := policy.Candidate{Tag: tag, Digest: image.Digest, PushedAt: image.PushedAt}
			why := s.consider(c, image)
			if s.r.Candidates {
				pushed := c.PushedAt
				s.kept = append(s.kept, Candidate{Tag: c.Tag, Digest: c.Digest, PushedAt: &pushed, Why: why})
			}
		}
	}
	return nil
}

// consider enters a candidate into the ranking, or says why it is out.
func (s *survey) consider(c policy.Candidate, image ecr.Image) string {
	if why := s.ranker.Reject(c.Tag); why != "" {
		if newest, ok := s.mismatch[why]; !ok || c.PushedAt.After(newest.PushedAt) {
			s.mismatch[why] = c
		}
		return why
	}
	if why := cmp.Or(image.NotImage(), ecr.NotImageTag(c.Tag), s.excluded[c.Digest]); why != "" {
		if s.artifact == nil || c.PushedAt.After(s.artifact.PushedAt) {
			s.artifact, s.artifactY = &c, why
		}
		return "not an image: " + why
	}
	if c.PushedAt.After(s.r.AsOf) {
		if s.late == nil || c.PushedAt.Before(s.late.PushedAt) {
			s.late = &c
		}
		return fmt.Sprintf("pushed %s after the instant", duration(c.PushedAt.Sub(s.r.AsOf)))
	}
	s.fit++
	at, _ := slices.BinarySearchFunc(s.best, c, func(a, b policy.Candidate) int { return s.ranker.Compare(b, a) })
	if at < runnersUp {
		s.best = slices.Insert(s.best, at, c)
		s.best = s.best[:min(len(s.best), runnersUp)]
		s.subject[c.Digest] = image
	}
	return ""
}

func (s *survey) decision(e *policy.Entry, repo ecr.Repository, chosen policy.Candidate) Decision {
	d := Decision{
		Image: release.Image{
			Name: repo.String(), Tag: chosen.Tag, Digest: chosen.Digest, Policy: e.Name(), PushedAt: chosen.PushedAt,
		},
		Looked: s.looked,
		Why:    fmt.Sprintf("best of %d tags", s.looked),
	}
	switch {
	case e.Newest != nil:
		d.Why = fmt.Sprintf("pushed last among %d tags that match %s by the instant", s.fit, e.Newest.Tags)
		if s.fit == 1 {
			d.Why = fmt.Sprintf("the only tag that matches %s by the instant", e.Newest.Tags)
		}
	case e.SemVer != nil:
		d.Why = fmt.Sprintf("highest version in %s among %d tags by the instant", e.SemVer.Range, s.looked)
	}
	if s.r.Candidates {
		d.Candidates = s.ranked(chosen)
	}
	return d
}

// ranked orders all candidates: the chosen one, then those that lost by rank,
// then the rejected ones, newest first.
func (s *survey) ranked(chosen policy.Candidate) []Candidate {
	list := slices.Clone(s.kept)
	as := func(c Candidate) policy.Candidate {
		return policy.Candidate{Tag: c.Tag, Digest: c.Digest, PushedAt: *c.PushedAt}
	}
	for i, c := range list {
		switch {
		case c.Tag == chosen.Tag && c.Digest == chosen.Digest:
			list[i].Chosen, list[i].Why = true, "chosen"
		case c.Why == "" && s.excluded[c.Digest] != "":
			list[i].Why = "not an image: " + s.excluded[c.Digest]
		}
	}
	eligible := func(c Candidate) bool { return c.Why == "" || c.Chosen }
	slices.SortStableFunc(list, func(a, b Candidate) int {
		switch {
		case eligible(a) && eligible(b):
			return s.ranker.Compare(as(b), as(a))
		case eligible(a):
			return -1
		case eligible(b):
			return 1
		}
		return cmp.Or(b.PushedAt.Compare(*a.PushedAt), cmp.Compare(a.Tag, b.Tag))
	})
	for i, c := range list {
		if c.Why == "" {
			list[i].Why = s.ranker.Lost(as(c), chosen)
		}
	}
	return list
}

// none explains why nothing was chosen: how many tags were looked at, and the
// nearest miss.
func (s *survey) none(e *policy.Entry, repo ecr.Repository) error {
	var nearest string
	switch {
	case s.looked == 0:
		nearest = "the repository has no tagged image at all: has CI pushed to it?"
	case s.late != nil:
		nearest = fmt.Sprintf("nearest: tag %s was pushed %s after the instant", s.late.Tag, duration(s.late.PushedAt.Sub(s.r.AsOf)))
	case s.artifact != nil:
		nearest = fmt.Sprintf("nearest: tag %s is not an image: %s", s.artifact.Tag, s.artifactY)
	case len(s.mismatch) > 0:
		why := slices.MaxFunc(slices.Sorted(maps.Keys(s.mismatch)), func(a, b string) int {
			x, y := s.mismatch[a], s.mismatch[b]
			return cmp.Or(cmp.Compare(s.ranker.Nearness(x.Tag), s.ranker.Nearness(y.Tag)), x.PushedAt.Compare(y.PushedAt))
		})
		nearest = fmt.Sprintf("nearest: tag %s, pushed %s: %s", s.mismatch[why].Tag, instant(s.mismatch[why].PushedAt), why)
	}
	u := &Unsatisfied{kind: ErrNoImage, text: fmt.Sprintf("%s: %s: none of %d tags satisfies %s by %s; %s", ErrNoImage, repo, s.looked, e, instant(s.r.AsOf), nearest)}
	if s.r.Candidates {
		u.Candidates = [][]Candidate{s.ranked(policy.Candidate{})}
	}
	return u
}

func instant(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
