package build

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"runtime"
	"strings"
)

var (
	schemeRE = regexp.MustCompile(`(?i)^(git::)?(https?|ssh|file)://`)
	userRE   = regexp.MustCompile(`(?i)^(git::)?[a-z][a-z0-9-]*@(.*)$`)
	githubRE = regexp.MustCompile(`(?i)^(git::)?github\.com[/:]`)
	// credentialRE is the user and password of a URL, in whatever text it stands.
	credentialRE = regexp.MustCompile(`://[^/\s'"@]*@`)
)

// remoteRepository says whether kustomize would clone what a path names. It errs
// on the side of yes: file:// would clone any repository on this machine.
func remoteRepository(path string) bool {
	if schemeRE.MatchString(path) || githubRE.MatchString(path) {
		return true
	}
	path, _, _ = strings.Cut(path, "?")
	path = strings.ReplaceAll(path, "\n", " ") // or . would not match it
	m := userRE.FindStringSubmatch(path)
	if m == nil {
		return false
	}
	// user@host:path, where a path has at least two segments or ends in .git.
	i := strings.IndexAny(m[2], ":/")
	return i >= 0 && (strings.Contains(m[2][i+1:], "/") || strings.Contains(m[2][i+1:], ".git"))
}

// remoteFile says whether kustomize would fetch a path over HTTP.
func remoteFile(path string) bool {
	u, err := url.Parse(path)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https")
}

// shown quotes a path for a message, without credentials.
func shown(path string) string {
	path = withoutCredentials(path)
	if before, _, found := strings.Cut(path, "?"); found {
		path = before + "?…"
	}
	const most = 200
	if r := []rune(path); len(r) > most {
		path = string(r[:most]) + "…"
	}
	return fmt.Sprintf("%q", path)
}

func withoutCredentials(text string) string {
	return credentialRE.ReplaceAllString(text, "://…@")
}

// fence stands in the place of the transport that kustomize fetches with, and is
// the second one behind the check of each kustomization file: generators and
// transformers may compute the paths that they load.
type fence struct {
	guard *guarded
	next  http.RoundTripper
}

func (f *fence) RoundTrip(r *http.Request) (*http.Response, error) {
	if !calledBy("sigs.k8s.io/kustomize/api/") {
		return f.next.RoundTrip(r) // of someone else in this process
	}
	if !f.guard.allowRemote {
		return nil, f.guard.refuse(fmt.Errorf("%w: the kustomization in %s fetches %s, and nothing is fetched: copy it into the repository, or allow it with --allow-remote",
			ErrRemote, f.guard.place.name(), shown(r.URL.String())))
	}
	resp, err := f.next.RoundTrip(r)
	if err != nil || resp.StatusCode < 200 || resp.StatusCode > 299 {
		return resp, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", shown(r.URL.String()), err)
	}
	if len(data) > maxFile {
		return nil, f.guard.refuse(fmt.Errorf("%w: %s is more than the %d bytes that are read", ErrTooLarge, shown(r.URL.String()), maxFile))
	}
	if err := f.guard.check(shown(r.URL.String()), fetched, data); err != nil {
		return nil, f.guard.refuse(err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(data))
	return resp, nil
}

// install puts the fence up. The returned function takes it down.
func (f *fence) install() (remove func()) {
	f.next = http.DefaultTransport
	http.DefaultTransport = f
	return func() { http.DefaultTransport = f.next }
}

// calledBy says whether a function whose name has this prefix is among the
// callers of the caller.
func calledBy(prefix string) bool {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	for {
		frame, more := frames.Next()
		if strings.HasPrefix(frame.Function, prefix) {
			return true
		}
		if !more {
			return false
		}
	}
}
