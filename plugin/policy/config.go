package policy

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"go.yaml.in/yaml/v3"

	"github.com/proerror77/nova-staging/internal/strictyaml"
)

const (
	// FileName of the configuration, next to the kustomization.
	FileName = "images.yaml"
	// APIVersion of the configuration.
	APIVersion = "staging.nova/v1alpha1"
	// Kind of the configuration.
	Kind = "ImagePolicy"
	// DefaultDepth is how many commits the commit policy looks at.
	DefaultDepth = 200
	// MaxDepth bounds the commit policy: each 100 commits cost an ECR call.
	MaxDepth = 10000
	// DefaultTag is the commit policy's tag template.
	DefaultTag = "{sha}"
)

// ErrMissing is returned by [Load] when there is no images.yaml.
var ErrMissing = errors.New("no " + FileName)

// Config is the content of images.yaml.
type Config struct {
	// APIVersion is "staging.nova/v1alpha1". Required.
	APIVersion string `yaml:"apiVersion"`
	// Kind is "ImagePolicy". Required.
	Kind string `yaml:"kind"`
	// Images are tried in order; the first whose match fits an image decides.
	// Required.
	Images []Entry `yaml:"images"`
	// Release adds a ConfigMap with the resolved set. Optional.
	Release *Release `yaml:"release"`
}

// Release names the ConfigMap that records the resolved set.
type Release struct {
	// ConfigMap is its name. Required.
	ConfigMap string `yaml:"configMap"`
	// Namespace of the ConfigMap. Optional, default: that of the objects whose
	// images were resolved.
	Namespace string `yaml:"namespace"`
}

// Entry is the policy for the images that it matches.
type Entry struct {
	// Match is a glob over the image's name without tag: * stays within one path
	// segment, ** does not. Required.
	Match string `yaml:"match"`
	// Commit, Newest, SemVer and Tag are the policies. Exactly one is required.
	Commit *Commit `yaml:"commit"`
	Newest *Newest `yaml:"newest"`
	SemVer *SemVer `yaml:"semver"`
	Tag    *Tag    `yaml:"tag"`
	// Together makes all images matched here come from one commit. Optional, for
	// the commit policy only.
	Together bool `yaml:"together"`
	// Scan refuses the chosen image by what ECR's scan found in it. Optional,
	// default: scans are not looked at.
	Scan *Scan `yaml:"scan"`

	line int
}

// Commit chooses the newest commit reachable from the revision that has an image.
type Commit struct {
	// Depth is how many commits of the first-parent line are looked at, and as
	// many again on the other sides of its merges. Optional, default 200.
	Depth int `yaml:"depth"`
	// Tag is the image's tag: {sha} stands for the commit's SHA, {sha:N} for its
	// first N digits. Optional, default "{sha}".
	Tag string `yaml:"tag"`
}

// Newest chooses the image that was pushed last.
type Newest struct {
	// Tags is a regular expression (RE2) that a tag must match. Required.
	Tags string `yaml:"tags"`

	re *regexp.Regexp
}

// Tag follows a mutable tag.
type Tag struct {
	// Name of the tag. Required.
	Name string `yaml:"name"`
}

// Name is the entry's policy key.
func (e *Entry) Name() string {
	switch {
	case e.Commit != nil:
		return "commit"
	case e.Newest != nil:
		return "newest"
	case e.SemVer != nil:
		return "semver"
	default:
		return "tag"
	}
}

// Line of the entry in its file.
func (e *Entry) Line() int { return e.line }

// Matches says whether the entry is for an image of this name.
func (e *Entry) Matches(name string) bool {
	ok, _ := doublestar.Match(e.Match, name) // validated by Parse
	return ok
}

// For gives the entry that decides on an image, nil when none does.
func (c *Config) For(name string) *Entry {
	for i := range c.Images {
		if c.Images[i].Matches(name) {
			return &c.Images[i]
		}
	}
	return nil
}

// NeedsHistory is true when an entry uses the commit policy.
func (c *Config) NeedsHistory() bool {
	for i := range c.Images {
		if c.Images[i].Commit != nil {
			return true
		}
	}
	return false
}

