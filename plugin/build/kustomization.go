package build

import (
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"
)

// kustomization checks a kustomization file before kustomize acts on it, and
// notes its configurations.
func (g *guarded) kustomization(path string, data []byte) error {
	var k types.Kustomization
	if err := yaml.Unmarshal(data, &k); err != nil {
		return nil // kustomize says what is wrong, with its own rules
	}
	dir := filepath.Dir(path)
	for _, c := range k.Configurations {
		if abs, err := filepath.Abs(filepath.Join(dir, c)); err == nil {
			g.configs[abs] = true
		}
	}
	if g.allowRemote {
		return nil
	}
	fields := []struct {
		name  string
		paths []string
	}{
		{"resources", k.Resources},
		{"bases", k.Bases}, //nolint:staticcheck // deprecated and still read
		{"components", k.Components},
		{"configurations", k.Configurations},
		{"crds", k.Crds},
		{"generators", k.Generators},
		{"transformers", k.Transformers},
		{"validators", k.Validators},
		{"openapi", []string{k.OpenAPI["path"]}},
	}
	for _, f := range fields {
		for _, p := range f.paths {
			if remote(p) {
				return fmt.Errorf("%w: %s lists %q under %s, and nothing is fetched: copy it into the repository, or allow it with --allow-remote", ErrRemote, g.rel(path), cut(p), f.name)
			}
		}
	}
	for _, p := range k.Patches {
		if remote(p.Path) {
			return fmt.Errorf("%w: %s names the patch %q, and nothing is fetched: copy it into the repository, or allow it with --allow-remote", ErrRemote, g.rel(path), cut(p.Path))
		}
	}
	return nil
}

var (
	schemeRE = regexp.MustCompile(`(?i)^(git::)?(https?|ssh|file|git)://`)
	scpRE    = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9-]*@`)
	githubRE = regexp.MustCompile(`(?i)^(git::)?github\.com[/:]`)
)

// remote says whether kustomize would take a path for something to fetch: a
// superset of what its git and HTTP loaders accept, of which file:// would
// clone any repository on this machine.
func remote(path string) bool {
	if strings.Contains(path, "\n") {
		return false // an inline generator or transformer
	}
	if schemeRE.MatchString(path) || scpRE.MatchString(path) || githubRE.MatchString(path) || strings.HasPrefix(strings.ToLower(path), "git::") {
		return true
	}
	u, err := url.Parse(path)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https")
}

func cut(s string) string {
	if u, err := url.Parse(s); err == nil && u.User != nil {
		s = u.Redacted()
	}
	if len(s) > 200 {
		s = s[:200] + "…"
	}
	return s
}

// imageFieldsOf reads the images section of a configurations: file.
func imageFieldsOf(data []byte) types.FsSlice {
	var c struct {
		Images types.FsSlice `json:"images"`
	}
	if err := yaml.Unmarshal(data, &c); err != nil {
		return nil // kustomize says what is wrong
	}
	return c.Images
}
