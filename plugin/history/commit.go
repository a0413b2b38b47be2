package history

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/go-git/go-git/v5/plumbing"
)

// Commit is what the package tells of one commit.
type Commit struct {
	// SHA is the full object name, 40 lower-case hexadecimal digits.
	SHA string

	// Committed is the committer's time, in UTC. It is what a machine said,
	// not when the commit reached a branch. Zero when the commit holds no
	// valid time.
	Committed time.Time

	// Subject is the first paragraph of the message on one line, as git
	// shows it: at most 120 characters, and none that a terminal acts on.
	Subject string
}

const (
	maxSubject = 120  // runes
	maxMessage = 4096 // bytes of the message that are looked at for the subject
)

// node is a commit together with its place in the graph.
type node struct {
	Commit
	parents []plumbing.Hash
}

// parseCommit reads the content of a commit object. Parents are taken
// strictly, as they steer what is read next; the rest is for people.
func parseCommit(id plumbing.Hash, data []byte) (node, error) {
	n := node{Commit: Commit{SHA: id.String()}}
	line, rest, _ := bytes.Cut(data, []byte("\n"))
	if _, ok := header(line, "tree"); !ok {
		return node{}, fmt.Errorf("parse commit %s: %w: it does not begin with a tree", id, ErrCorrupt)
	}
	encoding := ""
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		if len(line) == 0 {
			break
		}
		key, value, _ := bytes.Cut(line, []byte(" "))
		switch string(key) {
		case "parent":
			h, ok := header(line, "parent")
			if !ok {
				return node{}, fmt.Errorf("parse commit %s: %w: a parent is not 40 hexadecimal digits", id, ErrCorrupt)
			}
			n.parents = append(n.parents, h)
		case "committer":
			n.Committed = parseTime(value)
		case "encoding":
			encoding = strings.ToLower(string(value))
		}
	}
	n.Subject = subject(rest, encoding)
	return n, nil
}

// header returns the object name in a line such as "tree <name>".
func header(line []byte, key string) (plumbing.Hash, bool) {
	value, ok := bytes.CutPrefix(line, []byte(key+" "))
	if !ok {
		return plumbing.ZeroHash, false
	}
	return parseHash(string(value))
}

// parseHash reads exactly 40 hexadecimal digits.
func parseHash(s string) (plumbing.Hash, bool) {
	if len(s) != 40 || !isHex(s) {
		return plumbing.ZeroHash, false
	}
	return plumbing.NewHash(s), true
}

func isHex(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// parseTime reads the seconds in "A U Thor <a@example.com> 1700000000 +0900".
// Years that RFC 3339 can not write count as no time at all.
func parseTime(ident []byte) time.Time {
	fields := strings.Fields(string(ident[bytes.LastIndexByte(ident, '>')+1:]))
	if len(fields) == 0 {
		return time.Time{}
	}
	sec, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil || sec < 0 || sec >= 253402300800 { // 10000-01-01
		return time.Time{}
	}
	return time.Unix(sec, 0).UTC()
}

// subject joins the lines of the first paragraph and makes them safe to print.
func subject(message []byte, encoding string) string {
	message = message[:min(len(message), maxMessage)]
	text := string(message)
	switch encoding {
	case "iso-8859-1", "iso8859-1", "latin1", "latin-1":
		runes := make([]rune, len(message))
		for i, b := range message {
			runes[i] = rune(b)
		}
		text = string(runes)
	}
	var out []rune
	space, begun := false, false
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == "" {
			if begun {
				break
			}
			continue
		}
		begun = true
		for _, c := range line {
			switch {
			case unicode.IsSpace(c):
				space = true
				continue
			case !unicode.IsPrint(c):
				continue
			}
			if space && len(out) > 0 {
				out = append(out, ' ')
			}
			space = false
			out = append(out, c)
			if len(out) > maxSubject {
				return strings.TrimRight(string(out[:maxSubject-1]), " ") + "…"
			}
		}
	}
	return string(out)
}