// Load reads images.yaml from a kustomization's folder. It follows a symlink
// within root only, or within the folder where root is "": whoever writes to the
// repository sees the errors, and they quote what they are about.
func Load(dir, root string) (*Config, error) {
	file := filepath.Join(dir, FileName)
	info, err := os.Stat(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w in %s: it says how each image is chosen, and without it tags would reach the cluster unresolved", ErrMissing, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("read image policy: %w", err)
	}
	if outside, err := leads(file, cmp.Or(root, dir)); err != nil {
		return nil, fmt.Errorf("read image policy: %w", err)
	} else if outside {
		if away, err := leads(dir, cmp.Or(root, dir)); err == nil && away {
			return nil, &strictyaml.Error{File: file, Msg: "is not below the folder that --root names: render a folder below that one, or name another"}
		}
		return nil, &strictyaml.Error{File: file, Msg: "is a symlink that leads outside the repository: copy the file into it"}
	}
	if !info.Mode().IsRegular() {
		return nil, &strictyaml.Error{File: file, Msg: "is not a regular file"}
	}
	if info.Size() > strictyaml.MaxSize {
		return nil, &strictyaml.Error{File: file, Msg: fmt.Sprintf("is %d bytes, at most %d are read", info.Size(), strictyaml.MaxSize)}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read image policy: %w", err)
	}
	return Parse(file, data)
}

// leads says whether a file really is somewhere else than in a folder.
func leads(file, folder string) (outside bool, err error) {
	paths := [2]string{file, folder}
	for i, p := range paths {
		if paths[i], err = filepath.Abs(p); err != nil {
			return false, err
		}
		if paths[i], err = filepath.EvalSymlinks(paths[i]); err != nil {
			return false, err
		}
	}
	rel, err := filepath.Rel(paths[1], paths[0])
	return err != nil || !filepath.IsLocal(rel), nil
}

// Parse reads and validates the content of an images.yaml. file is used in
// errors, which name the line and the valid choices.
func Parse(file string, data []byte) (*Config, error) {
	var c Config
	root, err := strictyaml.Decode(file, data, &c)
	if err != nil {
		return nil, err
	}
	v := validator{file: file, root: root}
	if err := v.config(&c); err != nil {
		return nil, err
	}
	return &c, nil
}

type validator struct {
	file string
	root *yaml.Node
}

func (v validator) fail(path []any, format string, args ...any) error {
	return &strictyaml.Error{File: v.file, Line: strictyaml.At(v.root, path...), Msg: fmt.Sprintf(format, args...)}
}

func (v validator) config(c *Config) error {
	if c.APIVersion != APIVersion {
		return v.fail([]any{"apiVersion"}, "apiVersion is %q, valid choices are: %s", c.APIVersion, APIVersion)
	}
	if c.Kind != Kind {
		return v.fail([]any{"kind"}, "kind is %q, valid choices are: %s", c.Kind, Kind)
	}
	if len(c.Images) == 0 {
		return v.fail([]any{"images"}, "images lists no entry: at least one is required")
	}
	for i := range c.Images {
		if err := v.entry(i, &c.Images[i]); err != nil {
			return err
		}
	}
	if c.Release != nil {
		if !dns1123.MatchString(c.Release.ConfigMap) || len(c.Release.ConfigMap) > 253 {
			return v.fail([]any{"release", "configMap"}, "release.configMap is %q, want the name of a ConfigMap (lower-case letters, digits, - and .)", c.Release.ConfigMap)
		}
		if c.Release.Namespace != "" && (!dnsLabel.MatchString(c.Release.Namespace) || len(c.Release.Namespace) > 63) {
			return v.fail([]any{"release", "namespace"}, "release.namespace is %q, want the name of a namespace (lower-case letters, digits and -)", c.Release.Namespace)
		}
	}
	return nil
}

var (
	dnsLabel = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	dns1123  = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	tagRE    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
	shaRE    = regexp.MustCompile(`\{sha(?::(\d+))?\}`)
)

const policyKeys = "commit, newest, semver, tag"

