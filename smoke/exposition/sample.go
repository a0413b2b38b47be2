package exposition

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// sample is one line of a page: name{labels} value, and what stands behind it.
type sample struct {
	name   string
	labels map[string]string
	value  string
	rest   string // timestamp, exemplar
}

// parseSample reads a line of either text format, names in quotes included.
func parseSample(line string) (sample, error) {
	s := sample{labels: map[string]string{}}
	i := strings.IndexAny(line, "{ \t")
	if i < 0 {
		return s, errors.New("a sample has no value")
	}
	s.name = line[:i]
	rest := line[i:]
	if trimmed := strings.TrimLeft(rest, " \t"); strings.HasPrefix(trimmed, "{") {
		var err error
		if rest, err = s.parseLabels(trimmed[1:]); err != nil {
			return s, err
		}
	}
	if s.name == "" {
		return s, errors.New("a sample has no name")
	}
	rest = strings.TrimLeft(rest, " \t")
	s.value, s.rest, _ = strings.Cut(rest, " ")
	if s.value == "" {
		return s, fmt.Errorf("%s has no value", s.name)
	}
	return s, nil
}

// parseLabels reads up to and with the closing brace and gives what follows it.
func (s *sample) parseLabels(in string) (string, error) {
	for {
		in = strings.TrimLeft(in, " \t,")
		if in == "" {
			return "", fmt.Errorf("labels of %q do not end", s.name)
		}
		if in[0] == '}' {
			return in[1:], nil
		}
		name, rest, err := labelName(in)
		if err != nil {
			return "", err
		}
		rest = strings.TrimLeft(rest, " \t")
		if rest == "" || rest[0] != '=' {
			if s.name != "" || !strings.HasPrefix(in, `"`) {
				return "", fmt.Errorf("label %q has no value", name)
			}
			s.name, in = name, rest
			continue
		}
		value, rest, err := quoted(strings.TrimLeft(rest[1:], " \t"))
		if err != nil {
			return "", fmt.Errorf("label %s: %w", name, err)
		}
		if _, twice := s.labels[name]; twice {
			return "", fmt.Errorf("label %s is given twice", name)
		}
		s.labels[name] = value
		in = rest
	}
}

func labelName(in string) (name, rest string, err error) {
	if in[0] == '"' {
		return quoted(in)
	}
	i := strings.IndexAny(in, "=}, \t")
	if i <= 0 {
		return "", "", errors.New("a label has no name")
	}
	return in[:i], in[i:], nil
}

// quoted reads a text in double quotes with the escapes \\, \" and \n.
func quoted(in string) (text, rest string, err error) {
	if in == "" || in[0] != '"' {
		return "", "", errors.New("a value is not in quotes")
	}
	var b strings.Builder
	for i := 1; i < len(in); i++ {
		switch c := in[i]; {
		case c == '"':
			return b.String(), in[i+1:], nil
		case c == '\\' && i+1 < len(in):
			i++
			switch in[i] {
			case 'n':
				b.WriteByte('\n')
			case '\\', '"':
				b.WriteByte(in[i])
			default:
				b.WriteByte('\\')
				b.WriteByte(in[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", "", errors.New("a value's quotes do not end")
}

// number reads a value as both formats write it.
func number(s string) (float64, error) {
	if strings.ContainsAny(s, "pP_") {
		return 0, fmt.Errorf("%q is no number", s)
	}
	return strconv.ParseFloat(s, 64)
}

// duplicates looks for series that a page in the text format gives twice.
func (p *Page) duplicates(body []byte) {
	seen := make(map[string]int, p.Samples)
	n := 0
	for line := range bytes.Lines(body) {
		n++
		text := strings.TrimSpace(string(line))
		if text == "" || text[0] == '#' {
			continue
		}
		s, err := parseSample(text)
		if err != nil {
			p.problem("line %d: %v", n, err)
			continue
		}
		id := s.name + "{" + key(s.labels) + "}"
		if first, twice := seen[id]; twice {
			p.problem("series %s is given twice, at lines %d and %d", id, first, n)
			continue
		}
		seen[id] = n
	}
}
