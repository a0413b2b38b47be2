package policy

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proerror77/nova-staging/internal/strictyaml"
)

const head = "apiVersion: staging.nova/v1alpha1\nkind: ImagePolicy\n"

func TestParseRefusesWithLineAndValidChoices(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		text string
		line int
		want string
	}{
		{"an empty file", "", 0, "is empty"},
		{"a comment only", "# nothing\n", 0, "is empty"},
		{"a list", "- a\n", 1, "want a mapping, found a list"},
		{"two documents", head + "images:\n- {match: a, commit: {}}\n---\na: b\n", 5, "a second YAML document begins here"},
		{"broken YAML", head + "images: [\n", 3, "not valid YAML"},
		{"tabs", "apiVersion: staging.nova/v1alpha1\n\tkind: ImagePolicy\n", 2, "not valid YAML"},
		{"no apiVersion", "kind: ImagePolicy\nimages:\n- {match: a, commit: {}}\n", 1, `apiVersion is "", valid choices are: staging.nova/v1alpha1`},
		{"another kind", "apiVersion: staging.nova/v1alpha1\nkind: ImagePolicies\n", 2, `kind is "ImagePolicies", valid choices are: ImagePolicy`},
		{"no images", head, 1, "images lists no entry"},
		{"an unknown field at the top", head + "image: []\n", 3, `unknown field "image", valid fields are: apiVersion, images, kind, release`},
		{"an unknown field in an entry", head + "images:\n- match: a\n  comit: {}\n", 5, `unknown field "comit" in images[0], valid fields are: commit, match, newest, scan, semver, tag, together`},
		{"an unknown field in a policy", head + "images:\n- match: a\n  semver:\n    rnage: x\n", 6, `unknown field "rnage" in images[0].semver, valid fields are: prerelease, range`},
		{"a field given twice", head + "images:\n- match: a\n  match: b\n  commit: {}\n", 5, `"match" is already given at line 4`},
		{"an alias", head + "images:\n- &a {match: a, commit: {}}\n- *a\n", 5, "aliases are not read here"},
		{"a scalar where a policy belongs", head + "images:\n- match: a\n  newest: latest\n", 5, `images[0].newest: want a mapping, found "latest"`},
		{"a list where a string belongs", head + "images:\n- match: [a]\n  commit: {}\n", 4, "images[0].match: want string, found a list"},
		{"text where a number belongs", head + "images:\n- match: a\n  commit: {depth: many}\n", 5, "many"},
		{"no match", head + "images:\n- commit: {}\n", 4, "images[0] has no match"},
		{"a bad glob", head + "images:\n- match: 'a[b'\n  commit: {}\n", 4, "not a valid glob"},
		{"a glob with a tag", head + "images:\n- match: a/b:latest\n  commit: {}\n", 4, "names a tag or digest"},
		{"a glob with a digest", head + "images:\n- match: a/b@sha256\n  commit: {}\n", 4, "names a tag or digest"},
		{"no policy", head + "images:\n- match: a\n", 4, "exactly one is required of: commit, newest, semver, tag"},
		{"two policies", head + "images:\n- match: a\n  tag: {name: x}\n  newest: {tags: x}\n", 5, "has 2 policies (newest, tag)"},
		{"a policy twice over a null", head + "images:\n- match: a\n  commit:\n  newest: {tags: x}\n", 6, "has 2 policies (commit, newest)"},
		{"together with semver", head + "images:\n- match: a\n  semver: {range: '1'}\n  together: true\n", 6, "together is for the commit policy, not for semver"},
		{"a depth of nothing", head + "images:\n- match: a\n  commit: {depth: 0}\n", 5, "depth is 0, want 1 to 10000"},
		{"a negative depth", head + "images:\n- match: a\n  commit: {depth: -1}\n", 5, "depth is -1"},
		{"an endless depth", head + "images:\n- match: a\n  commit: {depth: 10001}\n", 5, "depth is 10001"},
		{"a tag template without the commit", head + "images:\n- match: a\n  commit: {tag: latest}\n", 5, "valid choices are: {sha} and {sha:N}"},
		{"a tag template with two commits", head + "images:\n- match: a\n  commit: {tag: '{sha}{sha}'}\n", 5, "must hold the commit once"},
		{"a tag template with too few digits", head + "images:\n- match: a\n  commit: {tag: '{sha:6}'}\n", 5, "takes 7 to 40 digits"},
		{"a tag template that makes no tag", head + "images:\n- match: a\n  commit: {tag: '-{sha}'}\n", 5, "does not make a valid tag"},
		{"newest without tags", head + "images:\n- match: a\n  newest: {}\n", 5, "images[0].newest has no tags"},
		{"newest with nothing at all", head + "images:\n- match: a\n  newest:\n", 5, "images[0].newest has no tags"},
		{"a bad regular expression", head + "images:\n- match: a\n  newest: {tags: '('}\n", 5, "not a valid regular expression: missing closing ): `(`"},
		{"semver without a range", head + "images:\n- match: a\n  semver: {range: ' '}\n", 5, "images[0].semver has no range"},
		{"a bad range", head + "images:\n- match: a\n  semver: {range: newest}\n", 5, `semver.range "newest" is not a valid range`},
		{"a tag without a name", head + "images:\n- match: a\n  tag: {}\n", 5, "images[0].tag has no name"},
		{"a tag that is none", head + "images:\n- match: a\n  tag: {name: 'a b'}\n", 5, `"a b" is not a valid tag`},
		{"the second of two entries", head + "images:\n- match: a\n  commit: {}\n- match: b\n  comit: {}\n", 7, "in images[1]"},
		{"a scan gate of nothing", head + "images:\n- match: a\n  commit: {}\n  scan:\n", 6, "images[0].scan is empty"},
		{"a scan gate without a severity", head + "images:\n- match: a\n  commit: {}\n  scan: {}\n", 6, `scan.refuse is "", valid choices are: critical, high, medium, low, informational`},
		{"a scan gate in ECR's capitals", head + "images:\n- match: a\n  commit: {}\n  scan:\n    refuse: HIGH\n", 7, `scan.refuse is "HIGH"`},
		{"a scan gate at no severity", head + "images:\n- match: a\n  commit: {}\n  scan: {refuse: undefined}\n", 6, `scan.refuse is "undefined"`},
		{"a scan gate that allows the unknown", head + "images:\n- match: a\n  commit: {}\n  scan:\n    refuse: high\n    allow: [expired, unknown]\n", 8, `scan.allow lists "unknown", valid choices are: unfinished, unsupported, expired, failed, missing, undefined`},
		{"a scan gate that allows a thing twice", head + "images:\n- match: a\n  commit: {}\n  scan:\n    refuse: high\n    allow: [expired, expired]\n", 8, `scan.allow lists "expired" twice`},
		{"a scan gate with another field", head + "images:\n- match: a\n  commit: {}\n  scan: {refuse: high, unfinished: allow}\n", 6, `unknown field "unfinished" in images[0].scan, valid fields are: allow, refuse`},
		{"a release without a name", head + "images:\n- {match: a, commit: {}}\nrelease: {}\n", 5, "release.configMap"},
		{"a release that is no ConfigMap's name", head + "images:\n- {match: a, commit: {}}\nrelease: {configMap: Nova_Release}\n", 5, `release.configMap is "Nova_Release"`},
		{"a release in what is no namespace", head + "images:\n- {match: a, commit: {}}\nrelease:\n  configMap: a\n  namespace: a.b\n", 7, `release.namespace is "a.b"`},
		{"a file far too large", head + "# " + strings.Repeat("x", strictyaml.MaxSize), 0, "at most 1048576 are read"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse("dir/images.yaml", []byte(tt.text))
			var at *strictyaml.Error
			if !errors.As(err, &at) {
				t.Fatalf("error is %v, want a place in the file", err)
			}
			if at.File != "dir/images.yaml" || at.Line != tt.line {
				t.Errorf("error is at %s:%d, want dir/images.yaml:%d: %v", at.File, at.Line, tt.line, err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q does not say %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error has several lines: %q", err)
			}
		})
	}
}

