package explain

import (
	"fmt"
	"strings"
)

// footnotes move a long reason that several images share below the table: eight
// images that come from one commit have one reason.
type footnotes struct {
	uses  map[string]int
	order []string
}

// longReason is how many characters a shared reason may have in the table itself.
const longReason = 50

func newFootnotes(images []Image) *footnotes {
	f := &footnotes{uses: map[string]int{}}
	for _, i := range images {
		f.uses[why(i)]++
	}
	return f
}

// mark gives the text for the table: the reason, or the mark of its footnote.
func (f *footnotes) mark(reason string) string {
	if f.uses[reason] < 2 || len(reason) <= longReason {
		return reason
	}
	for n, known := range f.order {
		if known == reason {
			return fmt.Sprintf("[%d]", n+1)
		}
	}
	f.order = append(f.order, reason)
	return fmt.Sprintf("[%d]", len(f.order))
}

func (f *footnotes) write(b *strings.Builder) {
	for n, reason := range f.order {
		fmt.Fprintf(b, "\n[%d] %s\n", n+1, reason)
	}
}
