package build_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/proerror77/nova-staging/plugin/build"
)

// billionLaughs unfolds into a hundred million values.
const billionLaughs = `apiVersion: v1
kind: ConfigMap
metadata: {name: x}
a: &a [x, x, x, x, x, x, x, x, x, x]
b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]
c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]
d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]
e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]
f: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]
g: &g [*f, *f, *f, *f, *f, *f, *f, *f, *f, *f]
h: [*g, *g, *g, *g, *g, *g, *g, *g, *g, *g]
`

const object = "apiVersion: v1\nkind: Odd\nmetadata: {name: x}\n"

func indented(text string) string { return strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ") }

func TestRunRefusesABombQuicklyAndInLittleMemory(t *testing.T) {
	// Not parallel: it measures memory.
	mapping := func(depth int) string {
		return "x: " + strings.Repeat("{a: ", depth) + "1" + strings.Repeat("}", depth) + "\n"
	}
	block := func(depth int) string {
		var b strings.Builder
		for i := range depth {
			b.WriteString(strings.Repeat(" ", i) + "a:\n")
		}
		return b.String()
	}
	patch := func(text string) string {
		return "resources: [r.yaml]\npatches:\n- patch: " + text + "\n-- app/r.yaml --\n" + configMap
	}
	resource := func(text string) string { return "resources: [r.yaml]\n-- app/r.yaml --\n" + text }
	utf16le := func(text string) string {
		b := []byte{0xFF, 0xFE}
		for _, u := range utf16.Encode([]rune(text)) {
			b = append(b, byte(u), byte(u>>8))
		}
		return string(b)
	}
	cases := map[string]struct{ kustomization, want string }{
		"nested aliases":                       {resource(billionLaughs), "app/r.yaml unfolds into more than"},
		"nested merge keys":                    {resource(object + merges(30)), "unfolds into more than"},
		"nested aliases in a later document":   {resource(configMap + "---\n" + billionLaughs), "unfolds into more than"},
		"nested aliases after a bad document":  {resource("a: b: c\n---\n" + billionLaughs), "unfolds into more than"},
		"nested aliases in UTF-16":             {resource(utf16le(billionLaughs)), "unfolds into more than"},
		"an alias within its anchor":           {resource(object + "a: &a [*a]\n"), "alias within its own anchor"},
		"aliases within each other":            {resource(object + "a: &a {b: &b [*a, *b]}\n"), "alias within its own anchor"},
		"nested aliases in the kustomization":  {"x-laughs:\n    " + indented(billionLaughs), "app/kustomization.yaml unfolds into more than"},
		"nested aliases in a patch":            {"patches: [{path: r.yaml}]\n-- app/r.yaml --\n" + billionLaughs, "unfolds into more than"},
		"nested aliases in an inline patch":    {patch("|-\n    " + indented(billionLaughs)), "app/kustomization.yaml unfolds into more than"},
		"the same behind escapes":              {patch(strings.NewReplacer("&", `\x26`, "*", `\u002a`).Replace(strconv.Quote(billionLaughs))), "unfolds into more than"},
		"the same in base64":                   {patch("!!binary " + base64.StdEncoding.EncodeToString([]byte(billionLaughs))), "unfolds into more than"},
		"an inline patch in a transformer":     {"resources: [r.yaml]\ntransformers: [t.yaml]\n-- app/r.yaml --\n" + configMap + "-- app/t.yaml --\napiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: p}\npatch: |-\n    " + indented(billionLaughs), "app/t.yaml unfolds into more than"},
		"nested aliases in replacements":       {"resources: [r.yaml]\nreplacements: [{path: p.yaml}]\n-- app/r.yaml --\n" + configMap + "-- app/p.yaml --\n" + billionLaughs, "app/p.yaml unfolds into more than"},
		"deep flow mappings":                   {resource(object + mapping(9000)), "nests more than 200 levels"},
		"deep mappings in 100,000 levels":      {resource(object + mapping(100_000)), "app/r.yaml"},
		"deep flow sequences":                  {resource(object + "x: " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000)), "nests more than 200 levels"},
		"deep sequences in one line":           {resource(object + "x:\n" + strings.Repeat("- ", 9000) + "a\n"), "nests more than 200 levels"},
		"deep block mappings":                  {resource(object + "x:\n" + block(2000)), "nests more than 200 levels"},
		"deep values in an inline patch":       {patch("'{a: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}'"), "nests more than 200 levels"},
		"brackets that close in texts only":    {resource(object + "x: " + strings.Repeat(`["]", `, 3000) + strings.Repeat("]", 3000)), "nests more than 200 levels"},
		"millions of values, one a line":       {resource(object + "x:\n" + strings.Repeat("-\n", 3_000_000)), "app/r.yaml holds more than 500000 values"},
		"millions of values in one line":       {resource(object + "x: [" + strings.Repeat("a,", 3_000_000) + "]\n"), "holds more than 500000 values"},
		"millions of values with returns only": {resource(object + "x:\n" + strings.Repeat("-\r", 3_000_000)), "holds more than 500000 values"},
		"260,000 pairs":                        {resource(object + "x:\n" + pairs(260_000)), "unfolds into more than 500000 values"},
		"half a million pairs":                 {resource(object + "x:\n" + pairs(500_000)), "holds more than 500000 values"},
		"a huge file":                          {resource(object + strings.Repeat("# comment\n", 2_000_000)), "app/r.yaml is 20000046 bytes, at most 16777216 are read"},
		"a huge text":                          {resource(object + "x: \"" + strings.Repeat("a", 17<<20) + "\"\n"), "at most 16777216 are read"},
		"a huge file for a ConfigMap":          {"configMapGenerator: [{name: a, files: [f]}]\n-- app/f --\n" + strings.Repeat("a", 17<<20), "app/f is"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			root := tree(t, "-- app/kustomization.yaml --\n"+c.kustomization+"\n")
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, err := run(t, root)
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if strings.Contains(c.want, "values") && !errors.Is(err, build.ErrTooLarge) {
				t.Errorf("got %v, want ErrTooLarge", err)
			}
			if most := 2 * time.Second * slowdown; took > most {
				t.Errorf("it took %s, more than %s", took, most)
			}
			// What was allocated in all, far more than was held at once.
			if mb := (after.TotalAlloc - before.TotalAlloc) >> 20; mb > 600 {
				t.Errorf("it allocated %d MB", mb)
			}
		})
	}
}

