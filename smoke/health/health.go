// Package health judges the answer of a health endpoint. A status of 200 alone
// is no proof: error pages have it too.
package health

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/proerror77/nova-staging/smoke/probe"
	"github.com/proerror77/nova-staging/smoke/redact"
)

// MaxBody is how much of an answer is read, in bytes.
const MaxBody = 1 << 20

// Expect is what a good answer is. Make one with [Compile].
type Expect struct {
	status      []int
	contentType string
	body        *regexp.Regexp
	json        map[string]string
}

// Rules are the parts of an expectation as a config file gives them, with all
// placeholders filled in.
type Rules struct {
	Status      []int
	ContentType string
	Body        string
	JSON        map[string]string
}

// Compile checks the rules.
func Compile(r Rules) (Expect, error) {
	e := Expect{status: r.Status, contentType: r.ContentType, json: r.JSON}
	if r.Body != "" {
		re, err := regexp.Compile(r.Body)
		if err != nil {
			return Expect{}, fmt.Errorf("compile health.body: %w", err)
		}
		e.body = re
	}
	return e, nil
}

// Mismatch is a difference between what was expected and what came.
type Mismatch struct{ Expected, Seen string }

// Judge gives nil for a good answer.
func (e Expect) Judge(a probe.Answer) *Mismatch {
	if m := e.Reached(a); m != nil {
		return m
	}
	if a.TooLong {
		return &Mismatch{fmt.Sprintf("a body of at most %d bytes", MaxBody), "the body goes on after that"}
	}
	// The transport has undone gzip, the one encoding that it asks for.
	if encoding := a.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") && len(a.Body) > 0 {
		return &Mismatch{"a body as it is or in gzip", fmt.Sprintf("Content-Encoding %q, which was not asked for", encoding)}
	}
	media, _, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if err != nil {
		media = ""
	}
	if e.contentType != "" && !strings.EqualFold(media, e.contentType) {
		return &Mismatch{"Content-Type " + e.contentType, fmt.Sprintf("Content-Type %q: %s", a.Header.Get("Content-Type"), excerpt(a.Body))}
	}
	if e.contentType != "text/html" && isHTML(media, a.Body) {
		return &Mismatch{"no HTML page", fmt.Sprintf("status %d with an HTML page: %s", a.Status, excerpt(a.Body))}
	}
	if e.body != nil && !e.body.Match(a.Body) {
		return &Mismatch{"a body that matches " + e.body.String(), excerpt(a.Body)}
	}
	return e.judgeJSON(media, a)
}

// Reached gives nil for an answer that came whole and with a good status,
// whatever it says.
func (e Expect) Reached(a probe.Answer) *Mismatch {
	if a.Err != nil {
		return &Mismatch{e.describe(), redact.Line(a.Err.Error())}
	}
	return e.judgeStatus(a)
}

func (e Expect) describe() string {
	if len(e.status) > 0 {
		codes := make([]string, len(e.status))
		for i, c := range e.status {
			codes[i] = strconv.Itoa(c)
		}
		return "status " + strings.Join(codes, " or ")
	}
	return "status 2xx"
}

func (e Expect) judgeStatus(a probe.Answer) *Mismatch {
	good := a.Status >= 200 && a.Status <= 299
	if len(e.status) > 0 {
		good = slices.Contains(e.status, a.Status)
	}
	if good {
		return nil
	}
	seen := fmt.Sprintf("status %d", a.Status)
	if text := http.StatusText(a.Status); text != "" {
		seen += " " + text
	}
	if to := a.Header.Get("Location"); to != "" && a.Status >= 300 && a.Status <= 399 {
		seen += " to " + redact.Line(to) + " (redirects are not followed)"
	} else if len(a.Body) > 0 {
		seen += ": " + excerpt(a.Body)
	}
	return &Mismatch{e.describe(), seen}
}

// isHTML trusts neither the Content-Type nor the first tag: error pages come as
// text/plain too, and may begin with a comment, an XML declaration or a blank.
func isHTML(media string, body []byte) bool {
	if media == "text/html" || media == "application/xhtml+xml" {
		return true
	}
	start := bytes.ToLower(bytes.TrimLeft(body[:min(len(body), 1024)], " \t\r\n\ufeff"))
	if !bytes.HasPrefix(start, []byte("<")) {
		return false
	}
	// The sniffing of browsers knows the tags that a page may begin with.
	if kind, _, _ := mime.ParseMediaType(http.DetectContentType(start)); kind == "text/html" {
		return true
	}
	for _, tag := range []string{"<!doctype html", "<html", "<head", "<body", "<title", "<center", "<meta", "<link"} {
		if bytes.Contains(start, []byte(tag)) {
			return true
		}
	}
	return false
}

