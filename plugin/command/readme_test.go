package command

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/proerror77/nova-staging/plugin/policy"
)

func readme(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// scanGate is the page on the scan gate, which has an exit status of its own.
func scanGate(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "docs", "scan-gate.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// section is the README's part under a heading of the second level.
func section(t *testing.T, heading string) string {
	t.Helper()
	_, after, found := strings.Cut(readme(t), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("the README has no section %q", heading)
	}
	text, _, _ := strings.Cut(after, "\n## ")
	return text
}

func TestReadmeExplainsEveryExitStatus(t *testing.T) {
	t.Parallel()
	text := section(t, "When something fails") + scanGate(t)
	for _, c := range exitClasses {
		if !strings.Contains(text, fmt.Sprintf("\n| %d | ", c.status)) {
			t.Errorf("the README's table has no row for exit status %d (%s)", c.status, c.what)
		}
	}
	for _, row := range regexp.MustCompile(`(?m)^\| (\d+) \| `).FindAllStringSubmatch(text, -1) {
		known := false
		for _, c := range exitClasses {
			known = known || fmt.Sprint(c.status) == row[1]
		}
		if !known {
			t.Errorf("the README explains exit status %s, which the program never has", row[1])
		}
	}
}

func TestReadmeExamplesOfImagesYAMLAreValid(t *testing.T) {
	t.Parallel()
	found := 0
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(readme(t)+scanGate(t), -1) {
		if !strings.Contains(block[1], "kind: "+policy.Kind) {
			continue
		}
		found++
		if _, err := policy.Parse("README.md", []byte(block[1])); err != nil {
			t.Error(err)
		}
	}
	if found == 0 {
		t.Error("the README has no example of images.yaml")
	}
}

func TestReadmeNamesOnlyFlagsThatExist(t *testing.T) {
	t.Parallel()
	root := Program{}.root()
	explain, _, err := root.Find([]string{"explain"})
	if err != nil {
		t.Fatal(err)
	}
	heading := ""
	for _, line := range strings.Split(readme(t), "\n") {
		if h, ok := strings.CutPrefix(line, "## "); ok {
			heading = h
		}
		// The sections on the other programs have flags of their own.
		other := strings.Contains(heading, "`") && !strings.Contains(heading, "generate") && !strings.Contains(heading, "images.yaml")
		if other || strings.Contains(line, "aws ") || (!strings.Contains(line, "generate") && !strings.Contains(line, "`--")) {
			continue
		}
		for _, flag := range regexp.MustCompile("(?:^|[ `'])--([a-z][a-z-]+)").FindAllStringSubmatch(line, -1) {
			if flag[1] != "help" && explain.Flags().Lookup(flag[1]) == nil && root.PersistentFlags().Lookup(flag[1]) == nil {
				t.Errorf("the README names the flag --%s, which generate does not have: %s", flag[1], line)
			}
		}
	}
}
