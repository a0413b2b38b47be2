package docs_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	generate "github.com/proerror77/nova-staging/plugin/command"
	smoke "github.com/proerror77/nova-staging/smoke/command"
	trigger "github.com/proerror77/nova-staging/trigger/command"
)

// programs run with arguments and write to one place.
var programs = map[string]func(*testing.T, io.Writer, ...string) int{
	"generate": func(t *testing.T, w io.Writer, args ...string) int {
		return generate.Run(t.Context(), generate.Program{Args: args, Stdout: w, Stderr: w})
	},
	"smoke": func(t *testing.T, w io.Writer, args ...string) int {
		return smoke.Run(t.Context(), args, func(string) string { return "" }, strings.NewReader(""), w, w)
	},
	"trigger": func(t *testing.T, w io.Writer, args ...string) int {
		return trigger.Run(t.Context(), trigger.Program{Args: args, Env: func(string) string { return "" }, Stdout: w, Stderr: w})
	},
}

// subcommands are those of a program, as its help names them.
func subcommands(t *testing.T, program string) []string {
	t.Helper()
	_, list, _ := strings.Cut(help(t, program), "Available Commands:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	var names []string
	for _, line := range strings.Split(list, "\n") {
		if f := strings.Fields(line); len(f) > 0 {
			names = append(names, f[0])
		}
	}
	if len(names) < 3 {
		t.Fatalf("%s has the subcommands %q: is the test still reading its help?", program, names)
	}
	return names
}

func help(t *testing.T, program string, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	if status := programs[program](t, &out, append(args, "--help")...); status != 0 {
		t.Fatalf("%s %s --help: exit status %d", program, args, status)
	}
	return out.String()
}

var (
	// shown is a command line: in a block, after a prompt or a pipe, or in backticks.
	shown = regexp.MustCompile("(?m)(?:^ *(?:\\$ )?|\\| |`|run: |\\./|bin/|old/|new/)(generate|smoke|trigger)((?: [^`|#\\n]*)?)")
	flags = regexp.MustCompile(`(?:^| )(--?[a-z][a-z-]*)`)
	entry = regexp.MustCompile(`(?m)^ +(?:(-[a-zA-Z]), )?(?:    )?(--[a-z][a-z-]*)`)
)

// TestEveryCommandShownExists holds the command lines of the pages to the programs'
// help: subcommands and flags.
func TestEveryCommandShownExists(t *testing.T) {
	t.Parallel()
	known := map[string][]string{}
	names := map[string][]string{}
	for program := range programs {
		names[program] = subcommands(t, program)
		for _, sub := range append(names[program], "") {
			args := []string{}
			if sub != "" {
				args = append(args, sub)
			}
			for _, m := range entry.FindAllStringSubmatch(help(t, program, args...), -1) {
				known[program+" "+sub] = append(known[program+" "+sub], m[1], m[2])
			}
		}
	}
	n := 0
	for _, p := range all(t) {
		for _, m := range shown.FindAllStringSubmatch(joined(p.text), -1) {
			program, rest := m[1], strings.Fields(m[2])
			sub := ""
			if len(rest) > 0 && slices.Contains(names[program], rest[0]) {
				sub = rest[0]
			}
			if sub == "" && (len(rest) == 0 || program != "generate" && !strings.HasPrefix(rest[0], "-")) {
				continue // the program's name in a sentence or a tree
			}
			n++
			for _, f := range flags.FindAllStringSubmatch(m[2], -1) {
				if !slices.Contains(known[program+" "+sub], f[1]) {
					t.Errorf("%s shows %s%s: there is no flag %s", p.name, program, m[2], f[1])
				}
			}
		}
	}
	if n < 60 {
		t.Errorf("%d command lines were seen: is the test still finding them?", n)
	}
}

// joined puts lines that end in a backslash together with the next.
func joined(text string) string { return regexp.MustCompile(`\\\n *`).ReplaceAllString(text, " ") }

func TestEveryMakeTargetAndFileShownExists(t *testing.T) {
	t.Parallel()
	root := filepath.Dir(pages)
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	target := regexp.MustCompile("(?m)(?:^ {4,}|`|&& )make ([a-z][a-z0-9-]*)")
	file := regexp.MustCompile(`(?:^|[ '"=])((?:manifests|bench|soak|tools|e2e)/[A-Za-z0-9_./-]+[A-Za-z0-9_-])`)
	n := 0
	for _, p := range all(t) {
		for _, m := range target.FindAllStringSubmatch(p.text, -1) {
			n++
			if !bytes.Contains(makefile, []byte("\n"+m[1]+":")) {
				t.Errorf("%s shows make %s: there is no such target", p.name, m[1])
			}
		}
		for _, line := range strings.Split(p.text, "\n") {
			if !strings.HasPrefix(line, "    ") || strings.Contains(line, "staging as of") {
				continue // only commands
			}
			for _, m := range file.FindAllStringSubmatch(line, -1) {
				n++
				if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
					t.Errorf("%s shows %s, which is not there: %s", p.name, m[1], strings.TrimSpace(line))
				}
			}
		}
	}
	if n < 20 {
		t.Errorf("%d targets and files were seen: is the test still finding them?", n)
	}
}
