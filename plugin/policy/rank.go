package policy

import (
	"cmp"
	"fmt"
	"time"

	"github.com/Masterminds/semver/v3"
)

// Candidate is one tag of one image, as a ranking policy sees it.
type Candidate struct {
	Tag      string
	Digest   string
	PushedAt time.Time
}

// Ranker chooses among all tags of a repository.
type Ranker interface {
	// Reject says why a tag is out of the question, "" when it is a candidate.
	Reject(tag string) string
	// Nearness of a tag that is rejected: the higher the number, the more likely it
	// is the one that a person has in mind.
	Nearness(tag string) int
	// Compare orders two candidates that are not rejected: negative when a loses
	// to b. It never returns 0 for different tags, so that the choice does not
	// depend on the order in which ECR lists them.
	Compare(a, b Candidate) int
	// Lost says why loser lost to winner.
	Lost(loser, winner Candidate) string
}

var (
	_ Ranker = (*Newest)(nil)
	_ Ranker = (*SemVer)(nil)
)

// Ranker gives the entry's ranking policy, nil for commit and tag.
func (e *Entry) Ranker() Ranker {
	switch {
	case e.Newest != nil:
		return e.Newest
	case e.SemVer != nil:
		return e.SemVer
	}
	return nil
}

// Reject implements [Ranker].
func (n *Newest) Reject(tag string) string {
	if !n.re.MatchString(tag) {
		return "tag does not match " + n.Tags
	}
	return ""
}

// Nearness implements [Ranker].
func (n *Newest) Nearness(string) int { return 0 }

// Compare implements [Ranker]: by push time, then by digest and tag.
func (n *Newest) Compare(a, b Candidate) int {
	return cmp.Or(a.PushedAt.Compare(b.PushedAt), cmp.Compare(a.Digest, b.Digest), cmp.Compare(b.Tag, a.Tag))
}

// Lost implements [Ranker].
func (n *Newest) Lost(loser, winner Candidate) string {
	switch {
	case loser.Digest == winner.Digest:
		return "another tag of the chosen image"
	case loser.PushedAt.Equal(winner.PushedAt):
		return "pushed in the same moment as the chosen image, which has the higher digest"
	}
	return "pushed " + winner.PushedAt.Sub(loser.PushedAt).Round(time.Second).String() + " before the chosen image"
}

// Reject implements [Ranker].
func (s *SemVer) Reject(tag string) string {
	v, err := parseVersion(tag)
	if err != nil {
		return "tag is not a version (MAJOR.MINOR.PATCH)"
	}
	if !s.constraints.Check(v) {
		if v.Prerelease() != "" && !s.Prerelease {
			return "is a prerelease, and prereleases are not allowed"
		}
		return "version is not in range " + s.Range
	}
	return ""
}

// Nearness implements [Ranker]: another version comes nearer than a branch's name.
func (s *SemVer) Nearness(tag string) int {
	if _, err := parseVersion(tag); err != nil {
		return 0
	}
	return 1
}

// Compare implements [Ranker]: by version, then by push time, digest and tag
// (1.2.3 and v1.2.3 are the same version).
func (s *SemVer) Compare(a, b Candidate) int {
	return cmp.Or(version(a.Tag).Compare(version(b.Tag)), a.PushedAt.Compare(b.PushedAt), cmp.Compare(a.Digest, b.Digest), cmp.Compare(b.Tag, a.Tag))
}

// Lost implements [Ranker].
func (s *SemVer) Lost(loser, winner Candidate) string {
	if version(loser.Tag).Equal(version(winner.Tag)) {
		if loser.Digest == winner.Digest {
			return "another tag of the chosen image"
		}
		return "the same version as the chosen image, pushed earlier"
	}
	return fmt.Sprintf("lower version than %s", winner.Tag)
}

var zeroVersion = semver.New(0, 0, 0, "", "")

// version of a tag that Reject let through.
func version(tag string) *semver.Version {
	v, err := parseVersion(tag)
	if err != nil {
		return zeroVersion
	}
	return v
}
