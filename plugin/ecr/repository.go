package ecr

import (
	"fmt"
	"regexp"
	"strings"
)

// Repository is one ECR repository: where an image's name leads.
type Repository struct {
	// Host is the registry's host name, as in the image's name.
	Host string
	// Account that owns the registry, 12 digits.
	Account string
	// Region of the registry, for example "ap-northeast-1".
	Region string
	// Name of the repository in the registry, for example "nova/auth-service".
	Name string
	// FIPS is true when the host is a FIPS endpoint.
	FIPS bool
	// DualStack is true when the host answers on IPv4 and IPv6.
	DualStack bool
}

// String is the image's name without tag or digest.
func (r Repository) String() string { return r.Host + "/" + r.Name }

// partition pairs the regions of an AWS partition with the DNS suffixes of its
// registries. Source: the endpoints files of the AWS SDKs.
type partition struct {
	regions    *regexp.Regexp
	suffix     string // of <account>.dkr.ecr[-fips].<region>.<suffix>
	dualSuffix string // of <account>.dkr-ecr[-fips].<region>.<dualSuffix>; "" when there is none
}

var partitions = []partition{
	{regexp.MustCompile(`^cn-\w+-\d+$`), "amazonaws.com.cn", "on.amazonwebservices.com.cn"},
	{regexp.MustCompile(`^us-gov-\w+-\d+$`), "amazonaws.com", "on.aws"},
	{regexp.MustCompile(`^us-iso-\w+-\d+$`), "c2s.ic.gov", ""},
	{regexp.MustCompile(`^us-isob-\w+-\d+$`), "sc2s.sgov.gov", ""},
	{regexp.MustCompile(`^eu-isoe-\w+-\d+$`), "cloud.adc-e.uk", ""},
	{regexp.MustCompile(`^us-isof-\w+-\d+$`), "csp.hci.ic.gov", ""},
	{regexp.MustCompile(`^eusc-\w+-\w+-\d+$`), "amazonaws.eu", "on.amazonwebservices.eu"},
	{regexp.MustCompile(`^(us|eu|ap|sa|ca|me|af|il|mx)-\w+-\d+$`), "amazonaws.com", "on.aws"},
}

var (
	hostRE = regexp.MustCompile(`^(\d{12})\.dkr([.-])ecr(-fips)?\.([a-z0-9][a-z0-9-]*)\.([a-z0-9.-]+)$`)
	// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html
	repositoryRE = regexp.MustCompile(`^[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*$`)
)

// ParseRepository reads an image's name without tag or digest. The error says
// why the name is not one of a private ECR repository; it matches [ErrNotECR].
func ParseRepository(name string) (Repository, error) {
	host, repository, ok := strings.Cut(name, "/")
	if !ok || !strings.ContainsAny(host, ".:") {
		return Repository{}, fmt.Errorf("%w: %q names no registry host; an ECR image begins with <account>.dkr.ecr.<region>.amazonaws.com/", ErrNotECR, name)
	}
	if host == "public.ecr.aws" {
		return Repository{}, fmt.Errorf("%w: %q is in ECR Public, which is another service", ErrNotECR, name)
	}
	m := hostRE.FindStringSubmatch(host)
	if m == nil {
		return Repository{}, fmt.Errorf("%w: the host of %q is not <account>.dkr.ecr.<region>.amazonaws.com or one of its partition, FIPS and dual-stack forms", ErrNotECR, name)
	}
	r := Repository{Host: host, Account: m[1], Region: m[4], Name: repository, FIPS: m[3] != "", DualStack: m[2] == "-"}
	if err := r.checkSuffix(m[5]); err != nil {
		return Repository{}, err
	}
	if len(repository) < 2 || len(repository) > 256 || !repositoryRE.MatchString(repository) {
		return Repository{}, fmt.Errorf("%w: %q is not a valid ECR repository name", ErrNotECR, repository)
	}
	return r, nil
}

// checkSuffix refuses a suffix that belongs to another partition than the
// region: no such registry exists, and guessing either would ask a stranger.
func (r Repository) checkSuffix(suffix string) error {
	for _, p := range partitions {
		if !p.regions.MatchString(r.Region) {
			continue
		}
		want := p.suffix
		if r.DualStack {
			want = p.dualSuffix
		}
		if suffix != want {
			if want == "" {
				return fmt.Errorf("%w: region %s of host %s has no dual-stack registries", ErrNotECR, r.Region, r.Host)
			}
			return fmt.Errorf("%w: host %s ends in %q but registries of region %s end in %q", ErrNotECR, r.Host, suffix, r.Region, want)
		}
		return nil
	}
	return fmt.Errorf("%w: %q in host %s is not a region of an AWS partition that this version knows", ErrNotECR, r.Region, r.Host)
}

// Hosts are the names of an account's registry in a region: the ordinary one
// first, then its FIPS and dual-stack forms. Empty for a region of no partition
// that this version knows.
func Hosts(account, region string) []string {
	for _, p := range partitions {
		if !p.regions.MatchString(region) {
			continue
		}
		hosts := []string{
			account + ".dkr.ecr." + region + "." + p.suffix,
			account + ".dkr.ecr-fips." + region + "." + p.suffix,
		}
		if p.dualSuffix != "" {
			hosts = append(hosts,
				account+".dkr-ecr."+region+"."+p.dualSuffix,
				account+".dkr-ecr-fips."+region+"."+p.dualSuffix)
		}
		return hosts
	}
	return nil
}
