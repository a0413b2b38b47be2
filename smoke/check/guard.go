package check

import (
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/proerror77/nova-staging/smoke/redact"
	"github.com/proerror77/nova-staging/smoke/verdict"
)

// Guard makes a finding of a panic in look. Go would end the process with exit
// code 2, which says that nothing was looked at, and without a report.
func Guard(look func() verdict.Finding) (f verdict.Finding) {
	defer func() {
		if p := recover(); p != nil {
			f = verdict.Unknown("", "smoke to look without going wrong itself", redact.Line(fmt.Sprintf("internal error: %v", p)))
			f.Class, f.Final = verdict.Internal, true
			f.Hint = "this is a fault of smoke's, report it with these lines"
			// Past the frames of debug.Stack and of the panic itself.
			if stack := strings.Split(string(debug.Stack()), "\n"); len(stack) > 7 {
				f.Details = append(f.Details, stack[7:min(len(stack), 19)]...)
			}
		}
	}()
	return look()
}
