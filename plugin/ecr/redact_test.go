package ecr

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
)

const (
	accessKey    = "ASIAQRSTUVWXYZABCDEF"
	secretKey    = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYzzSECRETKE"
	sessionToken = "IQoJb3JpZ2luX2VjEHQaDGFwLW5vcnRoZWFzdC0xIkcwRQIhAK1/x3Q+zX0cJ4N8T5p6u7v8w9y0A1b2C3d4E5f6G7h8AiB9j0K1l2M3n4O5p6Q7r8S9t0U1v2W3x4Y5z6a7b8c9d0=="
)

// leaks lists what of the credentials or of the request's signature is in s.
func leaks(s, authorization string) []string {
	secrets := []string{accessKey, secretKey, sessionToken, url.QueryEscape(sessionToken)}
	if _, signature, ok := strings.Cut(authorization, "Signature="); ok {
		secrets = append(secrets, signature)
	}
	var found []string
	for _, secret := range secrets {
		const part = 12
		for i := 0; i+part <= len(secret); i++ {
			if strings.Contains(s, secret[i:i+part]) {
				found = append(found, secret[i:i+part])
			}
		}
	}
	return found
}

// A registry, a proxy or a debugging endpoint may echo the request, and Argo CD
// shows what generate says.
func TestNothingOfTheCredentialsIsInAnyText(t *testing.T) {
	t.Parallel()
	raw := func(r *http.Request) string {
		var b strings.Builder
		_ = r.Header.Write(&b)
		return r.Method + " / HTTP/1.1\r\n" + b.String()
	}
	canonical := func(r *http.Request) string {
		return "The Canonical String for this request should have been\n'POST\n/\n\nhost:" + r.Host + "\nx-amz-security-token:" +
			r.Header.Get("X-Amz-Security-Token") + "\n\nhost;x-amz-security-token' Authorization=" + r.Header.Get("Authorization")
	}
	for echo, say := range map[string]func(*http.Request) string{
		"the headers":           raw,
		"the canonical request": canonical,
		"the token alone":       func(r *http.Request) string { return r.Header.Get("X-Amz-Security-Token") },
		"the token, cut off":    func(r *http.Request) string { return r.Header.Get("X-Amz-Security-Token")[:40] },
		"the end of the token":  func(r *http.Request) string { return "…" + r.Header.Get("X-Amz-Security-Token")[60:] },
		"the token in a URL": func(r *http.Request) string {
			return "?X-Amz-Security-Token=" + url.QueryEscape(r.Header.Get("X-Amz-Security-Token"))
		},
		"the token in HTML": func(r *http.Request) string { return html.EscapeString(r.Header.Get("X-Amz-Security-Token")) },
		"the token far down the text": func(r *http.Request) string {
			return strings.Repeat("x ", maxRaw/2-30) + r.Header.Get("X-Amz-Security-Token")
		},
		"the authorization alone": func(r *http.Request) string { return r.Header.Get("Authorization") },
		"the secret key":          func(*http.Request) string { return "key " + secretKey + "." },
		"all of it in lines":      func(r *http.Request) string { return strings.ReplaceAll(raw(r)+canonical(r), " ", "\n") },
	} {
		for answer, reply := range map[string]func(w http.ResponseWriter, text string){
			"access denied":        apiError("AccessDeniedException", 400),
			"invalid signature":    apiError("InvalidSignatureException", 403),
			"expired":              apiError("ExpiredTokenException", 400),
			"unknown key":          apiError("UnrecognizedClientException", 400),
			"invalid parameter":    apiError("InvalidParameterException", 400),
			"image not found":      apiError("ImageNotFoundException", 400),
			"repository not found": apiError("RepositoryNotFoundException", 400),
			"throttled":            apiError("ThrottlingException", 400),
			"server error":         apiError("ServerException", 500),
			"a code of its own":    apiError("SomethingNew", 400),
			"in the code": func(w http.ResponseWriter, text string) {
				w.WriteHeader(400)
				_ = json.NewEncoder(w).Encode(map[string]string{"__type": text, "message": "m"})
			},
			"as a failure of one image": func(w http.ResponseWriter, text string) {
				_ = json.NewEncoder(w).Encode(map[string]any{"images": []any{}, "failures": []any{map[string]any{
					"imageId": map[string]string{"imageTag": text}, "failureCode": text, "failureReason": text,
				}}})
			},
			"as an image's tag": func(w http.ResponseWriter, text string) {
				_ = json.NewEncoder(w).Encode(map[string]any{"images": []any{map[string]any{
					"imageId": map[string]string{"imageTag": text, "imageDigest": text}, "imageManifest": text,
				}}})
			},
			"as plain text": func(w http.ResponseWriter, text string) { _, _ = io.WriteString(w, text) },
			"as a page":     func(w http.ResponseWriter, text string) { http.Error(w, text, 403) },
			"as a redirect": func(w http.ResponseWriter, text string) {
				w.Header().Set("Location", "http://"+strings.Map(func(r rune) rune {
					if r <= ' ' || r > '~' {
						return -1
					}
					return r
				}, text))
				w.WriteHeader(307)
			},
			"as the status line": func(w http.ResponseWriter, text string) {
				c, b, err := http.NewResponseController(w).Hijack()
				if err != nil {
					return
				}
				fmt.Fprintf(b, "HTTP/1.1 xxx %s\r\n\r\n", strings.ReplaceAll(text, "\n", " "))
				_ = b.Flush()
				_ = c.Close()
			},
		} {
			t.Run(echo+", "+answer, func(t *testing.T) {
				t.Parallel()
				authorizations := make(chan string, 1<<16)
				s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
					authorizations <- r.Header.Get("Authorization")
					reply(w, say(r))
				}))
				defer s.Close()
				client := connect(t, s.URL, credentials.NewStaticCredentialsProvider(accessKey, secretKey, sessionToken), quick(), Options{})
				var pending atomic.Value
				_, err := client.Find(until(t, func() bool {
					if p := client.Pending(); strings.Contains(p, "last: ") {
						pending.Store(p)
					}
					return len(authorizations) > 5
				}), auth, []string{"t0"})
				if err == nil {
					t.Fatal("no error")
				}
				texts := append(Interrupted(err), err.Error(), fmt.Sprint(pending.Load()))
				for len(authorizations) > 0 {
					a := <-authorizations
					for _, text := range texts {
						if l := leaks(text, a); len(l) > 0 {
							t.Fatalf("%q holds %q", text, l)
						}
						if strings.ContainsAny(text, "\n\r\x1b") {
							t.Errorf("%q is not one line", text)
						}
					}
				}
			})
		}
	}
}

