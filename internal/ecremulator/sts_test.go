package ecremulator_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/proerror77/nova-staging/internal/ecremulator"
)

const readerARN = "arn:aws:iam::111122223333:role/ci/reader"

func (f *fixture) sts() *sts.Client {
	return sts.New(sts.Options{BaseEndpoint: &f.URL, Region: region, Credentials: static(f.Credentials()), RetryMaxAttempts: 1})
}

func TestAssumeRole(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	must(f.CreateRole(readerARN, ecremulator.WithExternalID("nova"), ecremulator.WithTrust(account)))
	must(f.CreateRole("arn:aws:iam::111122223333:role/closed", ecremulator.WithTrust("444455556666")))
	in := func(change func(*sts.AssumeRoleInput)) *sts.AssumeRoleInput {
		i := &sts.AssumeRoleInput{RoleArn: aws.String(readerARN), RoleSessionName: aws.String("test"), ExternalId: aws.String("nova")}
		change(i)
		return i
	}
	tests := []struct {
		name string
		in   *sts.AssumeRoleInput
		code string
	}{
		{"with the external ID", in(func(*sts.AssumeRoleInput) {}), ""},
		{"without it", in(func(i *sts.AssumeRoleInput) { i.ExternalId = nil }), "AccessDenied"},
		{"with another", in(func(i *sts.AssumeRoleInput) { i.ExternalId = aws.String("other") }), "AccessDenied"},
		{"an unknown role", in(func(i *sts.AssumeRoleInput) { i.RoleArn = aws.String("arn:aws:iam::111122223333:role/none") }), "AccessDenied"},
		{"a role that trusts others", in(func(i *sts.AssumeRoleInput) { i.RoleArn = aws.String("arn:aws:iam::111122223333:role/closed") }), "AccessDenied"},
		{"too long", in(func(i *sts.AssumeRoleInput) { i.DurationSeconds = aws.Int32(7200) }), "ValidationError"},
		{"too short", in(func(i *sts.AssumeRoleInput) { i.DurationSeconds = aws.Int32(60) }), "ValidationError"},
		{"a session name with a space", in(func(i *sts.AssumeRoleInput) { i.RoleSessionName = aws.String("a b") }), "ValidationError"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			out, err := f.sts().AssumeRole(t.Context(), tt.in)
			wantCode(t, err, tt.code)
			if err == nil && (*out.AssumedRoleUser.Arn != "arn:aws:sts::111122223333:assumed-role/reader/test" || time.Until(*out.Credentials.Expiration) < 59*time.Minute) {
				t.Errorf("got %s until %v", *out.AssumedRoleUser.Arn, out.Credentials.Expiration)
			}
		})
	}
}

func TestARegistryThatOnlyARoleMayRead(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	other := must(f.CreateRegistry("444455556666", region))
	must(must(other.CreateRepository("shared")).Push(ecremulator.OCIImage("one"), "v1"))
	must(f.CreateRole(readerARN))
	other.Allow(readerARN)

	var session aws.Credentials
	provider := aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(f.sts(), readerARN))
	read := func(change func(*ecr.Options)) error {
		_, err := f.client(change).DescribeImages(t.Context(), &ecr.DescribeImagesInput{
			RegistryId: aws.String("444455556666"), RepositoryName: aws.String("shared"),
		})
		return err
	}
	asRole := func(o *ecr.Options) { o.Credentials = provider }
	wantCode(t, read(as(f.Credentials())), "AccessDeniedException")
	wantCode(t, read(asRole), "")
	wantCode(t, read(asRole), "")
	if n := f.Count("AssumeRole", ""); n != 1 {
		t.Errorf("the role was assumed %d times, want 1", n)
	}
	session = must(provider.Retrieve(t.Context()))
	if !f.ExpireSession(session.AccessKeyID) {
		t.Error("no session to expire")
	}
	wantCode(t, read(asRole), "ExpiredTokenException")
}

func TestGetCallerIdentity(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	out, err := f.sts().GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil {
		t.Fatal(err)
	}
	if *out.Account != account || *out.Arn != "arn:aws:iam::025434362120:user/emulator" {
		t.Errorf("got %s, %s", *out.Account, *out.Arn)
	}
	c := sts.New(sts.Options{
		BaseEndpoint: &f.URL, Region: region, RetryMaxAttempts: 1,
		Credentials: static(ecremulator.Credentials{AccessKeyID: "AKIANONE", SecretAccessKey: "x"}),
	})
	_, err = c.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	wantCode(t, err, "InvalidClientTokenId")
	f.Inject(ecremulator.Fault{Op: "GetCallerIdentity", Kind: ecremulator.Throttle})
	_, err = f.sts().GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	wantCode(t, err, "Throttling")
}

// The environment is what a child process gets, so this test can not be
// parallel to others.
func TestEnvPointsTheDefaultChainHere(t *testing.T) {
	f := newFixture(t)
	for name, value := range f.Env() {
		t.Setenv(name, value)
	}
	read := func(want string) {
		t.Helper()
		cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion(region))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ecr.NewFromConfig(cfg).DescribeImages(t.Context(), &ecr.DescribeImagesInput{
			RegistryId: aws.String(account), RepositoryName: aws.String(repo),
		}); err != nil {
			t.Fatal(err)
		}
		calls := f.Calls()
		if got := calls[len(calls)-1].AccessKeyID[:4]; got != want {
			t.Errorf("signed with %s…, want %s…", got, want)
		}
	}
	read("AKIA")

	// IRSA: a role and a token file in place of keys.
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("a.b.c"), 0o600); err != nil {
		t.Fatal(err)
	}
	must(f.CreateRole("arn:aws:iam::"+account+":role/pod", ecremulator.WithWebIdentity("a.b.c")))
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "",
		"AWS_ROLE_ARN": "arn:aws:iam::" + account + ":role/pod", "AWS_WEB_IDENTITY_TOKEN_FILE": token,
	} {
		t.Setenv(name, value)
	}
	read("ASIA")
}
