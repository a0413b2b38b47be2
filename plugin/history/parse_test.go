package history

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/go-git/go-git/v5/plumbing"
)

const tree = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"

func TestParseCommit(t *testing.T) {
	t.Parallel()
	a, b := strings.Repeat("a", 40), strings.Repeat("b", 40)
	who := "A <a@example.com> "
	for name, tc := range map[string]struct {
		text    string
		parents []string
		time    int64 // 0 for none
		subject string
	}{
		"a root": {tree + "author " + who + "1 +0000\ncommitter " + who + "1700000000 -0530\n\nhello\n", nil, 1700000000, "hello"},
		"two parents, a signature and a merged tag": {
			tree + "parent " + a + "\nparent " + b + "\nauthor " + who + "1 +0000\ncommitter " + who + "5 +0000\ngpgsig -----BEGIN\n \n parent is not one\n -----END\nmergetag object " + a + "\n type commit\n\nMerge\n",
			[]string{a, b}, 5, "Merge",
		},
		"no message":                     {tree + "committer " + who + "5 +0000\n", nil, 5, ""},
		"no committer":                   {tree + "\nhello", nil, 0, "hello"},
		"a name with angle brackets":     {tree + "committer A > B <a> 7 +0000\n\nx", nil, 7, "x"},
		"a committer without time":       {tree + "committer A <a>\n\nx", nil, 0, "x"},
		"a time that is text":            {tree + "committer A <a> noon +0000\n\nx", nil, 0, "x"},
		"a time before 1970":             {tree + "committer A <a> -5 +0000\n\nx", nil, 0, "x"},
		"a time after 9999":              {tree + "committer A <a> 253402300800 +0000\n\nx", nil, 0, "x"},
		"a time beyond any clock":        {tree + "committer A <a> 99999999999999999999 +0000\n\nx", nil, 0, "x"},
		"a message in Latin-1":           {tree + "encoding ISO-8859-1\n\nGr\xf6\xdfe", nil, 0, "Größe"},
		"a parent in the message":        {tree + "\nparent " + a, nil, 0, "parent " + a},
		"a parent in upper case":         {tree + "parent " + strings.ToUpper(a) + "\n\n", []string{a}, 0, ""},
		"a header without a value":       {tree + "odd\n\nx", nil, 0, "x"},
		"everything on Windows line end": {tree + "\nhello\r\nworld\r\n\r\nbody", nil, 0, "hello world"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, err := parseCommit(plumbing.NewHash(b), []byte(tc.text))
			if err != nil {
				t.Fatal(err)
			}
			var parents []string
			for _, p := range n.parents {
				parents = append(parents, p.String())
			}
			if diff := cmp.Diff(tc.parents, parents, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("parents: -want +got\n%s", diff)
			}
			want := Commit{SHA: b, Subject: tc.subject}
			if tc.time != 0 {
				want.Committed = time.Unix(tc.time, 0).UTC()
			}
			if n.Commit != want {
				t.Errorf("got %+v, want %+v", n.Commit, want)
			}
		})
	}
}

func TestParseCommitRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing":                 "",
		"text":                    "hello",
		"a tag":                   "object " + strings.Repeat("a", 40) + "\n",
		"a short tree":            "tree abc\n",
		"a SHA-256 tree":          "tree " + strings.Repeat("a", 64) + "\n",
		"a short parent":          tree + "parent abc\n",
		"a parent with no digits": tree + "parent " + strings.Repeat("x", 40) + "\n",
		"a parent and more":       tree + "parent " + strings.Repeat("a", 40) + " \n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if n, err := parseCommit(plumbing.ZeroHash, []byte(text)); !errors.Is(err, ErrCorrupt) {
				t.Errorf("got %+v, %v", n, err)
			}
		})
	}
}

func TestSubject(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ message, want string }{
		"one line":                      {"Fix it\n", "Fix it"},
		"several lines of a paragraph":  {"Fix\n it\n\nbody", "Fix it"},
		"blank lines before":            {"\n \n\t\nFix it", "Fix it"},
		"nothing":                       {"", ""},
		"blank lines only":              {"\n\n", ""},
		"terminal sequences":            {"a\x1b[31mred\x1b[0m\x07\x7f\u009b1mb", "a[31mred[0m1mb"},
		"tabs and returns":              {"a\tb\rc", "a b c"},
		"text that runs right to left":  {"a\u202eb\u2066c\u200bd\ufeff", "abcd"},
		"line separators of Unicode":    {"a\u2028b\u2029c\u0085d", "a b c d"},
		"bytes that are not UTF-8":      {"a\xffb", "a�b"},
		"signs that count":              {"修正: größer 📦", "修正: größer 📦"},
		"exactly the longest":           {strings.Repeat("é", 120), strings.Repeat("é", 120)},
		"one character too many":        {strings.Repeat("é", 121), strings.Repeat("é", 119) + "…"},
		"a cut after a space":           {strings.Repeat("é", 118) + " abc", strings.Repeat("é", 118) + "…"},
		"a megabyte":                    {strings.Repeat("a", 1<<20), strings.Repeat("a", 119) + "…"},
		"a megabyte of nothing visible": {strings.Repeat("\x00", 1<<20) + "a", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := subject([]byte(tc.message), ""); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestParseGitFile(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"gitdir: /a/b\n":    "/a/b",
		"gitdir: ../x y":    "../x y",
		"gitdir: a\r\n":     "a",
		"gitdir: a\n\n":     "a",
		"gitdir:a\n":        "",
		"gitdir: \n":        "",
		"gitdir: a\nb\n":    "",
		"gitdir: a\x00b\n":  "",
		"":                  "",
		"ref: refs/heads/a": "",
	} {
		if got, ok := parseGitFile(text); ok != (want != "") || ok && got != want {
			t.Errorf("%q: got %q, %t, want %q", text, got, ok, want)
		}
	}
}

func TestValidRefName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"HEAD": true, "ORIG_HEAD": true, "refs/heads/main": true, "refs/heads/a/b-c_d@e.f": true, "refs/heads/größe": true,
		"": false, "config": false, "Head": false, "objects/info": false, "refs/": false, "refs/heads/": false, "refs//a": false,
		"refs/../HEAD": false, "refs/heads/..": false, "refs/heads/a..b": false, "refs/heads/.a": false, "refs/heads/a.lock": false,
		"refs/heads/a.": false, "refs/heads/a b": false, "refs/heads/a\nb": false, "refs/heads/a\x00": false, "refs/heads/a\\b": false,
		"refs/heads/a@{1}": false, "refs/heads/a^": false, "/refs/heads/a": false, "refs/" + strings.Repeat("a", 2000): false,
	} {
		if got := validRefName(name); got != want {
			t.Errorf("%q: got %t", name, got)
		}
	}
}
