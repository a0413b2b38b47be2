// Package redact takes secrets out of text that comes from elsewhere: logs,
// error pages, messages of the kubelet. It knows shapes of secrets, not the
// secrets; what it takes for one is replaced, never shortened.
package redact

import (
	"regexp"
	"strings"
	"unicode"
)

// Mark stands where something was taken out.
const Mark = "[redacted]"

var (
	// name=value, name: value, "name": "value" where the name sounds secret.
	pairRE = regexp.MustCompile(`(?i)(` +
		`[a-z0-9_.\-]*(?:passw(?:or)?d|passwd|pwd|passphrase|secret|token|api[_-]?key|apikey|access[_-]?key|account[_-]?key|private[_-]?key|signing[_-]?key|encryption[_-]?key|credential|authorization|cookie|session[_-]?id|dsn|_key)[a-z0-9_.\-]*` +
		`|\b(?:[a-z0-9_.\-]*[_.\-])?(?:pass|sig)|[a-z0-9_.\-]*[_.\-]signature|[a-z0-9_.\-]*(?-i:[a-z0-9]Pass))` +
		`(["']?\s*(?:=>|[=:])\s*)((?:bearer|basic)\s+)?(\[redacted\]|"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[^\s,;&}\]]+)`)
	// A header's value goes to the end of its line, or of the text that quotes it.
	headerRE = regexp.MustCompile(`(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)(\s*:\s*)[^\s"'\[{][^"'\r\n]*`)
	// --password value
	flagRE = regexp.MustCompile(`(?i)(--[a-z0-9\-]*(?:password|passwd|passphrase|secret|token|key)\s+)[^\s\-]\S*`)
	// scheme://user:password@host; a password may hold / and @ although it should not.
	userinfoRE = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.\-]*://)([^\s/@"']*):([^\s"'<>]+)@`)
	portRE     = regexp.MustCompile(`^\d{1,5}[/?]`)
	bearerRE   = regexp.MustCompile(`(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=_.\-~]{8,}`)
	jwtRE      = regexp.MustCompile(`\beyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{4,}(?:\.[A-Za-z0-9_\-]*)?`)
	awsRE      = regexp.MustCompile(`\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}\b`)
	webhookRE  = regexp.MustCompile(`(hooks\.slack\.com/(?:services|workflows|triggers)/)[^\s"'<>]+`)
	vendorRE   = regexp.MustCompile(`\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|xox[abprs]-[A-Za-z0-9\-]{10,}|sk_(?:live|test)_[A-Za-z0-9]{10,}|sk-[A-Za-z0-9\-_]{20,}|AIza[A-Za-z0-9_\-]{20,}|glpat-[A-Za-z0-9_\-]{16,})`)
	pemRE      = regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]*(?:PRIVATE KEY|CERTIFICATE)-----.*?(?:-----END [A-Z0-9 ]*-----|$)`)
)

// Text redacts a text of several lines.
func Text(s string) string {
	s = pemRE.ReplaceAllString(s, Mark)
	s = userinfoRE.ReplaceAllStringFunc(s, func(url string) string {
		part := userinfoRE.FindStringSubmatch(url)
		if portRE.MatchString(part[3]) {
			return url // host:port/path, with an @ further on
		}
		return part[1] + Mark + "@"
	})
	s = headerRE.ReplaceAllString(s, "${1}${2}"+Mark)
	s = bearerRE.ReplaceAllString(s, "${1} "+Mark)
	s = pairRE.ReplaceAllString(s, "${1}${2}"+Mark)
	s = flagRE.ReplaceAllString(s, "${1}"+Mark)
	s = webhookRE.ReplaceAllString(s, "${1}"+Mark)
	s = jwtRE.ReplaceAllString(s, Mark)
	s = awsRE.ReplaceAllString(s, Mark)
	return vendorRE.ReplaceAllString(s, Mark)
}

// Line redacts one line and makes it one: control characters, with which a log
// could move a terminal's cursor, become spaces.
func Line(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == unicode.ReplacementChar || unicode.Is(unicode.Cf, r) {
			return ' '
		}
		return r
	}, Text(strings.ToValidUTF8(s, " "))))
}

// Scanner redacts line by line and remembers that a private key has begun. The
// zero value is ready.
type Scanner struct{ inKey bool }

// Line redacts the next line.
func (s *Scanner) Line(line string) string {
	if s.inKey {
		if strings.Contains(line, "-----END ") {
			s.inKey = false
		}
		return Mark
	}
	if i := strings.Index(line, "-----BEGIN "); i >= 0 && strings.Contains(line[i:], "PRIVATE KEY") && !strings.Contains(line, "-----END ") {
		s.inKey = true
	}
	return Line(line)
}