func apiError(code string, status int) func(http.ResponseWriter, string) {
	return func(w http.ResponseWriter, text string) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": code, "message": text})
	}
}

// STS is told the token of a web identity in the body, where the SDK does not
// expect that anyone echoes it.
func TestNothingOfAWebIdentityIsInAnyText(t *testing.T) {
	const token = "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEyMyJ9.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQ6bm92YSJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(400)
		fmt.Fprintf(w, "<ErrorResponse><Error><Code>ValidationError</Code><Message>%s</Message></Error></ErrorResponse>", html.EscapeString(string(body)))
	}))
	t.Cleanup(s.Close)
	isolate(t)
	file := filepath.Join(t.TempDir(), "token")
	must(0, os.WriteFile(file, []byte(token), 0o600))
	t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file)
	t.Setenv("AWS_ROLE_ARN", reader)
	t.Setenv("AWS_REGION", region)
	t.Setenv("AWS_ENDPOINT_URL_STS", s.URL)
	_, err := must(newClient(t.Context(), Options{}, impatient())).DescribeTag(t.Context(), auth, "t0")
	wantError(t, err, ErrCredentials, "ValidationError")
	for part := range strings.SplitSeq(token, ".") {
		if strings.Contains(err.Error(), part) {
			t.Errorf("%q holds %q", err, part)
		}
	}
}

