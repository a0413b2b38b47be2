package ecremulator

import (
	"fmt"
	"regexp"
)

// The patterns of the ECR API model; messages quote them as ECR does.
const (
	accountPattern    = `[0-9]{12}`
	repositoryPattern = `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*`
	digestPattern     = `[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+`
	tagPattern        = `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`
	regionPattern     = `[a-z]{2,}(-[a-z]+)+-[0-9]+`
)

var (
	accountRE    = regexp.MustCompile(`^` + accountPattern + `$`)
	repositoryRE = regexp.MustCompile(`^` + repositoryPattern + `$`)
	digestRE     = regexp.MustCompile(`^` + digestPattern + `$`)
	tagRE        = regexp.MustCompile(`^` + tagPattern + `$`)
	regionRE     = regexp.MustCompile(`^` + regionPattern + `$`)
)

func validRepository(name string) bool {
	return len(name) >= 2 && len(name) <= 256 && repositoryRE.MatchString(name)
}

func checkTag(tag string) error {
	if !tagRE.MatchString(tag) {
		return fmt.Errorf("check tag %q against %s: %w", tag, tagPattern, ErrInvalidName)
	}
	return nil
}
