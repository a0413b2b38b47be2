package policy

import (
	"fmt"
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
	c.IncludePrerelease = s.Prerelease
	s.constraints = c
	return nil
}

// parseVersion takes MAJOR.MINOR.PATCH with an optional v. Anything shorter is
// not a version: a date or a build number as a tag would win every range.
func parseVersion(tag string) (*semver.Version, error) {
	return semver.StrictNewVersion(strings.TrimPrefix(tag, "v"))
}