func TestParseTakesWhatTheContractShows(t *testing.T) {
	t.Parallel()
	c, err := Parse("images.yaml", []byte(head+`images:
- match: 025434362120.dkr.ecr.ap-northeast-1.amazonaws.com/nova/*
  commit:
  together: true
- match: "*.dkr.ecr.*.amazonaws.com/platform/*"
  semver: {range: ">=2.1 <3", prerelease: true}
- match: "**/tools/**"
  newest: {tags: '^[0-9a-f]{40}$'}
- match: "**"
  tag: {name: dev-latest}
release: {configMap: nova-release}
`))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]string{
		"025434362120.dkr.ecr.ap-northeast-1.amazonaws.com/nova/auth-service": "commit (depth 200, together)",
		"111122223333.dkr.ecr.eu-west-1.amazonaws.com/platform/envoy":         "semver (range >=2.1 <3, prereleases)",
		// One * stays within a segment of the path.
		"111122223333.dkr.ecr.eu-west-1.amazonaws.com/platform/a/b": "tag (dev-latest)",
		"ghcr.io/x/tools/a/b": "newest (tags ^[0-9a-f]{40}$)",
		"redis":               "tag (dev-latest)",
	}
	for name, want := range tests {
		if e := c.For(name); e == nil || e.String() != want {
			t.Errorf("%s falls to %v, want %s", name, e, want)
		}
	}
	if !c.NeedsHistory() || c.Release.ConfigMap != "nova-release" {
		t.Errorf("read as %+v", c)
	}
	if got := c.Images[1].Line(); got != 7 {
		t.Errorf("the second entry is at line %d, want 7", got)
	}
}