// down are the words with which a health document says that it is not well, in
// the status of Spring, of the health+json draft and of many hand-made ones.
var down = []string{
	"down", "fail", "failed", "failing", "failure", "error", "errored", "unhealthy", "critical", "out_of_service", "out-of-service",
	"unavailable", "not_ok", "not ok", "nok", "ko", "dead", "broken", "not_ready", "not ready", "notready", "not_serving", "false",
	"red", "offline",
}

func (e Expect) judgeJSON(media string, a probe.Answer) *Mismatch {
	says := media == "application/json" || strings.HasSuffix(media, "+json")
	trimmed := bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(a.Body), []byte("\ufeff")))
	looks := len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[')
	if !says && !looks && len(e.json) == 0 {
		if isDown(string(trimmed)) {
			return &Mismatch{"an answer that says it is well", fmt.Sprintf("status %d, but it says %q", a.Status, trimmed)}
		}
		return nil
	}
	if len(trimmed) == 0 && len(e.json) == 0 {
		return nil // an empty answer of any type
	}
	dec := json.NewDecoder(bytes.NewReader(trimmed))
	dec.UseNumber()
	var doc any
	err := dec.Decode(&doc)
	if err == nil {
		if _, more := dec.Token(); more != io.EOF {
			err = fmt.Errorf("something follows the document")
		}
	}
	if err != nil {
		if !says && len(e.json) == 0 && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil // only looked like JSON
		}
		return &Mismatch{"a JSON document", fmt.Sprintf("%s (%s)", excerpt(a.Body), oneLine(err.Error()))}
	}
	for _, path := range slices.Sorted(maps.Keys(e.json)) {
		got, ok := field(doc, path)
		switch {
		case !ok:
			return &Mismatch{fmt.Sprintf("JSON field %s = %q", path, e.json[path]), "there is no such field: " + excerpt(a.Body)}
		case got != e.json[path]:
			return &Mismatch{fmt.Sprintf("JSON field %s = %q", path, e.json[path]), fmt.Sprintf("%s = %q", path, redact.Line(got))}
		}
	}
	return e.judgeDocument(a.Status, doc)
}

// judgeDocument looks at what the document says of itself, but for the fields
// that the config judges. The case of the names does not matter.
func (e Expect) judgeDocument(status int, doc any) *Mismatch {
	wrong := func(what string, v any) *Mismatch {
		return &Mismatch{"an answer that says it is well", fmt.Sprintf("status %d, but its JSON %s is %q", status, what, redact.Line(text(v)))}
	}
	fields, ok := doc.(map[string]any)
	if !ok {
		if s, ok := doc.(string); (ok && isDown(s)) || doc == false {
			return wrong("document", doc)
		}
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if _, asked := e.json[name]; asked {
			continue
		}
		value := fields[name]
		switch strings.ToLower(name) {
		case "status", "state", "health", "healthy", "ok", "success", "ready", "alive", "live":
			if isDown(text(value)) {
				return wrong("field "+name, value)
			}
		case "error", "errors":
			if says(value) {
				return wrong("field "+name, value)
			}
		}
	}
	return nil
}

func isDown(word string) bool {
	return slices.Contains(down, strings.ToLower(strings.TrimSpace(word)))
}

// says tells an error from a field that is there to say that there is none, or
// that counts them.
func says(v any) bool {
	switch v := v.(type) {
	case string:
		return v != "" && !slices.Contains([]string{"none", "null", "no", "false", "ok"}, strings.ToLower(v))
	case bool:
		return v
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return false
}

// field walks a path of names and list positions and gives the value as text.
func field(doc any, path string) (string, bool) {
	if m, ok := doc.(map[string]any); ok {
		if v, ok := m[path]; ok {
			return text(v), true // a name may hold dots itself
		}
	}
	for step := range strings.SplitSeq(path, ".") {
		switch d := doc.(type) {
		case map[string]any:
			v, ok := d[step]
			if !ok {
				return "", false
			}
			doc = v
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(d) {
				return "", false
			}
			doc = d[i]
		default:
			return "", false
		}
	}
	return text(doc), true
}

func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case nil:
		return "null"
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// excerpt is the beginning of a body, one line, redacted.
func excerpt(body []byte) string {
	if len(bytes.TrimSpace(body)) == 0 {
		return "(empty body)"
	}
	cut := len(body) > 2048
	if cut {
		body = body[:2048]
	}
	line := oneLine(redact.Line(string(body)))
	if r := []rune(line); len(r) > 160 || cut {
		return string(r[:min(len(r), 160)]) + "…"
	}
	return line
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
