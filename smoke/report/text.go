package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/proerror77/nova-staging/smoke/verdict"
)

func count(n int, what string) string { return strconv.Itoa(n) + " " + what }

func seconds(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	default:
		return d.Round(100 * time.Millisecond).String()
	}
}

// mark is the sign that stands for a verdict in tables; letters, because a Pod
// log is read in terminals of all kinds.
func mark(v verdict.Verdict) string {
	switch v {
	case verdict.Passed:
		return "ok"
	case verdict.Failed:
		return "FAILED"
	case verdict.Inconclusive:
		return "UNKNOWN"
	case verdict.Skipped:
		return "skipped"
	}
	return "…"
}

// WriteTable writes the whole report for people: one row a service, then the
// reasons of everything that did not pass.
func WriteTable(w io.Writer, r *Report) error {
	var b strings.Builder
	writeMatrix(&b, r.Results, nil)
	for _, res := range r.Troubles() {
		b.WriteString("\n" + strings.ToUpper(string(res.Verdict)) + "  " + title(res) + "\n")
		for _, l := range reason(res) {
			b.WriteString("  " + l + "\n")
		}
	}
	for _, n := range r.Notes {
		b.WriteString("\nnote: " + n + "\n")
	}
	fmt.Fprintf(&b, "\n%s\n", r.Summary())
	_, err := io.WriteString(w, b.String())
	return err
}

func title(res verdict.Result) string {
	if res.Service == "" {
		return string(res.Check)
	}
	return res.Service + " " + string(res.Check)
}

// reason lists what stands behind a result, one line each.
func reason(res verdict.Result) []string {
	var lines []string
	add := func(name, value string) {
		if value != "" {
			lines = append(lines, fmt.Sprintf("%-9s %s", name, value))
		}
	}
	add("where", res.Target)
	add("expected", res.Expected)
	add("seen", res.Seen)
	add("hint", res.Hint)
	for _, d := range res.Details {
		for l := range strings.SplitSeq(d, "\n") {
			lines = append(lines, "          "+l)
		}
	}
	if len(res.Logs) > 0 {
		lines = append(lines, "last log lines (secrets redacted)")
		for _, l := range res.Logs {
			lines = append(lines, "  | "+l)
		}
	}
	return lines
}

// writeMatrix writes one row for each service and one for each check of the
// whole run. planned adds rows for what has no result yet.
func writeMatrix(b *strings.Builder, results []verdict.Result, planned []Planned) {
	checks := verdict.ServiceChecks()
	cells := map[string]map[verdict.Check]string{}
	var services []string
	var general []verdict.Result
	touch := func(name string) {
		if cells[name] == nil {
			cells[name] = map[verdict.Check]string{}
			services = append(services, name)
		}
	}
	for _, p := range planned {
		if p.Service != "" {
			touch(p.Service)
		}
	}
	for _, r := range results {
		if r.Service == "" {
			general = append(general, r)
			continue
		}
		touch(r.Service)
		cells[r.Service][r.Check] = mark(r.Verdict)
	}
	if len(services) > 0 {
		width := len("SERVICE")
		for _, s := range services {
			width = max(width, utf8.RuneCountInString(s))
		}
		row := func(first string, cell func(verdict.Check) string) {
			line := pad(first, width)
			for _, c := range checks {
				line += "  " + pad(cell(c), 9)
			}
			b.WriteString(strings.TrimRight(line, " ") + "\n")
		}
		row("SERVICE", func(c verdict.Check) string { return strings.ToUpper(string(c)) })
		for _, s := range services {
			row(s, func(c verdict.Check) string {
				if t := cells[s][c]; t != "" {
					return t
				}
				return "…"
			})
		}
	}
	for _, r := range general {
		if r.Verdict == verdict.Passed && r.Check == verdict.Access {
			continue
		}
		fmt.Fprintf(b, "%s: %s  %s\n", r.Check, mark(r.Verdict), r.Seen)
	}
}

func pad(s string, width int) string {
	if n := utf8.RuneCountInString(s); n < width {
		return s + strings.Repeat(" ", width-n)
	}
	return s
}