func merges(n int) string {
	var b strings.Builder
	b.WriteString("m0: &m0 {a: 1}\n")
	for i := range n {
		fmt.Fprintf(&b, "m%d: &m%d {x: *m%d, y: *m%d}\n", i+1, i+1, i, i)
	}
	return b.String()
}

func pairs(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "  k%d: v\n", i)
	}
	return b.String()
}

func TestRunTakesWhatIsLargeAndHarmless(t *testing.T) {
	t.Parallel()
	var crd strings.Builder
	crd.WriteString("apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.example.com}\nspec:\n  schema:\n    properties:\n")
	for i := range 4_000 {
		fmt.Fprintf(&crd, "      field%d:\n        description: 'a [bracket] & an *asterisk*, {braces}: \"all\" of them'\n        type: string\n", i)
	}
	deep := "spec:\n"
	for i := range 60 {
		deep += strings.Repeat(" ", i+2) + "properties:\n"
	}
	deep += strings.Repeat(" ", 63) + "x: y\n"
	cases := map[string]string{
		"a CRD of 20,000 values":                crd.String(),
		"a schema of 60 levels":                 object + deep,
		"a text of 2 MB":                        object + "x: \"" + strings.Repeat("word ", 400_000) + "\"\n",
		"a script with ampersands and stars":    object + "x: |\n  #!/bin/sh\n  a & b && c *.txt | tee \"$(cat *)\"\n",
		"a dashboard in JSON within a text":     object + "x: |\n  {\"a\": " + strings.Repeat("[{\"b\": ", 80) + "1" + strings.Repeat("}]", 80) + "}\n",
		"a config with anchors within a text":   object + "x: |\n  a: &a {b: c}\n  d: *a\n",
		"anchors that are used a few times":     object + "a: &a {b: c}\nd: [*a, *a, *a]\n",
		"a template within a text":              object + "x: |\n" + strings.Repeat("  {{ range .Items }}{{ if . }}\n", 300),
		"a certificate of many lines":           object + "x: |\n" + strings.Repeat("  MIIFazCCA1OgAwIBAgIRAIIQz7DSQONZRGPgu2OCiwAwDQYJKoZIhvcNAQELBQAw\n", 2000),
		"a regular expression with backslashes": object + `x: "^\\d+\\.\\d+$"` + "\n",
		"a wide table with deep indentation":    object + "x: |\n" + strings.Repeat("  a"+strings.Repeat(" ", 300)+"b\n  "+strings.Repeat(" ", 150)+"c\n", 50),
	}
	for name, text := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := tree(t, "-- app/kustomization.yaml --\nresources: [r.yaml]\n-- app/r.yaml --\n"+text)
			if _, err := run(t, root); err != nil {
				t.Error(err)
			}
		})
	}
}
