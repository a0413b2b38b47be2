package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/proerror77/nova-staging/smoke/verdict"
)

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Package    string          `xml:"package,attr"`
	ID         int             `xml:"id,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr"`
	Timestamp  string          `xml:"timestamp,attr"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Name      string      `xml:"name,attr"`
	Classname string      `xml:"classname,attr"`
	Time      string      `xml:"time,attr"`
	Failure   *junitFault `xml:"failure,omitempty"`
	Error     *junitFault `xml:"error,omitempty"`
	Skipped   *junitSkip  `xml:"skipped,omitempty"`
	SystemOut string      `xml:"system-out,omitempty"`
}

type junitFault struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

type junitSkip struct {
	Message string `xml:"message,attr"`
}

// WriteJUnit writes the report as JUnit XML: one suite a service, one case a
// check. A failed check is a failure, an inconclusive one an error. The class
// name is never empty, because Jenkins groups by it.
func WriteJUnit(w io.Writer, r *Report) error {
	all := junitSuites{Name: "smoke " + r.Namespace, Time: junitTime(r.Duration)}
	at := map[string]int{}
	for _, res := range r.Results {
		name := res.Service
		if name == "" {
			name = "environment"
		}
		i, ok := at[name]
		if !ok {
			i = len(all.Suites)
			at[name] = i
			all.Suites = append(all.Suites, junitSuite{
				Name: clean(name), Package: "smoke", ID: i, Timestamp: r.Started.UTC().Format("2006-01-02T15:04:05"),
				Properties: []junitProperty{{"namespace", clean(r.Namespace)}, {"release", clean(r.Release)}},
			})
		}
		s := &all.Suites[i]
		s.Cases = append(s.Cases, junitCaseOf(name, res, s, &all))
	}
	for i := range all.Suites {
		all.Suites[i].Time = junitTime(suiteTime(r, all.Suites[i].Name))
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("write the JUnit report: %w", err)
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return fmt.Errorf("write the JUnit report: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func junitCaseOf(suite string, res verdict.Result, s *junitSuite, all *junitSuites) junitCase {
	c := junitCase{Name: string(res.Check), Classname: "smoke." + clean(suite), Time: junitTime(res.Duration)}
	s.Tests++
	all.Tests++
	text := clean(strings.Join(reason(res), "\n"))
	message := clean(res.Seen)
	if res.Expected != "" {
		message = clean("expected " + res.Expected + ", seen " + res.Seen)
	}
	fault := &junitFault{Message: message, Type: string(res.ClassOf()), Text: text}
	switch res.Verdict {
	case verdict.Failed:
		c.Failure = fault
		s.Failures++
		all.Failures++
	case verdict.Skipped:
		c.Skipped = &junitSkip{Message: message}
		s.Skipped++
		all.Skipped++
	case verdict.Passed:
		c.SystemOut = text
	default:
		c.Error = fault
		s.Errors++
		all.Errors++
	}
	return c
}

// suiteTime spans from the first start to the last end in a suite.
func suiteTime(r *Report, suite string) time.Duration {
	var first, last time.Time
	for _, res := range r.Results {
		name := res.Service
		if name == "" {
			name = "environment"
		}
		if clean(name) != suite || res.Started.IsZero() {
			continue
		}
		if first.IsZero() || res.Started.Before(first) {
			first = res.Started
		}
		if end := res.Started.Add(res.Duration); end.After(last) {
			last = end
		}
	}
	return last.Sub(first)
}

func junitTime(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }

// clean drops what XML 1.0 can not hold.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r',
			r >= 0x20 && r <= 0xD7FF, r >= 0xE000 && r <= 0xFFFD, r >= 0x10000 && r <= 0x10FFFF:
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, " "))
}