// The SDK puts the output of a credential process into its error.
func TestNothingOfACredentialProcessIsInAnyText(t *testing.T) {
	isolate(t)
	dir := t.TempDir()
	script := filepath.Join(dir, "creds")
	must(0, os.WriteFile(script, []byte("#!/bin/sh\nprintf '{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\""+secretKey+"\",\"SessionToken\":\""+sessionToken+"\"'\n"), 0o700))
	file := filepath.Join(dir, "config")
	must(0, os.WriteFile(file, []byte("[default]\ncredential_process = "+script+"\n"), 0o600))
	t.Setenv("AWS_CONFIG_FILE", file)
	_, err := must(New(t.Context(), Options{})).DescribeTag(t.Context(), auth, "t0")
	wantError(t, err, ErrCredentials, "none could be obtained")
	if l := leaks(err.Error(), ""); len(l) > 0 {
		t.Errorf("%q holds %q", err, l)
	}
}

func TestOrdinaryTextIsLeftAsItIs(t *testing.T) {
	t.Parallel()
	r := &redactor{}
	r.add(accessKey, secretKey, sessionToken)
	for _, s := range []string{
		"ThrottlingException: Rate exceeded",
		"User: arn:aws:sts::025434362120:assumed-role/nova-generate/1234567890 is not authorized to perform: ecr:DescribeImages on resource: arn:aws:ecr:ap-northeast-1:025434362120:repository/nova/auth-service because no identity-based policy allows the ecr:DescribeImages action",
		"The image with imageId {imageDigest:'" + digestOf("a") + "', imageTag:'null'} does not exist within the repository",
		"The security token included in the request is expired",
		"InvalidIdentityToken: No OpenIDConnect provider found in your account for https://oidc.eks.ap-northeast-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF",
		`Post "https://api.ecr.ap-northeast-1.amazonaws.com/": dial tcp 10.0.0.1:443: connect: connection refused`,
	} {
		if got := clean(s, r); got != s {
			t.Errorf("got  %q\nwant %q", got, s)
		}
	}
}

func TestCleanTextIsOneBoundedLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                               "",
		" a\r\n\tb  c ":                  "a b c",
		"\x1b[31mred\x1b[0m":             "[31mred [0m",
		"left\u202eright":                "left right",
		"next\u0085line\u2028separator":  "next line separator",
		"broken \xff\xfe text":           "broken � text",
		"世界":                             "世界",
		strings.Repeat("界", maxDetail+1): strings.Repeat("界", maxDetail) + "…",
	} {
		if got := clean(in, nil); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestTheRedactorForgetsTheOldestOfManySecrets(t *testing.T) {
	t.Parallel()
	r := &redactor{}
	for i := range 2 * maxSecrets {
		r.add(fmt.Sprintf("secret-number-%04d", i))
	}
	if len(r.values) != maxSecrets {
		t.Errorf("remembers %d values", len(r.values))
	}
	if s := r.hidden(fmt.Sprintf("secret-number-%04d", 2*maxSecrets-1)); s != redacted {
		t.Errorf("the newest is shown: %q", s)
	}
}

func FuzzClean(f *testing.F) {
	f.Add("x-amz-security-token: abc", "abcdefghijkl")
	f.Add("\x1b]0;title\a\xff", "")
	f.Add(sessionToken, sessionToken)
	f.Fuzz(func(t *testing.T, text, secret string) {
		r := &redactor{}
		r.add(secret)
		got := clean(text+secret, r)
		if strings.ContainsAny(got, "\n\r\t\x1b\x00") || len([]rune(got)) > maxDetail+1 {
			t.Errorf("not one bounded line: %q", got)
		}
		if len(secret) > 20 && strings.Contains(got, secret) && !strings.Contains(redacted, secret) {
			t.Errorf("%q is in %q", secret, got)
		}
	})
}
