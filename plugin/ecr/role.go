package ecr

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/bmatcuk/doublestar/v4"
)

// Role is an IAM role to assume before asking certain registries, for images in
// another account.
type Role struct {
	// Host is a glob over registry hosts, for example
	// "111122223333.dkr.ecr.*.amazonaws.com". Required.
	Host string
	// ARN of the role. Required.
	ARN string
	// ExternalID that the role's trust policy asks for. Optional.
	ExternalID string
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_Role.html
var (
	accountRE = regexp.MustCompile(`^\d{12}$`)
	roleRE    = regexp.MustCompile(`^role/(?:[!-~]+/)?[\w+=,.@-]{1,64}$`)
)

// ParseRole reads HOST-GLOB=ROLE-ARN, optionally followed by
// ",external-id=ID", the form of the --assume-role flag.
func ParseRole(s string) (Role, error) {
	host, rest, ok := strings.Cut(s, "=")
	if !ok || host == "" {
		return Role{}, fmt.Errorf("role %q: want HOST-GLOB=ROLE-ARN[,external-id=ID]", s)
	}
	roleARN, option, hasOption := strings.Cut(rest, ",")
	r := Role{Host: host, ARN: roleARN}
	if hasOption {
		id, ok := strings.CutPrefix(option, "external-id=")
		if !ok || id == "" {
			return Role{}, fmt.Errorf("role %q: unknown option %q, valid options are: external-id=ID", s, option)
		}
		r.ExternalID = id
	}
	if !doublestar.ValidatePattern(host) {
		return Role{}, fmt.Errorf("role %q: %q is not a valid glob", s, host)
	}
	a, err := arn.Parse(roleARN)
	if err != nil || a.Service != "iam" || !accountRE.MatchString(a.AccountID) || !roleRE.MatchString(a.Resource) {
		return Role{}, fmt.Errorf("role %q: %q is not the ARN of an IAM role (arn:aws:iam::<account>:role/<name>)", s, roleARN)
	}
	return r, nil
}

func roleFor(roles []Role, host string) Role {
	for _, r := range roles {
		if ok, _ := doublestar.Match(r.Host, host); ok {
			return r
		}
	}
	return Role{}
}
