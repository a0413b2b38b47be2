package report

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/proerror77/nova-staging/smoke/verdict"
)

// MaxTermination is how many bytes of a termination message the kubelet keeps.
const MaxTermination = 4096

// MaxEvent is how many bytes of an Event's message the API server takes.
const MaxEvent = 1024

// Termination is the message for /dev/termination-log: the verdict, then as
// many troubles as fit, the deciding one first.
func Termination(r *Report) string { return short(r, MaxTermination) }

// short writes a report into limit bytes.
func short(r *Report, limit int) string {
	head := "smoke " + r.Summary()
	if r.Release != "" {
		head += ", release " + r.Release
	}
	var b strings.Builder
	b.WriteString(cut(head, limit))
	troubles := r.Troubles()
	const more = 40 // room for the line that counts what was left out
	for i, res := range troubles {
		line := "\n" + brief(res)
		room := limit - b.Len() - more
		if len(line) > room && (i > 0 || room < 80) {
			fmt.Fprintf(&b, "\n… and %d more", len(troubles)-i)
			break
		}
		b.WriteString(cut(line, room))
	}
	return cut(b.String(), limit)
}

// brief is a trouble in one line: which service, which check, what was expected
// and what was seen, what to do.
func brief(res verdict.Result) string {
	line := fmt.Sprintf("%s %s", title(res), res.Verdict)
	if res.Target != "" {
		line += " at " + limitRunes(res.Target, 120)
	}
	if res.Expected != "" {
		line += ": expected " + limitRunes(res.Expected, 400) + "; seen " + limitRunes(res.Seen, 600)
	} else {
		line += ": " + limitRunes(res.Seen, 600)
	}
	if res.Hint != "" {
		line += "; " + limitRunes(res.Hint, 300)
	}
	if n := len(res.Logs); n > 0 {
		line += "; log: " + limitRunes(strings.Join(res.Logs[max(0, n-3):], " / "), 400)
	}
	return strings.Join(strings.Fields(line), " ")
}

func limitRunes(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// cut shortens s to at most n bytes of whole characters.
func cut(s string, n int) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) <= n {
		return s
	}
	const ellipsis = "…"
	if n < len(ellipsis) {
		return ""
	}
	s = s[:n-len(ellipsis)]
	for len(s) > 0 {
		if r, size := utf8.DecodeLastRuneInString(s); r != utf8.RuneError || size > 1 {
			break
		}
		s = s[:len(s)-1]
	}
	return s + ellipsis
}