func TestNoEntryMatchesIsNoPolicy(t *testing.T) {
	t.Parallel()
	c, err := Parse("images.yaml", []byte(head+"images:\n- {match: a/*, tag: {name: x}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if e := c.For("b/c"); e != nil {
		t.Errorf("b/c falls to %v", e)
	}
	if c.NeedsHistory() {
		t.Error("a tag needs no history")
	}
}

func TestTagOfACommit(t *testing.T) {
	t.Parallel()
	const sha = "0123456789abcdef0123456789abcdef01234567"
	for template, want := range map[string]string{
		"{sha}": sha, "{sha:7}": "0123456", "main-{sha:12}": "main-0123456789ab", "{sha:40}-amd64": sha + "-amd64",
	} {
		if got := (&Commit{Tag: template}).TagFor(sha); got != want {
			t.Errorf("%s makes %s, want %s", template, got, want)
		}
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := Load(dir, ""); !errors.Is(err, ErrMissing) {
		t.Errorf("without a file the error is %v, want ErrMissing", err)
	}
	file := filepath.Join(dir, FileName)
	if err := os.Mkdir(file, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir, ""); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("for a folder the error is %v", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(head+"images:\n- {match: a, commit: {}}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if c, err := Load(dir, ""); err != nil || c.Images[0].Commit.Depth != DefaultDepth {
		t.Errorf("read as %+v, %v", c, err)
	}
}

// Whoever writes to a repository must not read the sidecar's files through the
// message of an error.
func TestLoadFollowsNoSymlinkOutOfTheRepository(t *testing.T) {
	t.Parallel()
	const secret = "top-secret-token-of-the-sidecar"
	root, elsewhere := t.TempDir(), t.TempDir()
	app := filepath.Join(root, "app")
	if err := os.Mkdir(app, 0o755); err != nil {
		t.Fatal(err)
	}
	good := head + "images:\n- {match: a, commit: {}}\n"
	for name, text := range map[string]string{
		filepath.Join(root, "shared.yaml"): good, filepath.Join(elsewhere, "token"): secret, filepath.Join(elsewhere, "good.yaml"): good,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(root, "link")
	if err := os.Symlink(elsewhere, link); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, target, root, want string
	}{
		{"a file of the repository", "../shared.yaml", root, ""},
		{"the same where the repository is not known", "../shared.yaml", "", "leads outside the repository"},
		{"a secret", filepath.Join(elsewhere, "token"), root, "leads outside the repository"},
		{"a sound file elsewhere", filepath.Join(elsewhere, "good.yaml"), root, "leads outside the repository"},
		{"through a folder that is a symlink", "../link/token", root, "leads outside the repository"},
		{"a device", "/dev/zero", root, "leads outside the repository"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(app, FileName)
			if err := os.Symlink(tt.target, file); err != nil {
				t.Fatal(err)
			}
			defer os.Remove(file)
			_, err := Load(app, tt.root)
			if (err == nil) != (tt.want == "") {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			if err != nil && (!strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), secret)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(head + "images:\n- match: a/*\n  commit: {depth: 3, tag: 'x-{sha:9}'}\n  together: true\nrelease: {configMap: r}\n"))
	f.Add([]byte(head + "images:\n- {match: '**', newest: {tags: '^v'}}\n- {match: b, semver: {range: '^1', prerelease: true}}\n- {match: c, tag: {name: x}}\n"))
	f.Add([]byte(head + "images:\n- match: a\n  commit: {}\n  scan: {refuse: high, allow: [undefined, expired]}\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("images.yaml", data)
		if err != nil {
			var at *strictyaml.Error
			if !errors.As(err, &at) || at.File != "images.yaml" {
				t.Fatalf("error without a place: %v", err)
			}
			return
		}
		for i := range c.Images {
			e := &c.Images[i]
			e.Matches("025434362120.dkr.ecr.ap-northeast-1.amazonaws.com/nova/auth-service")
			_ = e.String()
			if e.Commit != nil && !tagRE.MatchString(e.Commit.TagFor(strings.Repeat("a", 40))) {
				t.Errorf("%q makes an invalid tag", e.Commit.Tag)
			}
			if r := e.Ranker(); r != nil {
				r.Reject("v1.2.3")
			}
			if e.Scan != nil && e.Scan.Judge(map[string]int{"CRITICAL": 1}) == "" {
				t.Errorf("the gate %s lets a critical finding through", e.Scan)
			}
		}
	})
}
