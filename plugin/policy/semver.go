package policy

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// SemVer chooses the highest version in a range.
type SemVer struct {
	// Range of versions, for example ">=2.1 <3". Required.
	Range string `yaml:"range"`
	// Prerelease lets versions such as 2.2.0-rc.1 count. Optional, default false.
	Prerelease bool `yaml:"prerelease"`

	constraints *semver.Constraints
}

func (s *SemVer) compile() error {
	c, err := semver.NewConstraint(s.Range)
	if err != nil {
		return fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "improper constraint: "))
	}
	if s.Prerelease {
		if c, err = semver.NewConstraint(withoutOwnPrereleases(s.Range)); err != nil {
			return err
		}
		c.IncludePrerelease = true
	}
	s.constraints = c
	return nil
}

// belowRE is a bound by < or one of <= and its twin, releaseRE one by < that is no
// prerelease.
var (
	belowRE   = regexp.MustCompile(`=?<=?\s*v?[0-9][0-9A-Za-z.*+-]*`)
	releaseRE = regexp.MustCompile(`^<\s*v?([0-9]+)((?:\.[0-9]+)?)((?:\.[0-9]+)?)(?:\.[xX*]){0,2}$`)
)

// withoutOwnPrereleases has "<3" leave out 3.0.0-rc.1, which is lower than 3.0.0
// and not what anybody means who writes that. Where the bound is a prerelease
// itself it stays as it is.
func withoutOwnPrereleases(versions string) string {
	return belowRE.ReplaceAllStringFunc(versions, func(bound string) string {
		m := releaseRE.FindStringSubmatch(bound)
		if m == nil {
			return bound
		}
		return "<" + m[1] + cmp.Or(m[2], ".0") + cmp.Or(m[3], ".0") + "-0"
	})
}

// parseVersion takes MAJOR.MINOR.PATCH with an optional v. Anything shorter is
// not a version: a date or a build number as a tag would win every range.
func parseVersion(tag string) (*semver.Version, error) {
	return semver.StrictNewVersion(strings.TrimPrefix(tag, "v"))
}
