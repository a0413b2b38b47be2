package ecremulator_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"

	"github.com/proerror77/nova-staging/internal/ecremulator"
)

func TestNamesThatECRWouldRefuse(t *testing.T) {
	t.Parallel()
	e := ecremulator.New()
	reg := must(e.CreateRegistry(account, region))
	app := must(reg.CreateRepository("app"))
	image := ecremulator.OCIImage("one")
	digest := must(app.Push(image, "v1"))
	tests := []struct {
		name string
		do   func() error
		want error
	}{
		{"an account of eleven digits", func() error { _, err := e.CreateRegistry("12345678901", region); return err }, ecremulator.ErrInvalidName},
		{"a region without a number", func() error { _, err := e.CreateRegistry(account, "tokyo"); return err }, ecremulator.ErrInvalidName},
		{"a registry twice", func() error { _, err := e.CreateRegistry(account, region); return err }, ecremulator.ErrExists},
		{"a repository in capitals", func() error { _, err := reg.CreateRepository("App"); return err }, ecremulator.ErrInvalidName},
		{"a repository of one letter", func() error { _, err := reg.CreateRepository("a"); return err }, ecremulator.ErrInvalidName},
		{"a repository twice", func() error { _, err := reg.CreateRepository("app"); return err }, ecremulator.ErrExists},
		{"a role that is no ARN", func() error { _, err := e.CreateRole("reader"); return err }, ecremulator.ErrInvalidName},
		{"a user without a name", func() error { _, err := e.CreateUser(account, ""); return err }, ecremulator.ErrInvalidName},
		{"a tag with a slash", func() error { _, err := app.Push(image, "a/b"); return err }, ecremulator.ErrInvalidName},
		{"a tag that begins with a dot", func() error { return app.Tag(digest, ".x") }, ecremulator.ErrInvalidName},
		{"a manifest of version 1", func() error {
			_, err := app.Push(ecremulator.ManifestContent([]byte(`{"schemaVersion":1}`), ""))
			return err
		}, ecremulator.ErrInvalidManifest},
		{"an unknown digest to tag", func() error { return app.Tag("sha256:0", "x") }, ecremulator.ErrNotFound},
		{"an unknown digest to delete", func() error { return app.Delete("sha256:0") }, ecremulator.ErrNotFound},
		{"an unknown tag to read", func() error { _, err := app.Image("x"); return err }, ecremulator.ErrNotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := tt.do(); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestTagsMoveUnlessTheyAreImmutable(t *testing.T) {
	t.Parallel()
	e := ecremulator.New()
	reg := must(e.CreateRegistry(account, region))
	for name, want := range map[string]error{"mutable": nil, "immutable": ecremulator.ErrTagImmutable} {
		var opts []ecremulator.RepositoryOption
		if want != nil {
			opts = append(opts, ecremulator.WithImmutableTags("dev-*"))
		}
		r := must(reg.CreateRepository(name, opts...))
		one := must(r.Push(ecremulator.OCIImage("one"), "v1", "dev-latest"))
		two := must(r.Push(ecremulator.OCIImage("two"), "dev-latest"))
		if err := r.Tag(two, "v1"); !errors.Is(err, want) {
			t.Errorf("%s: moving v1 gave %v, want %v", name, err, want)
		}
		if err := r.Tag(one, "dev-latest"); err != nil {
			t.Errorf("%s: moving dev-latest gave %v", name, err)
		}
	}
	r := reg.Repository("mutable")
	two := must(r.Image("v1"))
	if diff := cmp.Diff([]string{"v1"}, two.Tags); diff != "" {
		t.Errorf("tags of the second image differ (-want +got):\n%s", diff)
	}
	if !reg.DeleteRepository("mutable") || reg.DeleteRepository("mutable") || reg.Repository("mutable") != nil {
		t.Error("the repository is not deleted exactly once")
	}
}

func TestHostsOfEachPartition(t *testing.T) {
	t.Parallel()
	e := ecremulator.New()
	for region, want := range map[string]string{
		"ap-northeast-1": "025434362120.dkr.ecr.ap-northeast-1.amazonaws.com/app",
		"cn-north-1":     "025434362120.dkr.ecr.cn-north-1.amazonaws.com.cn/app",
		"us-gov-west-1":  "025434362120.dkr.ecr.us-gov-west-1.amazonaws.com/app",
	} {
		r := must(must(e.CreateRegistry(account, region)).CreateRepository("app"))
		if got := r.URI(); got != want {
			t.Errorf("URI in %s is %s, want %s", region, got, want)
		}
		if r.Name() != "app" || r.Registry().Account() != account || r.Registry().Region() != region {
			t.Errorf("%s is %s of %s in %s", want, r.Name(), r.Registry().Account(), r.Registry().Region())
		}
	}
}

func TestOptionsOfImagesReachTheirConfig(t *testing.T) {
	t.Parallel()
	f := newFixture(t, ecremulator.WithLatency(0))
	const revision = "org.opencontainers.image.revision"
	c := ecremulator.OCIImage("one",
		ecremulator.WithLabels(map[string]string{revision: "0b7d2f1"}),
		ecremulator.WithAnnotations(map[string]string{revision: "5c81e09"}),
		ecremulator.WithCreated(time.Unix(1e9, 0).UTC()))
	must(f.repository.Push(c))
	if !strings.Contains(string(c.Manifest()), "5c81e09") {
		t.Errorf("annotation is not in %s", c.Manifest())
	}
}

func TestSessionsMayLastAsLongAsTheRoleAllows(t *testing.T) {
	t.Parallel()
	f := newFixture(t, ecremulator.WithAccount("111122223333"))
	role := must(f.CreateRole(readerARN, ecremulator.WithMaxSession(2*time.Hour)))
	assume := func(c *sts.Client) (*sts.AssumeRoleOutput, error) {
		return c.AssumeRole(t.Context(), &sts.AssumeRoleInput{
			RoleArn: aws.String(role.ARN()), RoleSessionName: aws.String("long"), DurationSeconds: aws.Int32(7200),
		})
	}
	out, err := assume(f.sts())
	if err != nil {
		t.Fatal(err)
	}
	chained := sts.New(sts.Options{
		BaseEndpoint: &f.URL, Region: region, RetryMaxAttempts: 1,
		Credentials: static(ecremulator.Credentials{
			AccessKeyID: *out.Credentials.AccessKeyId, SecretAccessKey: *out.Credentials.SecretAccessKey, SessionToken: *out.Credentials.SessionToken,
		}),
	})
	who, err := chained.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil || *who.Arn != "arn:aws:sts::111122223333:assumed-role/reader/long" || !strings.HasSuffix(*who.UserId, ":long") {
		t.Errorf("caller is %+v, %v", who, err)
	}
	_, err = assume(chained)
	wantCode(t, err, "ValidationError")
	f.DeleteRole(role.ARN())
	_, err = assume(f.sts())
	wantCode(t, err, "AccessDenied")
}

// As the pattern of RepositoryName in ECR's model has it.
func TestNamesThatECRTakes(t *testing.T) {
	t.Parallel()
	reg := must(ecremulator.New().CreateRegistry(account, region))
	for _, name := range []string{"ab", "nova/auth-service", "nova/auth--service", "nova/auth__service", "n.o_v-a/0"} {
		if _, err := reg.CreateRepository(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"nova/auth___service", "nova/auth..service", "nova//auth", "nova/auth-", "nova/a._b"} {
		if _, err := reg.CreateRepository(name); !errors.Is(err, ecremulator.ErrInvalidName) {
			t.Errorf("%q: %v, want that it is invalid", name, err)
		}
	}
}
