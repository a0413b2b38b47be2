package soak

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proerror77/nova-staging/internal/ecremulator"
)

// policy is one entry of images.yaml.
type policy struct {
	kind     string // commit, newest, semver or tag
	depth    int
	tag      string // template of the commit policy
	together bool
	pattern  string
	versions int // which of ranges
	gate     string
}

// ranges of versions, each with its meaning in plain words.
var ranges = []struct {
	text       string
	prerelease bool
	holds      func(v [4]int) bool // the fourth is the prerelease, -1 for none
}{
	{"^1", false, func(v [4]int) bool { return v[0] == 1 && v[3] < 0 }},
	{">=1.5 <3", false, func(v [4]int) bool { return v[3] < 0 && (v[0] == 1 && v[1] >= 5 || v[0] == 2) }},
	{">=0.0.0", false, func(v [4]int) bool { return v[3] < 0 }},
}

func randomPolicy(rng *rand.Rand) policy {
	p := policy{
		kind:     []string{"commit", "commit", "commit", "newest", "semver", "tag"}[rng.IntN(6)],
		depth:    []int{200, 200, 1 + rng.IntN(30)}[rng.IntN(3)],
		tag:      []string{"{sha}", "{sha}", "main-{sha:10}"}[rng.IntN(3)],
		together: rng.IntN(2) == 0,
		pattern:  []string{"^([0-9a-f]{40}|main-[0-9a-f]{10})$", "^v[0-9]", "."}[rng.IntN(3)],
		versions: rng.IntN(len(ranges)),
	}
	if rng.IntN(3) == 0 {
		p.gate = []string{"{refuse: high}", "{refuse: critical, allow: [undefined, unfinished, unsupported, missing]}"}[rng.IntN(2)]
	}
	return p
}

func (p policy) tagFor(sha string) string {
	return strings.NewReplacer("{sha}", sha, "{sha:10}", sha[:10]).Replace(p.tag)
}

func (p policy) yaml(match string) string {
	rule := map[string]string{
		"commit": fmt.Sprintf("commit: {depth: %d, tag: %q}\n  together: %v", p.depth, p.tag, p.together),
		"newest": fmt.Sprintf("newest: {tags: %q}", p.pattern),
		"semver": fmt.Sprintf("semver: {range: %q}", ranges[p.versions].text),
		"tag":    "tag: {name: latest}",
	}[p.kind]
	if p.gate != "" {
		rule += "\n  scan: " + p.gate
	}
	return "apiVersion: staging.nova/v1alpha1\nkind: ImagePolicy\nimages:\n- match: '" + match + "'\n  " + rule + "\nrelease: {configMap: release}\n"
}

// Answer is what a render has to come to.
type Answer struct {
	// Images in full, name:tag@digest, by name. Nil when there is no answer.
	Images map[string]string
	// Status of the program: 0, 6 when nothing satisfies the policy, 9 when the
	// scan gate refuses.
	Status int
	// Timeless is true when it is the same for ever, also without a cache.
	Timeless bool
}

// Oracle computes the answer as of an instant from the model alone.
func (w *World) Oracle(asOf time.Time) Answer {
	chosen := make([]string, len(w.repos)) // tags
	switch w.policy.kind {
	case "commit":
		if !w.byCommit(asOf, chosen) {
			return Answer{Status: 6}
		}
	default:
		for i, r := range w.repos {
			if chosen[i] = w.best(r, asOf); chosen[i] == "" {
				return Answer{Status: 6}
			}
		}
	}
	a := Answer{Images: map[string]string{}, Timeless: w.policy.kind != "tag" && w.policy.gate == ""}
	for i, r := range w.repos {
		s := r.tags[chosen[i]]
		if w.refused(s) {
			return Answer{Status: 9}
		}
		a.Images[r.emulated.URI()] = r.emulated.URI() + ":" + chosen[i] + "@" + s.digest
	}
	return a
}

func (w *World) byCommit(asOf time.Time, chosen []string) bool {
	for _, c := range w.history.order(w.policy.depth) {
		tag := w.policy.tagFor(w.history.shas[c])
		all := true
		for i, r := range w.repos {
			s := r.tags[tag]
			usable := s != nil && s.runs && !s.at.After(asOf)
			all = all && usable
			if !w.policy.together && usable && chosen[i] == "" {
				chosen[i] = tag
			}
		}
		if w.policy.together && all {
			for i := range chosen {
				chosen[i] = tag
			}
			return true
		}
	}
	return !w.policy.together && !slices.Contains(chosen, "")
}

// best gives the tag that a policy other than commit chooses, "" for none.
func (w *World) best(r *repository, asOf time.Time) string {
	if w.policy.kind == "tag" {
		if s := r.tags["latest"]; s != nil && s.runs {
			return "latest"
		}
		return ""
	}
	match := regexp.MustCompile(w.policy.pattern)
	winner := ""
	for tag, s := range r.tags {
		if !s.runs || s.at.After(asOf) || strings.HasPrefix(tag, "sha256-") {
			continue
		}
		if w.policy.kind == "newest" && !match.MatchString(tag) {
			continue
		}
		if w.policy.kind == "semver" {
			if v, ok := version(tag); !ok || !ranges[w.policy.versions].holds(v) {
				continue
			}
		}
		if winner == "" || w.beats(r, tag, winner) {
			winner = tag
		}
	}
	return winner
}

func (w *World) beats(r *repository, tag, other string) bool {
	a, b := r.tags[tag], r.tags[other]
	if w.policy.kind == "semver" {
		va, _ := version(tag)
		vb, _ := version(other)
		if c := slices.Compare(va[:3], vb[:3]); c != 0 {
			return c > 0
		}
	}
	if !a.at.Equal(b.at) {
		return a.at.After(b.at)
	}
	if a.digest != b.digest {
		return a.digest > b.digest
	}
	return tag < other
}

var versionRE = regexp.MustCompile(`^v(\d+)\.(\d+)\.(\d+)(?:-rc\.(\d+))?$`)

func version(tag string) (v [4]int, ok bool) {
	m := versionRE.FindStringSubmatch(tag)
	if m == nil {
		return v, false
	}
	v[3] = -1
	for i := range v {
		if m[i+1] != "" {
			v[i], _ = strconv.Atoi(m[i+1])
		}
	}
	return v, true
}

// refused says whether the world's scan gate refuses a manifest.
func (w *World) refused(s *stored) bool {
	lax := strings.Contains(w.policy.gate, "critical")
	for _, digest := range s.parts {
		scan, scanned := w.scans[digest]
		judged := scanned && (scan.Status == ecremulator.ScanComplete || scan.Status == ecremulator.ScanActive)
		switch {
		case w.policy.gate == "":
		case judged && scan.Findings["CRITICAL"] > 0:
			return true
		case !lax && (!judged || scan.Findings["UNDEFINED"] > 0):
			return true
		}
	}
	return false
}
