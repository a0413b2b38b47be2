package command

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/proerror77/nova-staging/plugin/ecr"
)

// Defaults of flags.
const (
	// defaultTimeout leaves Argo CD, which allows 60 s from the request to the
	// answer, time for fetching and sending the repository.
	defaultTimeout = 45 * time.Second
	cacheFolder    = "nova-generate"
)

type flags struct {
	asOf        string
	asOfSet     bool
	revision    string
	root        string
	timeout     time.Duration
	concurrency int
	cacheDir    string
	noCache     bool
	allowRemote bool
	roles       []string
}

func (f *flags) register(s *pflag.FlagSet) {
	s.SortFlags = false
	s.StringVar(&f.asOf, "as-of", "", "the instant, in RFC 3339, such as 2026-11-20T12:00:00Z (default: $PARAM_AS_OF, else now)")
	s.StringVar(&f.revision, "revision", "", "the commit, tag or branch to look for images from (default: $ARGOCD_APP_REVISION, else HEAD)")
	s.StringVar(&f.root, "root", "", "read no file outside this folder (default: the enclosing git repository, else by $ARGOCD_APP_SOURCE_PATH)")
	s.DurationVar(&f.timeout, "timeout", defaultTimeout, "give up after this long, before Argo CD does")
	s.IntVar(&f.concurrency, "concurrency", ecr.DefaultConcurrency, "ECR calls under way at once, at most")
	s.StringArrayVar(&f.roles, "assume-role", nil, "HOST-GLOB=ROLE-ARN[,external-id=ID]: assume this role for these registries; may be repeated, the first match counts")
	s.StringVar(&f.cacheDir, "cache-dir", "", "keep final decisions here (default: the user's cache folder)")
	s.BoolVar(&f.noCache, "no-cache", false, "keep and use no earlier decisions")
	s.BoolVar(&f.allowRemote, "allow-remote", false, "let kustomize fetch remote bases and files")
}

// environment looks up variables in a KEY=value list.
type environment []string

func (e environment) get(key string) (string, bool) {
	value, found := "", false
	for _, kv := range e {
		if v, ok := strings.CutPrefix(kv, key+"="); ok {
			value, found = v, true // the last one counts, as in os/exec
		}
	}
	return value, found
}

// instant gives the as-of of a run, and whether it was given at all.
func (p Program) instant(f flags) (asOf time.Time, given bool, err error) {
	env := environment(p.Env)
	text, from := f.asOf, "--as-of"
	if !f.asOfSet {
		if err := env.checkParameter(); err != nil {
			return time.Time{}, false, err
		}
		var ok bool
		if text, ok = env.get("PARAM_AS_OF"); !ok {
			return p.Now(), false, nil
		}
		from = "the parameter as-of"
	}
	const want = "want an instant in RFC 3339, such as 2026-11-20T12:00:00Z"
	if strings.TrimSpace(text) == "" {
		return time.Time{}, false, usage("%s is empty: %s, or leave it away to resolve as of now", from, want)
	}
	asOf, err = time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, false, usage("%s is %q: %s", from, text, want)
	}
	return asOf.UTC(), true, nil
}

// checkParameter refuses an as-of that Argo CD's variables do not show for what it
// is: one that is no string must not pass for an absent one, which means now, and
// of two nobody knows which counts.
func (e environment) checkParameter() error {
	const (
		want = "make it a string such as 2026-11-20T12:00:00Z"
		list = "the parameter as-of is a list or a map: " + want
	)
	var all []struct {
		Name   string
		String *string
		Array  *json.RawMessage
		Map    *json.RawMessage
	}
	text, ok := e.get("ARGOCD_APP_PARAMETERS")
	if !ok || json.Unmarshal([]byte(text), &all) != nil {
		if _, ok := e.get("PARAM_AS_OF"); !ok && slices.ContainsFunc(e, func(kv string) bool { return strings.HasPrefix(kv, "PARAM_AS_OF_") }) {
			return usage(list)
		}
		return nil
	}
	times := 0
	for _, p := range all {
		if variableOf(p.Name) != "PARAM_AS_OF" {
			continue
		}
		times++
		switch {
		case p.Array != nil || p.Map != nil:
			return usage(list)
		case p.String == nil:
			return usage("the parameter as-of has no string: %s", want)
		}
	}
	if times > 1 {
		return usage("the parameter as-of is given %d times: keep one", times)
	}
	return nil
}

// variableOf is the name that Argo CD gives a parameter's variable.
func variableOf(parameter string) string {
	return "PARAM_" + strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToUpper(parameter))
}

func (p Program) revision(f flags) string {
	if f.revision != "" {
		return f.revision
	}
	revision, _ := environment(p.Env).get("ARGOCD_APP_REVISION")
	return revision
}

// rootOf finds what to confine the build to when .git was not sent along: Argo
// CD runs the plugin in the application's folder and names its path.
func (p Program) rootOf(f flags, dir string, inRepository bool) (string, error) {
	if f.root != "" {
		if info, err := os.Stat(f.root); err != nil || !info.IsDir() {
			return "", usage("--root %s is not a folder", f.root)
		}
		return f.root, nil
	}
	if inRepository {
		return "", nil
	}
	path, ok := environment(p.Env).get("ARGOCD_APP_SOURCE_PATH")
	if !ok {
		return "", nil
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		abs = real
	}
	path = filepath.Clean("/" + path)
	if path == "/" {
		return abs, nil
	}
	if root, ok := strings.CutSuffix(abs, path); ok && root != "" {
		return root, nil
	}
	return abs, nil
}
