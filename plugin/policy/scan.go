package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Severities of findings, in the order of Scan.Refuse's choices, worst first.
// Names are ECR's, in lower case.
var Severities = []string{"critical", "high", "medium", "low", "informational"}

// Undefined is what Scan.Allow calls findings that have no severity yet:
// UNDEFINED in basic scans, UNTRIAGED in enhanced ones.
const Undefined = "undefined"

// Unscanned are the states of a scan without findings to judge by, as Scan.Allow
// names them.
var Unscanned = []string{"unfinished", "unsupported", "expired", "failed", "missing"}

// Scan refuses an image by what ECR's scan found in it.
type Scan struct {
	// Refuse is the severity from which on a finding refuses the image: critical,
	// high, medium, low or informational. Required.
	Refuse string `yaml:"refuse"`
	// Allow lists what is let through although it can not be judged: images whose
	// scan is unfinished, unsupported, expired, failed or missing, and findings
	// whose severity is undefined. Optional, default none.
	Allow []string `yaml:"allow"`
}

// Allows says whether Allow lists a state, or Undefined.
func (s *Scan) Allows(state string) bool { return slices.Contains(s.Allow, state) }

// Judge says why an image with so many findings of each severity is refused, ""
// when it is not. Severities are ECR's own names, such as CRITICAL.
func (s *Scan) Judge(counts map[string]int) string {
	worst := slices.Index(Severities, s.Refuse)
	refused, unknown := map[string]int{}, map[string]int{}
	for name, n := range counts {
		switch at := slices.Index(Severities, strings.ToLower(name)); {
		case n <= 0:
		case at < 0:
			unknown[name] = n
		case at <= worst:
			refused[name] = n
		}
	}
	switch {
	case len(refused) > 0 && worst == 0:
		return CountsText(refused) + ": critical is refused"
	case len(refused) > 0:
		return fmt.Sprintf("%s: %s and worse is refused", CountsText(refused), s.Refuse)
	case len(unknown) > 0 && !s.Allows(Undefined):
		return fmt.Sprintf("%s: the severity is not known, and scan.allow does not list %s", CountsText(unknown), Undefined)
	}
	return ""
}

// CountsText is findings by severity for people, worst first: "2 CRITICAL, 1 HIGH".
func CountsText(counts map[string]int) string {
	rank := func(name string) int {
		if at := slices.Index(Severities, strings.ToLower(name)); at >= 0 {
			return at
		}
		return len(Severities)
	}
	var names []string
	for name, n := range counts {
		if n > 0 {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "no findings"
	}
	slices.SortFunc(names, func(a, b string) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%d %s", counts[name], name)
	}
	return strings.Join(names, ", ")
}

// String is the gate as people write it, for explain.
func (s *Scan) String() string {
	text := "scan: refuse " + s.Refuse
	if len(s.Allow) > 0 {
		text += ", allow " + strings.Join(s.Allow, " and ")
	}
	return text
}

func (v validator) scan(i int, e *Entry, at func(...any) []any) error {
	if e.Scan == nil {
		if v.has(at("scan")...) {
			return v.fail(at("scan"), "images[%d].scan is empty: give refuse, such as high, or remove it", i)
		}
		return nil
	}
	if !slices.Contains(Severities, e.Scan.Refuse) {
		return v.fail(at("scan", "refuse"), "images[%d].scan.refuse is %q, valid choices are: %s", i, e.Scan.Refuse, strings.Join(Severities, ", "))
	}
	choices := append(slices.Clone(Unscanned), Undefined)
	for n, a := range e.Scan.Allow {
		if !slices.Contains(choices, a) {
			return v.fail(at("scan", "allow", n), "images[%d].scan.allow lists %q, valid choices are: %s", i, a, strings.Join(choices, ", "))
		}
		if slices.Contains(e.Scan.Allow[:n], a) {
			return v.fail(at("scan", "allow", n), "images[%d].scan.allow lists %q twice", i, a)
		}
	}
	return nil
}
