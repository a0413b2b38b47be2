package history

import (
	"fmt"
	"strings"
)

// Reach says how far a Log has looked, and why not farther. It is final once
// Next has returned fewer commits than it was asked for.
type Reach struct {
	// Looked is how many commits were listed.
	Looked int

	// Mainline is how many of them are on the mainline.
	Mainline int

	// Depth is the limit that Log was given, for the mainline and again for
	// all the sides together.
	Depth int

	// DepthReached is true when there are commits beyond Depth, on the
	// mainline or on a side.
	DepthReached bool

	// Shallow is true when the log ended because a shallow clone does not have
	// the commit that comes next, on the mainline or on a side.
	Shallow bool

	// ShallowAt is the SHA of the commit whose parent that is.
	ShallowAt string

	// Complete is true when the mainline was listed down to the root commit.
	Complete bool
}

// Reach says how far the log has looked so far.
func (l *Log) Reach() Reach { return l.reach }

// String is one sentence for an error message or a report, with what the
// reader can do to see more.
func (r Reach) String() string {
	var b strings.Builder
	commits := "commits"
	if r.Looked == 1 {
		commits = "commit"
	}
	fmt.Fprintf(&b, "looked at %d %s, %d on the mainline", r.Looked, commits, r.Mainline)
	if r.DepthReached {
		fmt.Fprintf(&b, "; there are more beyond depth %d", r.Depth)
	}
	if r.Shallow {
		fmt.Fprintf(&b, "; the clone is shallow and ends at %s: %s", r.ShallowAt, deepen)
	}
	if r.Complete && !r.DepthReached && !r.Shallow {
		b.WriteString(", which is all there is")
	}
	return b.String()
}
