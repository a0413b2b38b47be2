package docs_test

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	docpages "github.com/proerror77/nova-staging/e2e/pages"
)

var (
	// typed is how a block begins that a reader pastes into a shell; others show output.
	typed = regexp.MustCompile(`^(?:#.*\n)*(?:export |for |while |if |cd |mkdir |sed |old/|new/|bin/|[A-Za-z_]+=|(?:aws|cosign|curl|docker|gh|git|go|helm|jq|kubectl|kustomize|make|openssl)\b|(?:argocd|generate|smoke|trigger) )`)
	// braceless is a variable whose colon and letter zsh reads as a modifier, as in
	// $ACCOUNT:role.
	braceless = regexp.MustCompile(`\$[A-Za-z_][A-Za-z0-9_]*:`)
	// special are variables that are zsh's own, where one is set: path is PATH, status
	// can not be set.
	special = regexp.MustCompile(`(?:^|[;&|(] *|\b(?:export|local) +(?:\S+ +)*|\bfor +|\bread +(?:\S+ +)*)(path|status|argv|options|fpath|cdpath|prompt|pipestatus)(?:=|;| in |$)`)
	// remark is a line that zsh takes for a command that does not exist, and no more.
	remark  = regexp.MustCompile(`^ *# [A-Za-z0-9_ ,.:=-]+$`)
	heredoc = regexp.MustCompile(`<<-?'?([A-Z]+)'?`)
)

// zshTrips are the places of a block that zsh, the shell of macOS, reads otherwise
// than bash does where a reader pastes it: interactively, with its defaults.
func zshTrips(text string) []string {
	var trips []string
	var quote byte // ', " or 0
	end := ""      // of the here-document under way
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if end != "" {
			if line == end {
				end = ""
			} else if m := braceless.FindString(line); m != "" {
				trips = append(trips, m+" without braces")
			}
			continue
		}
		var expanded strings.Builder // but what is in single quotes
		word, glob := "", false
		over := func() {
			if glob && (strings.Contains(word, "://") || strings.ContainsAny(word, "?[=")) && word != "[" && word != "[[" {
				trips = append(trips, "a pattern without quotes: "+word)
			}
			word, glob = "", false
		}
		for i := 0; i < len(line); i++ {
			c := line[i]
			switch {
			case quote != '\'' && c == '\\':
				i++
				word += "\\"
				continue
			case quote == c:
				quote = 0
			case quote == 0 && (c == '\'' || c == '"'):
				quote = c
			case quote == 0 && c == '#' && word == "" && remark.MatchString(line):
				i = len(line)
				continue
			case quote == 0 && c == '#' && word == "":
				trips = append(trips, "a comment: "+line[i:])
				i = len(line)
				continue
			case quote == 0 && strings.IndexByte(" \t;|&<>()", c) >= 0:
				over()
				expanded.WriteByte(c)
				continue
			case quote == 0 && strings.IndexByte("?*[", c) >= 0:
				glob = true
			}
			word += string(c)
			if quote != '\'' {
				expanded.WriteByte(c)
			}
		}
		over()
		if m := braceless.FindString(expanded.String()); m != "" {
			trips = append(trips, m+" without braces")
		}
		if m := special.FindStringSubmatch(expanded.String()); m != nil {
			trips = append(trips, "the variable "+m[1]+", which is zsh's own")
		}
		if m := heredoc.FindStringSubmatch(line); m != nil {
			end = m[1]
		}
	}
	return trips
}

// TestBlocksCanBePastedIntoZsh looks at every command that the pages show, and lets
// zsh parse it where there is one.
func TestBlocksCanBePastedIntoZsh(t *testing.T) {
	t.Parallel()
	zsh, _ := exec.LookPath("zsh")
	n := 0
	for _, p := range all(t) {
		page, err := docpages.Parse(p.name, p.text)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range page.Blocks {
			if b.Kind != "sh" && (!slices.Contains([]string{docpages.Indented, docpages.Inline}, b.Kind) || !typed.MatchString(b.Text)) {
				continue
			}
			n++
			for _, trip := range zshTrips(b.Text) {
				t.Errorf("%s:%d: a reader's zsh trips over %s\n%s", p.name, b.Line, trip, b.Text)
			}
			if zsh == "" {
				continue
			}
			if out, err := exec.CommandContext(t.Context(), zsh, "-fnc", b.Text).CombinedOutput(); err != nil {
				t.Errorf("%s:%d: zsh: %v: %s\n%s", p.name, b.Line, err, out, b.Text)
			}
		}
	}
	if n < 60 {
		t.Errorf("%d blocks were seen: is the test still finding them?", n)
	}
}

func TestWhatZshTripsOver(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"a modifier", "aws iam get-role arn:aws:iam::$ACCOUNT:role/x\n", "$ACCOUNT: without braces"},
		{"a modifier in double quotes", "echo \"$ACCOUNT:role\"\n", "$ACCOUNT: without braces"},
		{"a modifier in a here-document", "cat <<END\nit's\n$ACCOUNT:role\nEND\n", "$ACCOUNT: without braces"},
		{"what single quotes keep", "echo '$ACCOUNT:role ? # *'\n", ""},
		{"braces", "echo '\"'${REGION}:${ACCOUNT}':x'\n", ""},
		{"a query without quotes", "kubectl apply -k https://example.com/x?ref=main\n", "a pattern without quotes"},
		{"a query in quotes", "kubectl apply -k 'https://example.com/x?ref=main'\n", ""},
		{"a pattern that is an option's value", "git log --glob=refs/*\n", "a pattern without quotes"},
		{"files by pattern", "sed -i s/a/b/ dir/*.yaml\n", ""},
		{"an index", "jq .items[] x\n", "a pattern without quotes"},
		{"a comment behind a command", "make demo # see it\n", "a comment"},
		{"a comment with an apostrophe", "# trigger's role\nmake\n", "a comment"},
		{"a comment that would run something", "# see it; and more\nmake\n", "a comment"},
		{"a plain comment", "# see it, at last\nmake\n", ""},
		{"a # within a word", "echo a#b \"x # y\"\n", ""},
		{"PATH's other name", "while read -r name port path; do echo $name; done\n", "the variable path"},
		{"a variable that can not be set", "status=1\n", "the variable status"},
		{"an argument of that name", "trigger status\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := strings.Join(zshTrips(tt.text), "; ")
			if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("zsh trips over %q, want %q", got, tt.want)
			}
		})
	}
}
