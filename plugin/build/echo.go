package build

import (
	"regexp"
	"strings"
)

// echoes are where kustomize repeats what a file holds: a value, a line, a whole
// patch. It may be a secret, and what a message says is shown to people who may
// not read the repository.
var echoes = []struct {
	re   *regexp.Regexp
	text string
}{
	{regexp.MustCompile(`(?s):? ?node contents:.*$`), ""},
	{regexp.MustCompile(`(?s)(?:literal sources \[.*\]: )?invalid literal source .*$`), "one of the literals of a generator is not key=value"},
	{regexp.MustCompile(`(?s)line \[[\d ]*\] has invalid utf8 bytes : .*$`), "a line of an env file is not UTF-8"},
	{regexp.MustCompile(`(?s)must specify one of patch and path in\n.*$`), "an entry of patches has neither patch nor path"},
	{regexp.MustCompile(`(?s)patch and path can't be set at the same time\n.*$`), "an entry of patches has both patch and path"},
	{regexp.MustCompile(`(?s)must specify a target for JSON patch \[patch: .*$`), "an inline JSON patch has no target"},
	{regexp.MustCompile(`(?s)unable to parse SM or JSON patch from \[patch: .*$`), "an inline patch is neither a strategic merge patch nor a JSON patch"},
	{regexp.MustCompile(`(?s)(unable to (?:find|parse|load|get)[^\[]*) \[patch: .*$`), "$1 an inline patch"},
	{regexp.MustCompile(`(?s)decoding \[.*\]: json: `), "a JSON patch is not a list of operations: "},
	{regexp.MustCompile(`(?s)(options\.index \S+ is out of bounds) for value .*$`), "$1"},
}

// withoutEcho leaves out of a message of kustomize what the files hold.
func withoutEcho(text string) string {
	for _, e := range echoes {
		text = e.re.ReplaceAllString(text, e.text)
	}
	return strings.ToValidUTF8(text, "�")
}
