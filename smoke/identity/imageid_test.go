package identity

import (
	"strings"
	"testing"
)

const digest = "sha256:9b1c0000000000000000000000000000000000000000000000000000000000aa"

func TestImageIDs(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, id, repository, digest, why string }{
		{"containerd and CRI-O", "123.dkr.ecr.eu-west-1.amazonaws.com/nova/auth@" + digest, "123.dkr.ecr.eu-west-1.amazonaws.com/nova/auth", digest, ""},
		{"the Docker shim", "docker-pullable://nova/auth@" + digest, "nova/auth", digest, ""},
		{"a registry with a port", "localhost:5000/auth@" + digest, "localhost:5000/auth", digest, ""},
		{"with a tag", "nova/auth:v1@" + digest, "nova/auth", digest, ""},
		{"the config of an image", digest, "", "", "config"},
		{"the config by the Docker shim", "docker://" + digest, "", "", "config"},
		{"loaded into the node", "docker.io/library/import-2026-11-22@" + digest, "", "", "imported"},
		{"loaded, short", "import-2026-11-22@" + digest, "", "", "imported"},
		{"a tag only", "nova/auth:v1", "", "", "no digest"},
		{"nothing", "", "", "", "not reported"},
		{"a digest that is cut off", "nova/auth@sha256:9b1c", "", "", "64"},
		{"another algorithm", "nova/auth@sha512:" + strings.Repeat("a", 128), "", "", "sha256"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := ParseImageID(tt.id)
			if got.Name != tt.repository || got.Digest != tt.digest || !strings.Contains(got.Why, tt.why) || (tt.why == "") != (got.Why == "") {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestReferences(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Reference{
		"auth":                             {Name: "auth"},
		"auth:v1":                          {Name: "auth", Tag: "v1"},
		"host:5000/auth":                   {Name: "host:5000/auth"},
		"host:5000/auth:v1@" + digest:      {Name: "host:5000/auth", Tag: "v1", Digest: digest},
		"host.example/a/b@" + digest:       {Name: "host.example/a/b", Digest: digest},
		"":                                 {},
		"docker.io/library/redis:7-alpine": {Name: "docker.io/library/redis", Tag: "7-alpine"},
	} {
		if got := ParseReference(in); got != want {
			t.Errorf("%q: %+v, want %+v", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"redis": "docker.io/library/redis", "a/b": "docker.io/a/b", "host.example/a": "host.example/a", "localhost/a": "localhost/a",
		"index.docker.io/library/a": "docker.io/library/a",
	} {
		if got := Normal(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzParseImageID(f *testing.F) {
	for _, s := range []string{"a@" + digest, "docker://" + digest, "a:1@b@c", "://@:", "import-2026-11-22@" + digest} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := ParseImageID(s)
		if (got.Digest == "") == (got.Why == "") {
			t.Errorf("either a digest or a reason: %+v", got)
		}
		if got.Digest != "" && !strings.Contains(s, got.Digest) {
			t.Errorf("digest %s is not in %q", got.Digest, s)
		}
		ParseReference(s)
		Normal(s)
	})
}
