package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// page is a Markdown file.
type page struct {
	file  string // absolute
	name  string // from the repository's root
	text  string
	prose string // without fenced blocks
}

var fenced = regexp.MustCompile("(?ms)^ *```.*?^ *```$")

// all pages that are held to this: the README, those of this folder, and those
// beside what they are about.
func all(t *testing.T) []page {
	t.Helper()
	root := filepath.Dir(pages)
	files, err := filepath.Glob(filepath.Join(pages, "*.md"))
	if err != nil || len(files) < 10 {
		t.Fatalf("%d pages (%v): is the test still looking into docs?", len(files), err)
	}
	for _, f := range []string{"README.md", "CONTRIBUTING.md", "smoke/README.md", "manifests/nova/README.md"} {
		files = append(files, filepath.Join(root, f))
	}
	var out []page
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		name, err := filepath.Rel(root, f)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, page{file: f, name: name, text: string(data), prose: fenced.ReplaceAllString(string(data), "")})
	}
	return out
}

var (
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)
	link    = regexp.MustCompile(`\[[^\]]*\]\(([^)\s]+)\)`)
)

// anchors are the fragments that GitHub makes of a page's headings.
func anchors(p page) map[string]bool {
	found := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(p.prose, -1) {
		anchor := slug(m[1])
		for i := 1; found[anchor]; i++ {
			anchor = slug(m[1]) + "-" + string(rune('0'+i))
		}
		found[anchor] = true
	}
	return found
}

func slug(heading string) string {
	heading = link.ReplaceAllStringFunc(heading, func(s string) string { return s[1:strings.Index(s, "]")] })
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			return unicode.ToLower(r)
		case r == ' ':
			return '-'
		}
		return -1
	}, heading)
}

func TestSlugsAreGitHubs(t *testing.T) {
	t.Parallel()
	for heading, want := range map[string]string{
		"Choose images: `images.yaml`":     "choose-images-imagesyaml",
		"Prove it: `smoke`":                "prove-it-smoke",
		"What trigger's words mean":        "what-triggers-words-mean",
		"An app-of-apps or ApplicationSet": "an-app-of-apps-or-applicationset",
		"`once` or `watch`?":               "once-or-watch",
	} {
		if got := slug(heading); got != want {
			t.Errorf("slug of %q is %q, want %q", heading, got, want)
		}
	}
}

func TestEveryRelativeLinkLeadsSomewhere(t *testing.T) {
	t.Parallel()
	known := map[string]map[string]bool{}
	pages := all(t)
	for _, p := range pages {
		known[p.file] = anchors(p)
	}
	n := 0
	for _, p := range pages {
		for _, m := range link.FindAllStringSubmatch(p.prose, -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			n++
			path, fragment, _ := strings.Cut(m[1], "#")
			target := p.file
			if path != "" {
				target = filepath.Join(filepath.Dir(p.file), filepath.FromSlash(path))
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which is not there", p.name, m[1])
				continue
			}
			if fragment != "" && !known[target][fragment] {
				t.Errorf("%s links to %s: there is no such heading", p.name, m[1])
			}
		}
	}
	if n < 40 {
		t.Errorf("%d relative links were seen: is the test still reading them?", n)
	}
}

func TestTheIndexLeadsToEveryPageOfThisFolder(t *testing.T) {
	t.Parallel()
	linked := map[string]bool{}
	pages := all(t)
	for _, p := range pages {
		if p.name != filepath.Join("docs", "README.md") {
			continue
		}
		for _, m := range link.FindAllStringSubmatch(p.prose, -1) {
			linked[filepath.Join("docs", m[1])] = true
		}
	}
	for _, p := range pages {
		if filepath.Dir(p.name) == "docs" && filepath.Base(p.name) != "README.md" && !linked[p.name] {
			t.Errorf("docs/README.md does not lead to %s", p.name)
		}
	}
}
