// Package verdict is the vocabulary that every check and every report of the
// smoke test shares: what can be said about one thing that was looked at, and
// which exit code says it.
package verdict

// Verdict is what a look at one thing says. The zero value is not a verdict.
type Verdict string

const (
	// Passed means: looked, and saw what was expected.
	Passed Verdict = "passed"
	// Failed means: looked, and saw something else.
	Failed Verdict = "failed"
	// Inconclusive means: could not look, or what was seen proves neither.
	Inconclusive Verdict = "inconclusive"
	// Skipped means: not configured, so nobody looked.
	Skipped Verdict = "skipped"
)

// All verdicts, the worst first.
func All() []Verdict { return []Verdict{Failed, Inconclusive, Passed, Skipped} }

// Check names one concept that is looked at.
type Check string

// The checks, in the order in which they are reported.
const (
	Access    Check = "access"
	Release   Check = "release"
	Rollout   Check = "rollout"
	Readiness Check = "readiness"
	Identity  Check = "identity"
	Routing   Check = "routing"
	Health    Check = "health"
	Metrics   Check = "metrics"
	Sentinel  Check = "redis-sentinel"
	Kafka     Check = "kafka"
)

// ServiceChecks are the checks that run once for every service.
func ServiceChecks() []Check {
	return []Check{Rollout, Readiness, Identity, Routing, Health, Metrics}
}

// Selectable are the checks that a person can choose with --check. Access is
// not among them: it always runs. Release runs whenever Identity does.
func Selectable() []Check { return append(ServiceChecks(), Sentinel, Kafka) }
