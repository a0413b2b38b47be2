package ecr

import (
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// redactor keeps credentials out of text. What a registry, a proxy or the SDK
// says ends up in Argo CD's user interface, and any of them may echo a request.
// Safe for concurrent use; a nil one knows no values, only what credentials look
// like.
type redactor struct {
	mu     sync.Mutex
	values []string
}

const (
	redacted = "[secret]"
	// fragment is the length from which a part of a secret is hidden, too: a text
	// may quote one in part. Nothing shorter is a secret of AWS, but emulators are
	// used with "test", which stands in many words.
	fragment = 8
	// maxSecrets bounds what is remembered: the credentials of some roles, renewed
	// a few times.
	maxSecrets = 256
	// maxRaw is how much of a text is looked at, far more than is shown.
	maxRaw = 8 << 10
	// maxDetail is how much of a text is shown, in characters.
	maxDetail = 300
)

// newRedactor knows the secrets that the SDK reads from the environment.
func newRedactor() *redactor {
	r := &redactor{}
	for _, name := range []string{"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"} {
		r.add(os.Getenv(name))
	}
	return r
}

// add has values hidden from now on.
func (r *redactor) add(values ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range values {
		for _, v := range []string{v, url.QueryEscape(v)} {
			if len(v) >= fragment && !slices.Contains(r.values, v) {
				r.values = append(r.values, v)
			}
		}
	}
	if over := len(r.values) - maxSecrets; over > 0 {
		r.values = slices.Delete(r.values, 0, over)
	}
}

// looks are forms that credentials have in requests, for those whose values are
// not known: the token of a web identity, or what a credential process printed.
var looks = []struct {
	re   *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`(?i)\b(Credential|Signature)=[^\s,;&"'<>]+`), "$1=" + redacted},
	{regexp.MustCompile(`(?i)\b((?:x-amz-security-|security_?|session_?|webidentity|refresh_?|access_?)token|(?:aws_)?secret_?(?:access_?)?key|password|authorization)(\\?["']?\s*[:=]\s*\\?["']?)(?:(?:Bearer|Basic|AWS4-HMAC-SHA256)\s+)?[^\s"',;&<>\\]{8,}`), "$1$2" + redacted},
	{regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]*)*`), redacted},
}

// hidden replaces all credentials in s.
func (r *redactor) hidden(s string) string {
	for _, l := range looks {
		s = l.re.ReplaceAllString(s, l.with)
	}
	if r == nil {
		return s
	}
	r.mu.Lock()
	values := slices.Clone(r.values)
	r.mu.Unlock()
	hide := make([]bool, len(s))
	for _, v := range values {
		for i := 0; i+fragment <= len(s); i++ {
			if strings.Contains(v, s[i:i+fragment]) {
				for j := i; j < i+fragment; j++ {
					hide[j] = true
				}
			}
		}
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case !hide[i]:
			b.WriteByte(s[i])
		case i == 0 || !hide[i-1]:
			b.WriteString(redacted)
		}
	}
	return b.String()
}

// clean makes text from the other side fit for one line of a terminal or of
// Argo CD's user interface: no credentials, no control characters, bounded.
func clean(s string, hide *redactor) string {
	s = hide.hidden(s[:min(len(s), maxRaw)])
	s = strings.ToValidUTF8(s, "�")
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	if r := []rune(s); len(r) > maxDetail {
		s = string(r[:maxDetail]) + "…"
	}
	return s
}
