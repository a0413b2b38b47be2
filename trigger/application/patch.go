package application

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Change is what one write does to an Application.
type Change struct {
	// To is the instant to set; zero leaves as-of alone.
	To time.Time
	// Record to write; its number is set when it is.
	Record Record
	// Hold to set, or to remove when it points at an empty text. Optional.
	Hold *string
}

type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// Patch is a change as a JSON patch that only fits the Application as it was
// read: it tests the resourceVersion, so that nobody else's change is lost and
// nothing is decided on old news, and the name and value of each parameter that
// it replaces.
func (a *Application) Patch(c Change) ([]byte, error) {
	if a.ResourceVersion == "" {
		return nil, fmt.Errorf("patch application %s: it has no resourceVersion", a.Key())
	}
	ops := []operation{{"test", "/metadata/resourceVersion", a.ResourceVersion}}
	if !c.To.IsZero() {
		if a.Broken != nil {
			return nil, fmt.Errorf("patch application %s: %w", a.Key(), a.Broken)
		}
		if len(a.Places) == 0 { // a record of a move that moves nothing would be waited for in vain
			return nil, fmt.Errorf("patch application %s: %w: nothing is known of its sources", a.Key(), ErrNotMovable)
		}
		for _, p := range a.Places {
			ops = append(ops,
				operation{"test", p.Path + "/name", Parameter},
				operation{"test", p.Path + "/string", p.Value},
				operation{"replace", p.Path + "/string", FormatInstant(c.To)})
		}
	}
	if !a.HasAnnotations {
		ops = append(ops, operation{"add", "/metadata/annotations", map[string]string{}})
	}
	c.Record.Number = a.number + 1
	record, last := c.Record.Encode(), CopyPrefix+strconv.FormatInt(c.Record.Number, 10)
	ops = append(ops, operation{"add", annotation(RecordKey), record}, operation{"add", annotation(last), record})
	for _, key := range a.copies {
		ops = append(ops, operation{Op: "remove", Path: annotation(key)})
	}
	if s := c.Record.Summary(); s != "" {
		ops = append(ops, operation{"add", annotation(VerdictKey), s})
	}
	switch {
	case c.Hold == nil:
	case *c.Hold != "":
		ops = append(ops, operation{"add", annotation(HoldKey), *c.Hold})
	case a.Settings.Hold != "":
		ops = append(ops, operation{Op: "remove", Path: annotation(HoldKey)})
	}
	return json.Marshal(ops)
}

func annotation(key string) string {
	return "/metadata/annotations/" + strings.ReplaceAll(key, "/", "~1")
}
