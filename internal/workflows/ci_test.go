package workflows_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// ciScript installs .ci/run in a runner's folder, with every program that it looks
// for in place. make fails for one target.
func ciScript(t *testing.T, fails string) (*runner, string) {
	t.Helper()
	r := newRunner(t)
	data, err := os.ReadFile("../../.ci/run")
	if err != nil {
		t.Fatal(err)
	}
	r.write(".ci/run", string(data))
	for _, found := range regexp.MustCompile(`(?m)^need (\S+) `).FindAllStringSubmatch(string(data), -1) {
		r.tool(found[1], "true")
	}
	for _, program := range []string{"aws", "moto_server", "cfn-lint", "go"} {
		r.tool(program, "true")
	}
	r.tool("make", `if [ "$1" = "`+fails+`" ]; then exit 7; fi`)
	return r, `exec bash "` + filepath.Join(r.dir, ".ci/run") + `"`
}

func TestCIFailsWhenAnyOfItsStepsDoes(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"", "lint", "test", "vulncheck", "demo", "e2e"} {
		t.Run("target "+target, func(t *testing.T) {
			t.Parallel()
			r, script := ciScript(t, target)
			status, out := r.run(script)
			calls := r.read("CALLS")
			if !strings.Contains(calls, "make "+target) {
				t.Fatalf("it ran\n%s\nand said %s", calls, out)
			}
			if (status != 0) != (target != "") {
				t.Errorf("status %d: %s", status, out)
			}
			// What the cluster says is worth knowing, whatever failed before it.
			if target == "test" || target == "demo" {
				if !strings.Contains(calls, "make e2e") {
					t.Errorf("e2e was left out: %s", calls)
				}
			}
		})
	}
}

func TestHelpListsEveryTargetThatHasAComment(t *testing.T) {
	t.Parallel()
	need(t, "make", "awk")
	text, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "make", "-C", "../..", "--no-print-directory", "help").Output()
	if err != nil {
		t.Fatal(err)
	}
	targets := regexp.MustCompile(`(?m)^([^\s:]+):.*?## `).FindAllStringSubmatch(string(text), -1)
	if len(targets) < 10 {
		t.Fatalf("found %v: is the test still reading the Makefile?", targets)
	}
	for _, m := range targets {
		if !strings.Contains(string(out), "\n  "+m[1]+" ") && !strings.HasPrefix(string(out), "  "+m[1]+" ") {
			t.Errorf("make help does not list %s:\n%s", m[1], out)
		}
	}
}
