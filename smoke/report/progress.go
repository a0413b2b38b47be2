package report

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/proerror77/nova-staging/smoke/verdict"
)

// Planned is one check that a run is going to do.
type Planned struct {
	Service string
	Check   verdict.Check
}

// Progress is told what happens while it happens. Its methods may be called
// from several goroutines.
type Progress interface {
	// Plan is called once, first.
	Plan(checks []Planned)
	// Waiting says what a check saw that has to look again.
	Waiting(p Planned, f verdict.Finding)
	// Done says how a check ended. It may be called again for the same check,
	// when it had to be done anew.
	Done(r verdict.Result)
	// Close ends the display; nothing is written after it.
	Close()
}

// Silent shows nothing.
type Silent struct{}

// Plan does nothing.
func (Silent) Plan([]Planned) {}

// Waiting does nothing.
func (Silent) Waiting(Planned, verdict.Finding) {}

// Done does nothing.
func (Silent) Done(verdict.Result) {}

// Close does nothing.
func (Silent) Close() {}

// Lines writes a line for every change, for logs.
type Lines struct {
	W io.Writer
	// Now gives the time. Optional, default time.Now.
	Now func() time.Time

	mu     sync.Mutex
	start  time.Time
	said   map[Planned]string
	total  int
	done   map[Planned]bool
	closed bool
}

var _ Progress = (*Lines)(nil)

func (l *Lines) now() time.Time {
	if l.Now != nil {
		return l.Now()
	}
	return time.Now()
}

// Plan says how much there is to do.
func (l *Lines) Plan(checks []Planned) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.start, l.total = l.now(), len(checks)
	l.said, l.done = map[Planned]string{}, map[Planned]bool{}
	l.line("%d checks to do", len(checks))
}

// Waiting writes what is waited for, once for each thing that is seen.
func (l *Lines) Waiting(p Planned, f verdict.Finding) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.said == nil || l.said[p] == f.Seen {
		return
	}
	l.said[p] = f.Seen
	l.line("waiting       %s: %s, want %s", title(verdict.Result{Service: p.Service, Check: p.Check}), f.Seen, f.Expected)
}

// Done writes the result of a check.
func (l *Lines) Done(r verdict.Result) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.said == nil {
		return
	}
	l.done[Planned{r.Service, r.Check}] = true
	text := fmt.Sprintf("%-12s  %s: %s", r.Verdict, title(r), r.Seen)
	if r.Verdict == verdict.Failed || r.Verdict == verdict.Inconclusive {
		text += ", want " + r.Expected
	}
	l.line("%s  [%d/%d]", text, len(l.done), l.total)
}

// Close ends the display.
func (l *Lines) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}

func (l *Lines) line(format string, args ...any) {
	if l.closed {
		return
	}
	text := strings.Join(strings.Split(fmt.Sprintf(format, args...), "\n"), " ")
	fmt.Fprintf(l.W, "%7.1fs  %s\n", l.now().Sub(l.start).Seconds(), text)
}

// Screen redraws a table in place, for terminals.
type Screen struct {
	W io.Writer

	mu      sync.Mutex
	plan    []Planned
	results map[Planned]verdict.Result
	waiting map[Planned]verdict.Finding
	drawn   int
	last    time.Time
	closed  bool
}

var _ Progress = (*Screen)(nil)

// frame is how long a drawn table stays at least.
const frame = 100 * time.Millisecond

// Plan draws the empty table.
func (s *Screen) Plan(checks []Planned) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plan, s.results, s.waiting = checks, map[Planned]verdict.Result{}, map[Planned]verdict.Finding{}
	s.draw(true)
}

// Waiting shows what is waited for below the table.
func (s *Screen) Waiting(p Planned, f verdict.Finding) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting == nil {
		return
	}
	s.waiting[p] = f
	s.draw(false)
}

// Done fills in a cell.
func (s *Screen) Done(r verdict.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.results == nil {
		return
	}
	p := Planned{r.Service, r.Check}
	s.results[p] = r
	delete(s.waiting, p)
	s.draw(false)
}

// Close takes the table away; the report is written in its place.
func (s *Screen) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.erase()
	}
	s.closed = true
}

func (s *Screen) erase() {
	if s.drawn > 0 {
		fmt.Fprintf(s.W, "\x1b[%dA\x1b[J", s.drawn)
	}
	s.drawn = 0
}

// maxRows keeps the table on one screen, where it can be redrawn.
const maxRows = 20

func (s *Screen) draw(force bool) {
	if s.closed || (!force && time.Since(s.last) < frame) {
		return
	}
	s.last = time.Now()
	var results []verdict.Result
	for _, p := range s.plan {
		if r, ok := s.results[p]; ok {
			results = append(results, r)
		}
	}
	var b strings.Builder
	writeMatrix(&b, results, s.plan)
	lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	if len(lines) > maxRows {
		lines = append(lines[:maxRows], "…")
	}
	shown := 0
	for _, p := range s.plan {
		if f, ok := s.waiting[p]; ok && shown < 3 {
			shown++
			lines = append(lines, limitRunes("waiting: "+title(verdict.Result{Service: p.Service, Check: p.Check})+": "+f.Seen, 100))
		}
	}
	lines = append(lines, fmt.Sprintf("%d of %d checks done", len(s.results), len(s.plan)))
	s.erase()
	fmt.Fprint(s.W, strings.Join(lines, "\n")+"\n")
	s.drawn = len(lines)
}
