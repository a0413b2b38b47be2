// Package report says what a run found, in the forms that its readers want: a
// table or lines for people, JSON and JUnit for machines, an Event and a
// termination message for whoever looks at the cluster.
package report

import (
	"time"

	"github.com/proerror77/nova-staging/smoke/verdict"
)

const (
	// APIVersion of the JSON report.
	APIVersion = "staging.nova/v1alpha1"
	// Kind of the JSON report.
	Kind = "SmokeReport"
)

// Report is the outcome of one run.
type Report struct {
	// Verdict and Class of the run as a whole.
	Verdict verdict.Verdict
	Class   verdict.Class
	// Namespace that was looked at.
	Namespace string
	// Release is the ID of the release that images were compared with; empty
	// when there was none.
	Release string
	// Started and Duration of the run.
	Started  time.Time
	Duration time.Duration
	// Results in the order services stand in the config, checks in theirs.
	Results []verdict.Result
	// Deployments by service, for Events.
	Deployments map[string]Object
	// Notes are remarks that decide nothing.
	Notes []string
	// Partial says that the run was stopped before its end.
	Partial bool
}

// Object is one object of the namespace.
type Object struct{ Name, UID string }

// Conclude fills Verdict and Class in from the results.
func (r *Report) Conclude() { r.Verdict, r.Class = verdict.Overall(r.Results) }

// ExitCode of the process.
func (r *Report) ExitCode() int { return r.Class.ExitCode() }

// Counts is how many results each verdict has, 0 included.
func (r *Report) Counts() map[verdict.Verdict]int {
	n := map[verdict.Verdict]int{}
	for _, v := range verdict.All() {
		n[v] = 0
	}
	for _, res := range r.Results {
		n[res.Verdict]++
	}
	return n
}

// Troubles are the results that are neither passed nor skipped: failed ones
// first, those of the report's class before others, else in the report's order.
func (r *Report) Troubles() []verdict.Result {
	var groups [4][]verdict.Result
	for _, res := range r.Results {
		i := 3
		switch {
		case res.Verdict == verdict.Passed || res.Verdict == verdict.Skipped:
			continue
		case res.ClassOf() == r.Class && !res.Optional:
			i = 0
		case res.Verdict == verdict.Failed:
			i = 1
		case !res.Optional:
			i = 2
		}
		groups[i] = append(groups[i], res)
	}
	var out []verdict.Result
	for _, g := range groups {
		out = append(out, g...)
	}
	return out
}

// Summary is one line: the verdict and how many of each.
func (r *Report) Summary() string {
	n := r.Counts()
	line := string(r.Verdict) + " (" + string(r.Class) + ")"
	if r.Verdict == verdict.Passed {
		line = string(r.Verdict)
	}
	for i, v := range verdict.All() {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		line += sep + count(n[v], string(v))
	}
	line += " in " + seconds(r.Duration)
	if r.Partial {
		line += ", stopped before the end"
	}
	return line
}
