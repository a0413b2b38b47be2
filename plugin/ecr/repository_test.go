package ecr

import (
	"errors"
	"strings"
	"testing"
)

func TestParseRepositoryKnowsTheHostsOfEveryPartition(t *testing.T) {
	t.Parallel()
	const a = "025434362120"
	for host, want := range map[string]Repository{
		a + ".dkr.ecr.ap-northeast-1.amazonaws.com":                {Region: "ap-northeast-1"},
		a + ".dkr.ecr.us-east-1.amazonaws.com":                     {Region: "us-east-1"},
		a + ".dkr.ecr.eu-central-2.amazonaws.com":                  {Region: "eu-central-2"},
		a + ".dkr.ecr.me-south-1.amazonaws.com":                    {Region: "me-south-1"},
		a + ".dkr.ecr.af-south-1.amazonaws.com":                    {Region: "af-south-1"},
		a + ".dkr.ecr.il-central-1.amazonaws.com":                  {Region: "il-central-1"},
		a + ".dkr.ecr.mx-central-1.amazonaws.com":                  {Region: "mx-central-1"},
		a + ".dkr.ecr.ca-west-1.amazonaws.com":                     {Region: "ca-west-1"},
		a + ".dkr.ecr.sa-east-1.amazonaws.com":                     {Region: "sa-east-1"},
		a + ".dkr.ecr-fips.us-east-2.amazonaws.com":                {Region: "us-east-2", FIPS: true},
		a + ".dkr-ecr.us-west-2.on.aws":                            {Region: "us-west-2", DualStack: true},
		a + ".dkr-ecr-fips.us-west-2.on.aws":                       {Region: "us-west-2", FIPS: true, DualStack: true},
		a + ".dkr.ecr.us-gov-west-1.amazonaws.com":                 {Region: "us-gov-west-1"},
		a + ".dkr.ecr-fips.us-gov-east-1.amazonaws.com":            {Region: "us-gov-east-1", FIPS: true},
		a + ".dkr-ecr.us-gov-east-1.on.aws":                        {Region: "us-gov-east-1", DualStack: true},
		a + ".dkr.ecr.cn-north-1.amazonaws.com.cn":                 {Region: "cn-north-1"},
		a + ".dkr-ecr.cn-northwest-1.on.amazonwebservices.com.cn":  {Region: "cn-northwest-1", DualStack: true},
		a + ".dkr.ecr.us-iso-east-1.c2s.ic.gov":                    {Region: "us-iso-east-1"},
		a + ".dkr.ecr.us-isob-east-1.sc2s.sgov.gov":                {Region: "us-isob-east-1"},
		a + ".dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk":               {Region: "eu-isoe-west-1"},
		a + ".dkr.ecr.us-isof-south-1.csp.hci.ic.gov":              {Region: "us-isof-south-1"},
		a + ".dkr.ecr.eusc-de-east-1.amazonaws.eu":                 {Region: "eusc-de-east-1"},
		a + ".dkr-ecr.eusc-de-east-1.on.amazonwebservices.eu":      {Region: "eusc-de-east-1", DualStack: true},
		a + ".dkr-ecr-fips.eusc-de-east-1.on.amazonwebservices.eu": {Region: "eusc-de-east-1", DualStack: true, FIPS: true},
	} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			want.Host, want.Account, want.Name = host, a, "nova/auth-service"
			got, err := ParseRepository(host + "/nova/auth-service")
			if err != nil || got != want {
				t.Errorf("got %+v, %v\nwant %+v", got, err, want)
			}
			if got.String() != host+"/nova/auth-service" {
				t.Errorf("String is %s", got)
			}
		})
	}
}

