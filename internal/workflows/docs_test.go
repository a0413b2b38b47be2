package workflows_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

func page(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../docs/pipeline.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestThePageShowsEveryInputWithItsDefault compares the table with the expressions
// in the workflow, `inputs.x || vars.X || 'default'`.
func TestThePageShowsEveryInputWithItsDefault(t *testing.T) {
	t.Parallel()
	w := load(t, "staging-deploy")
	want := map[string]string{}
	for _, m := range regexp.MustCompile(`inputs\.([a-z-]+) \|\| vars\.([A-Z_]+)(?: \|\| '([^']+)')?`).FindAllStringSubmatch(w.text, -1) {
		row := m[2] + " " + m[3]
		if before, ok := want[m[1]]; ok && before != row {
			t.Errorf("%s is read as %q and as %q", m[1], before, row)
		}
		want[m[1]] = row
	}
	call, _ := w.On["workflow_call"].(map[string]any)
	inputs, _ := call["inputs"].(map[string]any)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(inputs))); diff != "" {
		t.Errorf("inputs that are read and that exist (-read +exist):\n%s", diff)
	}
	got := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| `([A-Z_]+)` \\| (?:`([^`]+)`|none)").FindAllStringSubmatch(page(t), -1) {
		got[m[1]] = m[2] + " " + m[3]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("inputs (-workflow +page):\n%s", diff)
	}
}

func TestThePageShowsEveryVerdict(t *testing.T) {
	t.Parallel()
	script := load(t, "staging-deploy").script(t, "deploy-to-staging", "Deploy")
	want := []string{"unchanged", "verified"} // trigger's own word
	for _, m := range regexp.MustCompile(`verdict=([a-z-]+)`).FindAllStringSubmatch(script, -1) {
		if !slices.Contains(want, m[1]) {
			want = append(want, m[1])
		}
	}
	slices.Sort(want)
	_, table, _ := strings.Cut(page(t), "\n## Verdicts\n")
	table, _, _ = strings.Cut(table, "\n## ")
	var got []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|.*\\| (passes|fails) \\|$").FindAllStringSubmatch(table, -1) {
		got = append(got, m[1])
		if passes := m[1] == "verified" || m[1] == "unchanged"; passes != (m[2] == "passes") {
			t.Errorf("%s %s", m[1], m[2])
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("verdicts (-workflow +page):\n%s", diff)
	}
}

func TestThePagesBlocksAreWellFormed(t *testing.T) {
	t.Parallel()
	n := 0
	for _, m := range regexp.MustCompile("(?s)```(json|yaml)\n(.*?)```").FindAllStringSubmatch(page(t), -1) {
		n++
		var v map[string]any
		err := json.Unmarshal([]byte(m[2]), &v)
		if m[1] == "yaml" {
			err = yaml.Unmarshal([]byte(m[2]), &v)
		}
		if err != nil {
			t.Errorf("%v in\n%s", err, m[2])
		}
	}
	if n < 3 {
		t.Errorf("%d blocks: is the test still reading the page?", n)
	}
}

// TestTheWorkflowSpeaksTriggersLanguage holds the script to the flags, exit statuses
// and JSON fields in trigger's source.
func TestTheWorkflowSpeaksTriggersLanguage(t *testing.T) {
	t.Parallel()
	source := func(path string) string {
		data, err := os.ReadFile(filepath.Join("..", "..", "trigger", path))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	board, exit, once, command := source("board/board.go"), source("command/exit.go"), source("command/once.go"), source("command/command.go")
	for _, field := range []string{"application", "instant", "state", "message", "bad", "hold"} {
		if !strings.Contains(board, `json:"`+field) {
			t.Errorf("trigger status has no field %s", field)
		}
	}
	for _, field := range []string{"instant", "verdict", "message", "bad"} {
		if !strings.Contains(once, `json:"`+field) {
			t.Errorf("trigger once has no field %s", field)
		}
	}
	for _, flag := range []string{`"wait"`, `"timeout"`, `"reason"`} {
		if !strings.Contains(once, flag) {
			t.Errorf("trigger once has no flag %s", flag)
		}
	}
	if !strings.Contains(command, `"application"`) || !strings.Contains(command, `"output"`) {
		t.Error("trigger has no flag --application or --output")
	}
	for status, says := range map[string]string{
		"3": "as-of can not be moved", "5": "somebody else moved", "6": "held", "10": "nothing was rolled back", "11": "the rollback is verified",
		"12": "so did the rollback", "13": "could not render", "124": "no verdict in time",
	} {
		if !regexp.MustCompile(`\{` + status + `, "[^"]*` + says).MatchString(exit) {
			t.Errorf("exit status %s of trigger is not %q", status, says)
		}
	}
}
