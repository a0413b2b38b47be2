package push_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/trigger/push"
)

// sample is AWS's own example.
const sample = `{"version":"0","id":"13cde686-328b-6117-af20-0e5566167482","detail-type":"ECR Image Action","source":"aws.ecr","account":"123456789012",
"time":"2019-11-16T01:54:34Z","region":"us-west-2","resources":[],"detail":{"result":"SUCCESS","repository-name":"my-repository-name",
"image-digest":"sha256:7f5b2640fe6fb4f46592dfd3410c4a79dac4f89e4782432e0378abcd12345678","action-type":"PUSH","image-tag":"latest"}}`

func TestParseEvent(t *testing.T) {
	t.Parallel()
	p, err := push.ParseEvent([]byte(sample))
	want := push.Push{
		ID: "13cde686-328b-6117-af20-0e5566167482/cSbFju4nIlgdGYMK.HUDOujFe@1573869274", Repository: push.Repository{Account: "123456789012", Region: "us-west-2", Name: "my-repository-name"},
		Tag: "latest", Digest: "sha256:7f5b2640fe6fb4f46592dfd3410c4a79dac4f89e4782432e0378abcd12345678", Time: time.Date(2019, 11, 16, 1, 54, 34, 0, time.UTC),
	}
	if err != nil || p != want {
		t.Fatalf("%+v, %v", p, err)
	}
	for _, tt := range []struct {
		name, old, new string
		reason         push.Reason
	}{
		{"a deletion", "PUSH", "DELETE", push.Deleted},
		{"a failure", "SUCCESS", "FAILURE", push.Unsettled},
		{"a scan", "ECR Image Action", "ECR Image Scan", push.Foreign},
		{"another service", "aws.ecr", "aws.s3", push.Foreign},
		{"no tag", `,"image-tag":"latest"`, "", push.Untagged},
		{"an empty tag", `"image-tag":"latest"`, `"image-tag":"","manifest-media-type":"application/vnd.oci.image.manifest.v1+json"`, push.Untagged},
		{"an image that is archived", "PUSH", "ARCHIVE", push.Foreign},
		{"a referrer", "ECR Image Action", "ECR Referrer Action", push.Foreign},
		{"a signature", "latest", "sha256-" + strings.Repeat("a", 64) + ".sig", push.Artifact},
		{"no JSON", "{", "[", push.Malformed},
		{"a time that is none", "2019-11-16T01:54:34Z", "now", push.Malformed},
		{"an account that is none", "123456789012", "12", push.Malformed},
		{"a region that is none", "us-west-2", "../x", push.Malformed},
		{"a repository that is none", "my-repository-name", "../../x", push.Malformed},
		{"a digest that is none", "sha256:7f", "md5:7f", push.Malformed},
		{"no ID", "13cde686-328b-6117-af20-0e5566167482", "", push.Malformed},
	} {
		_, err := push.ParseEvent([]byte(strings.Replace(sample, tt.old, tt.new, 1)))
		var not *push.NotPush
		if !errors.As(err, &not) || not.Reason != tt.reason {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.reason)
		}
	}
}

func TestRepositoryOf(t *testing.T) {
	t.Parallel()
	want := push.Repository{Account: "025434362120", Region: "ap-northeast-1", Name: "nova/auth"}
	for _, image := range []string{
		"025434362120.dkr.ecr.ap-northeast-1.amazonaws.com/nova/auth",
		"025434362120.dkr.ecr.ap-northeast-1.amazonaws.com/nova/auth:v1@sha256:1",
		"025434362120.dkr.ecr-fips.ap-northeast-1.amazonaws.com/nova/auth:v1",
		"025434362120.dkr-ecr.ap-northeast-1.on.aws/nova/auth@sha256:1",
	} {
		if r, ok := push.RepositoryOf(image); !ok || r != want {
			t.Errorf("%s: %+v, %t", image, r, ok)
		}
	}
	for _, image := range []string{"", "redis:7", "localhost:5000/x", "public.ecr.aws/x/y", "@", ":"} {
		if r, ok := push.RepositoryOf(image); ok {
			t.Errorf("%s is taken for %+v", image, r)
		}
	}
}

func FuzzParseEvent(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(`{"source":"aws.ecr","detail-type":"ECR Image Action","detail":3}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := push.ParseEvent(data)
		var not *push.NotPush
		if err != nil && !errors.As(err, &not) {
			t.Fatalf("an error without a reason: %v", err)
		}
		if err == nil && (p.ID == "" || p.Tag == "" || p.Repository.Name == "" || len(p.Repository.Account) != 12 || p.Time.IsZero()) {
			t.Fatalf("a push without its parts: %+v", p)
		}
	})
}
