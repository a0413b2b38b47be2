package verdict

import (
	"slices"
	"time"
)

// Finding is what one look saw.
type Finding struct {
	// Verdict of the look. Required.
	Verdict Verdict
	// Class names the exit code where the check's own class is too coarse.
	// Optional; the default follows from check and verdict.
	Class Class
	// Target is the one thing the finding is about, for example
	// "pod/auth-service-7c9-x2x". Optional.
	Target string
	// Expected and Seen are the two sides of the comparison, each one line.
	Expected string
	Seen     string
	// Hint says what to do about it. Optional.
	Hint string
	// Details are further lines: other Pods, conditions, what was looked at.
	Details []string
	// Logs are the last lines of a container's log, redacted.
	Logs []string
	// Final means that looking again can not change the finding.
	Final bool
}

// Pass is the finding of a look that saw what it should.
func Pass(seen string, details ...string) Finding {
	return Finding{Verdict: Passed, Seen: seen, Details: details}
}

// Fail is the finding of a look that saw something else.
func Fail(target, expected, seen string) Finding {
	return Finding{Verdict: Failed, Target: target, Expected: expected, Seen: seen}
}

// Unknown is the finding of a look that was not possible or proved nothing.
func Unknown(target, expected, seen string) Finding {
	return Finding{Verdict: Inconclusive, Target: target, Expected: expected, Seen: seen}
}

// Skip is the finding where nothing is configured.
func Skip(why string) Finding { return Finding{Verdict: Skipped, Seen: why, Final: true} }

// Result is the recorded outcome of one check.
type Result struct {
	// Service the check belongs to; empty for checks of the whole run.
	Service string
	Check   Check
	Finding
	// Optional results are reported but do not decide the run.
	Optional bool
	Started  time.Time
	Duration time.Duration
	// Looks is how often it was looked at; 0 means that it never was.
	Looks int
}

// ClassOf is the class of the result: its own, else that of its check.
func (r Result) ClassOf() Class {
	switch {
	case r.Verdict == Passed || r.Verdict == Skipped:
		return OK
	case r.Class != "":
		return r.Class
	case r.Verdict == Failed:
		return classOf(r.Check)
	default:
		return NotSeen
	}
}

// Overall joins results into the verdict and class of the run. It is passed
// only if at least one check passed and no required check did anything but
// pass or be skipped: a run in which everything was skipped proves nothing.
func Overall(results []Result) (Verdict, Class) {
	seen := map[Class]bool{}
	passed := false
	for _, r := range results {
		if r.Optional {
			continue
		}
		switch r.Verdict {
		case Skipped:
		case Passed:
			passed = passed || (r.Check != Access && r.Check != Release)
		default:
			c := r.ClassOf()
			if r.Verdict == Failed && !slices.Contains(failedClasses, c) {
				c = classOf(r.Check)
			}
			seen[c] = true
		}
	}
	if seen[Internal] {
		return Inconclusive, Internal
	}
	for _, c := range failedClasses {
		if seen[c] {
			return Failed, c
		}
	}
	for _, c := range inconclusiveClasses {
		if seen[c] {
			return Inconclusive, c
		}
	}
	if len(seen) > 0 || !passed {
		return Inconclusive, NotSeen
	}
	return Passed, OK
}

// Worst picks the finding to name first: failed before inconclusive before
// passed before skipped, the earlier one among equals. It needs one at least.
func Worst(findings []Finding) Finding {
	order := All()
	worst := findings[0]
	for _, f := range findings[1:] {
		if slices.Index(order, f.Verdict) < slices.Index(order, worst.Verdict) {
			worst = f
		}
	}
	return worst
}
