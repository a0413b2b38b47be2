package ecremulator

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	amzTime    = "20060102T150405Z"
	allowSkew  = 5 * time.Minute
	maxHeaders = 64
)

// signature is a parsed Authorization header.
type signature struct {
	key, date, region, service string
	headers                    []string
	value                      string
}

func parseAuthorization(header string) (signature, bool) {
	rest, ok := strings.CutPrefix(header, algorithm+" ")
	if !ok {
		return signature{}, false
	}
	var s signature
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "Credential":
			scope := strings.Split(value, "/")
			if len(scope) != 5 || scope[4] != "aws4_request" {
				return signature{}, false
			}
			s.key, s.date, s.region, s.service = scope[0], scope[1], scope[2], scope[3]
		case "SignedHeaders":
			s.headers = strings.Split(value, ";")
		case "Signature":
			s.value = value
		}
	}
	return s, s.key != "" && s.value != "" && len(s.headers) > 0 && len(s.headers) <= maxHeaders
}

// authenticate finds who signed the request and whether the signature holds,
// in the order in which AWS refuses: form, key, token, scope, time, signature.
func (e *Emulator) authenticate(r *request, service string) *apiError {
	header := r.http.Header.Get("Authorization")
	if header == "" {
		return clientError("MissingAuthenticationTokenException", "Missing Authentication Token")
	}
	s, ok := parseAuthorization(header)
	if !ok {
		return clientError("IncompleteSignatureException",
			"Authorization header requires 'Credential', 'Signature' and 'SignedHeaders' parameters.")
	}
	r.call.AccessKeyID, r.call.Region, r.region = s.key, s.region, s.region

	e.mu.RLock()
	c := e.keys[s.key]
	e.mu.RUnlock()
	if c == nil || c.SessionToken != r.http.Header.Get("X-Amz-Security-Token") {
		return errUnknownKey()
	}
	if !c.Expires.IsZero() && !e.serviceTime().Before(c.Expires) {
		return errExpiredToken()
	}
	if s.service != service {
		return clientError("InvalidSignatureException",
			"Credential should be scoped to correct service: '%s'. ", service)
	}
	if e.region != "" && s.region != e.region && service == "ecr" {
		return clientError("InvalidSignatureException",
			"Credential should be scoped to a valid region. ")
	}
	if err := e.checkTime(r.http, s); err != nil {
		return err
	}
	if !slices.Contains(s.headers, "host") || !hmac.Equal([]byte(sign(r, s, c.SecretAccessKey)), []byte(s.value)) {
		return clientError("InvalidSignatureException",
			"The request signature we calculated does not match the signature you provided. "+
				"Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	}
	r.caller = c
	if r.call.Account == "" && service == "ecr" {
		r.call.Account = e.accountOf(c)
	}
	return nil
}

func (e *Emulator) checkTime(r *http.Request, s signature) *apiError {
	signed, err := time.Parse(amzTime, r.Header.Get("X-Amz-Date"))
	if err != nil || !strings.HasPrefix(r.Header.Get("X-Amz-Date"), s.date) {
		return clientError("InvalidSignatureException", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP")
	}
	now := e.serviceTime()
	if signed.Before(now.Add(-allowSkew)) {
		return errSignatureExpired(signed, now)
	}
	if late := now.Add(allowSkew); signed.After(late) {
		return clientError("InvalidSignatureException", "Signature not yet current: %s is still later than %s (%s + 5 min.)",
			signed.Format(amzTime), late.Format(amzTime), now.Format(amzTime))
	}
	return nil
}

func errUnknownKey() *apiError {
	return clientError("UnrecognizedClientException", "The security token included in the request is invalid.")
}

func errExpiredToken() *apiError {
	return clientError("ExpiredTokenException", "The security token included in the request is expired")
}

func errSignatureExpired(signed, now time.Time) *apiError {
	return clientError("InvalidSignatureException", "Signature expired: %s is now earlier than %s (%s - 5 min.)",
		signed.Format(amzTime), now.Add(-allowSkew).Format(amzTime), now.Format(amzTime))
}

// sign computes the signature that the request should carry. It is written out
// here, and not left to the SDK's signer, because that one chooses itself
// which headers to sign.
func sign(r *request, s signature, secret string) string {
	body := sha256.Sum256(r.body)
	canonical := strings.Join([]string{
		r.http.Method,
		canonicalPath(r.http.URL),
		canonicalQuery(r.http.URL.Query()),
		canonicalHeaders(r.http, s.headers),
		strings.Join(s.headers, ";"),
		hex.EncodeToString(body[:]),
	}, "\n")
	hashed := sha256.Sum256([]byte(canonical))
	scope := strings.Join([]string{s.date, s.region, s.service, "aws4_request"}, "/")
	text := strings.Join([]string{algorithm, r.http.Header.Get("X-Amz-Date"), scope, hex.EncodeToString(hashed[:])}, "\n")

	key := []byte("AWS4" + secret)
	for _, part := range []string{s.date, s.region, s.service, "aws4_request"} {
		key = mac(key, part)
	}
	return hex.EncodeToString(mac(key, text))
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func canonicalPath(u *url.URL) string {
	if p := u.EscapedPath(); p != "" {
		return p
	}
	return "/"
}

func canonicalQuery(q url.Values) string {
	for _, values := range q {
		sort.Strings(values)
	}
	return strings.ReplaceAll(q.Encode(), "+", "%20")
}

func canonicalHeaders(r *http.Request, names []string) string {
	var b strings.Builder
	for _, name := range names {
		b.WriteString(name)
		b.WriteByte(':')
		switch name {
		case "host":
			b.WriteString(r.Host) // net/http moves it out of the headers
		case "content-length":
			b.WriteString(strconv.FormatInt(r.ContentLength, 10))
		default:
			for i, v := range r.Header.Values(name) {
				if i > 0 {
					b.WriteByte(',')
				}
				b.WriteString(strings.Join(strings.Fields(v), " "))
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}
