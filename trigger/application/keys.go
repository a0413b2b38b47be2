package application

import "k8s.io/apimachinery/pkg/runtime/schema"

// Resource is where the API server has Applications.
var Resource = schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "applications"}

const (
	// Parameter is the plugin parameter that holds the instant.
	Parameter = "as-of"
	// SelectKey is the label or annotation that, with the value "true", puts an
	// Application in trigger's care.
	SelectKey = "staging.nova/trigger"
	// Prefix of all annotations below. The admission policy lets trigger write
	// these and no other.
	Prefix = "trigger.staging.nova/"

	// HoldKey stops every automatic move while it is there; its value is the
	// reason. People set it.
	HoldKey = Prefix + "hold"
	// RollbackKey with the value "off" opts out of automatic rollback.
	RollbackKey = Prefix + "rollback"
	// InterruptKey with the value "true" lets as-of move while a sync of the
	// previous instant is running.
	InterruptKey = Prefix + "interrupt"
	// RepositoriesKey lists globs over image names, separated by commas or white
	// space, for Applications whose images are not known yet.
	RepositoriesKey = Prefix + "repositories"
	// TogetherKey waits for a push of one tag to every repository: "true" for
	// all of the Application's, or globs as in [RepositoriesKey].
	TogetherKey = Prefix + "together"
	// SettleKey and MaxWaitKey override the program's flags, as Go durations.
	SettleKey  = Prefix + "settle"
	MaxWaitKey = Prefix + "max-wait"

	// RecordKey holds trigger's own state, a [Record] as JSON; [CopyPrefix] begins
	// the key of its copy.
	RecordKey = Prefix + "record"
	// VerdictKey says the last verdict in one line for people, as a condition
	// would.
	VerdictKey = Prefix + "verdict"
)