func (v validator) entry(i int, e *Entry) error {
	at := func(path ...any) []any { return append([]any{"images", i}, path...) }
	e.line = strictyaml.At(v.root, at()...)
	switch {
	case e.Match == "":
		return v.fail(at("match"), "images[%d] has no match: give a glob over image names, such as 025434362120.dkr.ecr.ap-northeast-1.amazonaws.com/nova/*", i)
	case !doublestar.ValidatePattern(e.Match):
		return v.fail(at("match"), "images[%d].match %q is not a valid glob: check its brackets and braces", i, e.Match)
	case strings.Contains(e.Match, "@") || strings.Contains(e.Match[strings.LastIndex(e.Match, "/")+1:], ":"):
		return v.fail(at("match"), "images[%d].match %q names a tag or digest: match is compared with the name alone", i, e.Match)
	}
	given := v.given(i)
	switch {
	case len(given) == 0:
		return v.fail(at(), "images[%d] has no policy, exactly one is required of: %s", i, policyKeys)
	case len(given) > 1:
		return v.fail(at(given[1]), "images[%d] has %d policies (%s), exactly one is allowed of: %s", i, len(given), strings.Join(given, ", "), policyKeys)
	}
	// "commit:" with nothing after it means its defaults; the others need a field.
	if given[0] == "commit" && e.Commit == nil {
		e.Commit = &Commit{}
	}
	if e.Together && given[0] != "commit" {
		return v.fail(at("together"), "images[%d].together is for the commit policy, not for %s", i, given[0])
	}
	if err := v.scan(i, e, at); err != nil {
		return err
	}
	switch given[0] {
	case "commit":
		return v.commit(i, e.Commit, at)
	case "newest":
		if e.Newest == nil || e.Newest.Tags == "" {
			return v.fail(at("newest"), "images[%d].newest has no tags: give a regular expression, such as '^[0-9a-f]{40}$'", i)
		}
		re, err := regexp.Compile(e.Newest.Tags)
		if err != nil {
			return v.fail(at("newest", "tags"), "images[%d].newest.tags is not a valid regular expression: %s", i, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
		e.Newest.re = re
	case "semver":
		if e.SemVer == nil || strings.TrimSpace(e.SemVer.Range) == "" {
			return v.fail(at("semver"), "images[%d].semver has no range: give one, such as \">=2.1 <3\"", i)
		}
		if err := e.SemVer.compile(); err != nil {
			return v.fail(at("semver", "range"), "images[%d].semver.range %q is not a valid range (%s): write one such as \">=2.1 <3\", \"~1.4\" or \"^2\"", i, e.SemVer.Range, err)
		}
	case "tag":
		if e.Tag == nil || e.Tag.Name == "" {
			return v.fail(at("tag"), "images[%d].tag has no name: give the tag to follow, such as dev-latest", i)
		}
		if !tagRE.MatchString(e.Tag.Name) {
			return v.fail(at("tag", "name"), "images[%d].tag.name %q is not a valid tag", i, e.Tag.Name)
		}
	}
	return nil
}

// given lists the policy keys of an entry; a key without a value counts.
func (v validator) given(i int) []string {
	var keys []string
	for _, key := range []string{"commit", "newest", "semver", "tag"} {
		if v.has("images", i, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

func (v validator) has(path ...any) bool { return strictyaml.Find(v.root, path...) != nil }

func (v validator) commit(i int, c *Commit, at func(...any) []any) error {
	if c.Depth == 0 && !v.has(at("commit", "depth")...) {
		c.Depth = DefaultDepth
	}
	if c.Depth < 1 || c.Depth > MaxDepth {
		return v.fail(at("commit", "depth"), "images[%d].commit.depth is %d, want 1 to %d", i, c.Depth, MaxDepth)
	}
	if c.Tag == "" {
		c.Tag = DefaultTag
	}
	places := shaRE.FindAllStringSubmatch(c.Tag, -1)
	if len(places) != 1 {
		return v.fail(at("commit", "tag"), "images[%d].commit.tag %q must hold the commit once, valid choices are: {sha} and {sha:N} for its first N digits", i, c.Tag)
	}
	if n := places[0][1]; n != "" {
		var digits int
		if _, err := fmt.Sscan(n, &digits); err != nil || digits < 7 || digits > 40 {
			return v.fail(at("commit", "tag"), "images[%d].commit.tag %q: {sha:N} takes 7 to 40 digits", i, c.Tag)
		}
	}
	if !tagRE.MatchString(c.TagFor(strings.Repeat("0", 40))) {
		return v.fail(at("commit", "tag"), "images[%d].commit.tag %q does not make a valid tag", i, c.Tag)
	}
	return nil
}

// TagFor is the tag of a commit's image. sha is the commit's full SHA.
func (c *Commit) TagFor(sha string) string {
	return shaRE.ReplaceAllStringFunc(c.Tag, func(place string) string {
		digits := len(sha)
		if n := shaRE.FindStringSubmatch(place)[1]; n != "" {
			_, _ = fmt.Sscan(n, &digits) // validated by Parse
		}
		return sha[:min(digits, len(sha))]
	})
}

// String is the policy as people write it, for explain.
func (e *Entry) String() string {
	switch e.Name() {
	case "commit":
		s := fmt.Sprintf("commit (depth %d", e.Commit.Depth)
		if e.Commit.Tag != DefaultTag {
			s += ", tag " + e.Commit.Tag
		}
		if e.Together {
			s += ", together"
		}
		return s + ")"
	case "newest":
		return fmt.Sprintf("newest (tags %s)", e.Newest.Tags)
	case "semver":
		s := fmt.Sprintf("semver (range %s", e.SemVer.Range)
		if e.SemVer.Prerelease {
			s += ", prereleases"
		}
		return s + ")"
	default:
		return fmt.Sprintf("tag (%s)", e.Tag.Name)
	}
}
