package verdict

import (
	"fmt"
	"strings"
)

// Class says what kind of trouble ended a run. Each class has one exit code,
// the same in --help, in the README and in the Job's podFailurePolicy.
type Class string

// The classes, see [Classes] for their codes and meanings.
const (
	OK               Class = "ok"
	Internal         Class = "internal"
	Usage            Class = "usage"
	NotSeen          Class = "inconclusive"
	NoAccess         Class = "access"
	NoRelease        Class = "release"
	RolloutFailed    Class = "rollout"
	Doomed           Class = "doomed"
	IdentityFailed   Class = "identity"
	HealthFailed     Class = "health"
	MetricsFailed    Class = "metrics"
	SentinelFailed   Class = "redis-sentinel"
	KafkaFailed      Class = "kafka"
	DeadlineExceeded Class = "deadline"
	Interrupted      Class = "interrupted"
)

// Code is one row of the exit code table.
type Code struct {
	Class   Class
	Code    int
	Meaning string
}

// Classes lists every class with its exit code, in ascending order of code.
func Classes() []Code {
	return []Code{
		{OK, 0, "every required check passed"},
		{Internal, 1, "smoke itself went wrong; nothing is proved"},
		{Usage, 2, "wrong flags or config file; nothing was looked at"},
		{NotSeen, 3, "inconclusive: something required could not be looked at"},
		{NoAccess, 4, "inconclusive: rights are missing, the report has the Role rules to add"},
		{NoRelease, 5, "inconclusive: the release ConfigMap is missing, unreadable or of another render"},
		{RolloutFailed, 10, "a rollout is not complete, or not every Pod is ready"},
		{Doomed, 11, "a Pod can not start: bad image, crash loop, missing Secret, no room"},
		{IdentityFailed, 12, "another image than the release's is asked for or runs"},
		{HealthFailed, 13, "a health endpoint or the Service's routing is wrong"},
		{MetricsFailed, 14, "a metrics page is not what Prometheus 3 accepts"},
		{SentinelFailed, 15, "Redis Sentinel: quorum, master or replicas are wrong"},
		{KafkaFailed, 16, "Kafka: brokers, topics or in-sync replicas are wrong"},
		{DeadlineExceeded, 20, "inconclusive: the deadline came before every check had run"},
		{Interrupted, 21, "inconclusive: stopped by a signal before every check had run"},
	}
}

// ExitCode is the process exit code of the class; an unknown class is Internal.
func (c Class) ExitCode() int {
	for _, row := range Classes() {
		if row.Class == c {
			return row.Code
		}
	}
	return 1
}

// Help is the exit code table as it stands in --help.
func Help() string {
	var b strings.Builder
	b.WriteString("Exit codes:\n")
	for _, c := range Classes() {
		fmt.Fprintf(&b, "  %3d  %-14s  %s\n", c.Code, c.Class, c.Meaning)
	}
	return b.String()
}

// failedClasses are the classes of failed checks; the first that occurs names
// the run, because what stands first explains what comes after it.
var failedClasses = []Class{
	Doomed, RolloutFailed, IdentityFailed, HealthFailed, MetricsFailed, SentinelFailed, KafkaFailed,
}

// inconclusiveClasses, likewise.
var inconclusiveClasses = []Class{NoAccess, NoRelease, Interrupted, NotSeen, DeadlineExceeded}

// classOf is the class of a failed check that did not say one itself.
func classOf(c Check) Class {
	switch c {
	case Rollout, Readiness:
		return RolloutFailed
	case Identity:
		return IdentityFailed
	case Routing, Health:
		return HealthFailed
	case Metrics:
		return MetricsFailed
	case Sentinel:
		return SentinelFailed
	case Kafka:
		return KafkaFailed
	}
	return Internal
}
