package command_test

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proerror77/nova-staging/smoke/command"
	"github.com/proerror77/nova-staging/smoke/config"
	"github.com/proerror77/nova-staging/smoke/verdict"
)

// section is the README's part on smoke.
func section(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(data), "\n## Prove it: `smoke`\n")
	if !found {
		t.Fatal("the README has no section on smoke")
	}
	text, _, _ := strings.Cut(after, "\n## ")
	return text
}

// rows gives the first cells of all rows of tables in a text that look like a
// pattern with one group, in their order.
func rows(text, pattern string) []string {
	var found []string
	for _, m := range regexp.MustCompile(`(?m)^\| `+pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	return found
}

func TestReadmeHasEveryVerdictAndClass(t *testing.T) {
	t.Parallel()
	text := section(t)
	var classes, verdicts []string
	for _, c := range verdict.Classes() {
		classes = append(classes, string(c.Class))
	}
	for _, v := range verdict.All() {
		verdicts = append(verdicts, string(v))
	}
	if diff := cmp.Diff(classes, rows(text, "\\d+ \\| `([a-z-]+)` \\|")); diff != "" {
		t.Errorf("classes (-want +got):\n%s", diff)
	}
	for _, v := range verdicts {
		if !strings.Contains(text, "\n| "+v+" | ") {
			t.Errorf("no row for the verdict %s", v)
		}
	}
}

func TestReadmeHasEveryFlagOfRun(t *testing.T) {
	t.Parallel()
	var help bytes.Buffer
	if code := command.Run(context.Background(), []string{"run", "--help"}, func(string) string { return "" }, strings.NewReader(""), &help, &help); code != 0 {
		t.Fatalf("--help ends with %d", code)
	}
	flags := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^ +(?:-\w, )?--([a-z-]+) `).FindAllStringSubmatch(help.String(), -1) {
		flags[m[1]] = m[1] != "help"
	}
	if len(flags) < 10 {
		t.Fatalf("found %d flags only in\n%s", len(flags), help.String())
	}
	named := map[string]bool{}
	for _, m := range regexp.MustCompile("[ `(]--([a-z][a-z-]*)").FindAllStringSubmatch(section(t), -1) {
		named[m[1]] = true
		if _, known := flags[m[1]]; !known {
			t.Errorf("the README names the flag --%s, which smoke run does not have", m[1])
		}
	}
	for name, wanted := range flags {
		if wanted && !named[name] {
			t.Errorf("the README does not name the flag --%s", name)
		}
	}
}

// TestReadmeShowsEveryField parses the example and looks whether it leaves a
// field of the config out.
func TestReadmeShowsEveryField(t *testing.T) {
	t.Parallel()
	example := ""
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(section(t), -1) {
		if strings.Contains(block[1], "kind: "+config.Kind) {
			example += block[1]
		}
	}
	conf, err := config.Parse("README.md", []byte(example))
	if err != nil {
		t.Fatal(err)
	}
	if len(conf.Services) != 2 {
		t.Errorf("the example has %d services", len(conf.Services))
	}
	var fields func(reflect.Type)
	fields = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice:
			fields(typ.Elem())
		case reflect.Struct:
			for f := range typ.Fields() {
				name := f.Tag.Get("yaml")
				if name == "" {
					continue
				}
				if !regexp.MustCompile(`(?m)[ {-]` + name + `:|^` + name + `:`).MatchString(example) {
					t.Errorf("the example lacks the field %s of %s", name, typ)
				}
				fields(f.Type)
			}
		}
	}
	fields(reflect.TypeFor[config.Config]())
}

// TestReadmeExplainsMessagesThatExist looks for what the troubleshooting table
// quotes in the code that says it.
func TestReadmeExplainsMessagesThatExist(t *testing.T) {
	t.Parallel()
	var code strings.Builder
	err := fs.WalkDir(os.DirFS(".."), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		data, err := os.ReadFile(filepath.Join("..", path))
		code.Write(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	record, err := os.ReadFile(filepath.Join("..", "..", "internal", "release", "release.go"))
	if err != nil {
		t.Fatal(err)
	}
	code.Write(record)
	_, table, _ := strings.Cut(section(t), "### What smoke said\n")
	quoted := 0
	for _, row := range rows(table, `[a-z-]+ \| ([^|]*)\|`) {
		for _, message := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row, -1) {
			for part := range strings.SplitSeq(message[1], "…") {
				if part = strings.Trim(part, " ,:"); len(part) < 4 {
					continue
				}
				quoted++
				// Numbers stand where the code has a verb.
				literal := regexp.QuoteMeta(part)
				literal = regexp.MustCompile(`\d+`).ReplaceAllString(literal, `(?:%d|\d+)`)
				if !regexp.MustCompile(literal).MatchString(code.String()) {
					t.Errorf("no message of smoke says %q", part)
				}
			}
		}
	}
	if quoted < 25 {
		t.Errorf("found %d quoted messages only", quoted)
	}
}