func TestParseRepositoryRefusesWhatIsNotInAPrivateRegistry(t *testing.T) {
	t.Parallel()
	const ok = "025434362120.dkr.ecr.ap-northeast-1.amazonaws.com"
	for name, want := range map[string]string{
		"":                           "names no registry host",
		"nginx":                      "names no registry host",
		"library/nginx":              "names no registry host",
		"localhost/nginx":            "names no registry host",
		"localhost:5000/nginx":       "is not <account>.dkr.ecr",
		"docker.io/library/nginx":    "is not <account>.dkr.ecr",
		"ghcr.io/a/b":                "is not <account>.dkr.ecr",
		"public.ecr.aws/nginx/nginx": "ECR Public, which is another service",
		"25434362120.dkr.ecr.us-east-1.amazonaws.com/a/b":           "is not <account>",
		"0254343621200.dkr.ecr.us-east-1.amazonaws.com/a/b":         "is not <account>",
		"025434362120.dkr.ecr.us-east-1.amazonaws.com.evil.org/a/b": `ends in "amazonaws.com.evil.org" but registries of region us-east-1 end in "amazonaws.com"`,
		"025434362120.dkr.ecr.us-east-1.evil.org/a/b":               "end in",
		"025434362120.dkr.ecr.cn-north-1.amazonaws.com/a/b":         `end in "amazonaws.com.cn"`,
		"025434362120.dkr.ecr.us-east-1.amazonaws.com.cn/a/b":       `end in "amazonaws.com"`,
		"025434362120.dkr-ecr.us-east-1.amazonaws.com/a/b":          `end in "on.aws"`,
		"025434362120.dkr.ecr.us-east-1.on.aws/a/b":                 `end in "amazonaws.com"`,
		"025434362120.dkr-ecr.us-iso-east-1.on.aws/a/b":             "has no dual-stack registries",
		"025434362120.dkr.ecr.mars-north-1.amazonaws.com/a/b":       "is not a region of an AWS partition",
		"025434362120.dkr.ecr.us-east.amazonaws.com/a/b":            "is not a region of an AWS partition",
		ok + ":443/a/b":                          "is not <account>",
		strings.ToUpper(ok) + "/a/b":             "is not <account>",
		ok:                                       "names no registry host",
		ok + "/":                                 "not a valid ECR repository name",
		ok + "/a":                                "not a valid ECR repository name",
		ok + "/A/b":                              "not a valid ECR repository name",
		ok + "//b":                               "not a valid ECR repository name",
		ok + "/a/b:latest":                       "not a valid ECR repository name",
		ok + "/a/../b":                           "not a valid ECR repository name",
		ok + "/" + strings.Repeat("a", 257):      "not a valid ECR repository name",
		"user@" + ok + "/a/b":                    "is not <account>",
		"https://" + ok + "/a/b":                 "is not <account>",
		"025434362120.dkr.ecr..amazonaws.com/ab": "is not <account>",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseRepository(name)
			if !errors.Is(err, ErrNotECR) || !strings.Contains(err.Error(), want) || got != (Repository{}) {
				t.Errorf("got %+v, %v; want %q", got, err, want)
			}
		})
	}
}

func FuzzParseRepository(f *testing.F) {
	for _, s := range []string{
		"025434362120.dkr.ecr.ap-northeast-1.amazonaws.com/nova/auth-service", "025434362120.dkr-ecr-fips.us-west-2.on.aws/a/b",
		"025434362120.dkr.ecr.cn-north-1.amazonaws.com.cn/a.b_c-d", "public.ecr.aws/x/y", "nginx", "a.b/", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRepository(s)
		if err != nil {
			if !errors.Is(err, ErrNotECR) || r != (Repository{}) || strings.Contains(err.Error(), "\n") && !strings.Contains(s, "\n") {
				t.Errorf("%q: %+v, %v", s, r, err)
			}
			return
		}
		if r.String() != s {
			t.Errorf("%q became %q", s, r)
		}
		if len(r.Account) != 12 || !strings.Contains(r.Host, r.Account) || !strings.Contains(r.Host, r.Region) ||
			strings.ContainsAny(s, " :@\n%?#\\") || r.FIPS != strings.Contains(r.Host, "ecr-fips.") || r.DualStack != strings.Contains(r.Host, "dkr-ecr") {
			t.Errorf("%q became %+v", s, r)
		}
	})
}
