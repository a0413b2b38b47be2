package ecr

import (
	"strings"
	"testing"
)

func TestParseRole(t *testing.T) {
	t.Parallel()
	const arn = "arn:aws:iam::111122223333:role/reader"
	for in, want := range map[string]Role{
		"*=" + arn: {Host: "*", ARN: arn},
		"111122223333.dkr.ecr.*.amazonaws.com=" + arn:               {Host: "111122223333.dkr.ecr.*.amazonaws.com", ARN: arn},
		"{1,2}*=" + arn + ",external-id=nova":                       {Host: "{1,2}*", ARN: arn, ExternalID: "nova"},
		"*=" + arn + ",external-id=a=b:c/d@e":                       {Host: "*", ARN: arn, ExternalID: "a=b:c/d@e"},
		"*=arn:aws-cn:iam::111122223333:role/team/sub/reader":       {Host: "*", ARN: "arn:aws-cn:iam::111122223333:role/team/sub/reader"},
		"*=arn:aws-us-gov:iam::111122223333:role/r,external-id=x,y": {Host: "*", ARN: "arn:aws-us-gov:iam::111122223333:role/r", ExternalID: "x,y"},
	} {
		got, err := ParseRole(in)
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v; want %+v", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		"":                                    "want HOST-GLOB=ROLE-ARN",
		arn:                                   "want HOST-GLOB=ROLE-ARN",
		"=" + arn:                             "want HOST-GLOB=ROLE-ARN",
		"*=":                                  "is not the ARN of an IAM role",
		"*=reader":                            "is not the ARN of an IAM role",
		"*=arn:aws:iam::111122223333:role/":   "is not the ARN of an IAM role",
		"*=arn:aws:iam::111122223333:user/ci": "is not the ARN of an IAM role",
		"*=arn:aws:sts::111122223333:assumed-role/x": "is not the ARN of an IAM role",
		"*=arn:aws:iam::1111:role/reader":            "is not the ARN of an IAM role",
		"*=arn:aws:iam:::role/reader":                "is not the ARN of an IAM role",
		"[a-=" + arn:                                 `"[a-" is not a valid glob`,
		"*=" + arn + ",":                             `unknown option ""`,
		"*=" + arn + ",external-id=":                 `unknown option "external-id="`,
		"*=" + arn + ",session=x":                    `unknown option "session=x", valid options are: external-id=ID`,
	} {
		got, err := ParseRole(in)
		if err == nil || !strings.Contains(err.Error(), want) || got != (Role{}) {
			t.Errorf("%s: got %+v, %v; want %q", in, got, err, want)
		}
	}
}

func TestTheFirstRoleWhoseGlobMatchesIsUsed(t *testing.T) {
	t.Parallel()
	roles := []Role{
		{Host: "111122223333.dkr.ecr.eu-*.amazonaws.com", ARN: "eu"},
		{Host: "111122223333.*", ARN: "account"},
		{Host: "*.amazonaws.com.cn", ARN: "china"},
	}
	for host, want := range map[string]string{
		"111122223333.dkr.ecr.eu-west-1.amazonaws.com":     "eu",
		"111122223333.dkr.ecr.us-east-1.amazonaws.com":     "account",
		"999922223333.dkr.ecr.us-east-1.amazonaws.com":     "",
		"999922223333.dkr.ecr.cn-north-1.amazonaws.com.cn": "china",
	} {
		if got := roleFor(roles, host).ARN; got != want {
			t.Errorf("%s: role %q, want %q", host, got, want)
		}
	}
	if got := roleFor(nil, "x"); got != (Role{}) {
		t.Errorf("without roles: %+v", got)
	}
}

func FuzzParseRole(f *testing.F) {
	f.Add("111122223333.dkr.ecr.*.amazonaws.com=arn:aws:iam::111122223333:role/reader,external-id=nova")
	f.Add("*=arn:aws:iam::111122223333:role/a/b")
	f.Add("==,=")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRole(s)
		if (err == nil) == (r == Role{}) {
			t.Fatalf("%q: %+v, %v", s, r, err)
		}
		if err == nil {
			roleFor([]Role{r}, "025434362120.dkr.ecr.ap-northeast-1.amazonaws.com")
		}
	})
}
