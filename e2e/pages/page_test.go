package pages

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		want       []Block
	}{
		{"a fenced block keeps its blank lines", "# A\n\n```sh\nx\n\n  y\n```\n", []Block{{"A", 3, "sh", "x\n\n  y\n"}}},
		{"a fenced block in a list loses the list's indentation", "1. b:\n\n   ```sh\n   cd x\n     y\n   ```\n   more\n", []Block{{"", 3, "sh", "cd x\n  y\n"}}},
		{"a heading within a fence is none", "# A\n```sh\n# no\n```\n```sh\nz\n```", []Block{{"A", 2, "sh", "# no\n"}, {"A", 5, "sh", "z\n"}}},
		{"an indented block", "## B\n\ntext\n\n    one\n      two\n\n    three\n\ntext\n", []Block{{"B", 5, Indented, "one\n  two\n\nthree\n"}}},
		{"an indented block in a list needs the list's indentation as well", "1. b:\n\n       one\n\n   text\n\n    no\n", []Block{{"", 3, Indented, "one\n"}}},
		{"an indented line that goes on a paragraph is none", "text\n    goes on\n", nil},
		{"after the list an indented block needs four", "- b\n\ntext\n\n    one\n", []Block{{"", 5, Indented, "one\n"}}},
		{"commands in a table, a | escaped", "| do | `kubectl -n nova get pods \\| wc` | or `trigger status -o json` |\n", []Block{{"", 1, Inline, "kubectl -n nova get pods | wc\n"}, {"", 1, Inline, "trigger status -o json\n"}}},
		{"a program's name, a verb and a flag in backticks are no commands", "`trigger`, `trigger hold`, `--force`, `make e2e`", nil},
		{"a command in backticks within an indented block is the block's", "    x `kubectl -n a get b`\n", []Block{{"", 1, Indented, "x `kubectl -n a get b`\n"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := Parse("p.md", tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, p.Blocks); diff != "" {
				t.Errorf("blocks (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseSaysWhereAFenceBegan(t *testing.T) {
	t.Parallel()
	_, err := Parse("p.md", "a\n```sh\nx\n")
	if err == nil || !strings.HasPrefix(err.Error(), "p.md:2: ") {
		t.Errorf("error %v, want one that begins with p.md:2", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("# A\n\n```sh\nx\n```\n1. a\n\n       b\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse("p.md", text)
		if err != nil {
			return
		}
		lines := strings.Count(text, "\n") + 1
		for _, b := range p.Blocks {
			if b.Line < 1 || b.Line > lines || !strings.HasSuffix(b.Text, "\n") {
				t.Errorf("block %+v of %d lines", b, lines)
			}
		}
	})
}
