package history_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proerror77/nova-staging/plugin/history"
)

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		make func(t *testing.T) string
		want error
		says []string
	}{
		"a directory outside any repository": {
			func(t *testing.T) string { return t.TempDir() },
			history.ErrNoRepository, []string{"TAR_EXCLUSIONS", "manifest-generate-paths"},
		},
		"a directory that is not there": {
			func(t *testing.T) string { return filepath.Join(t.TempDir(), "gone") },
			fs.ErrNotExist, []string{"gone"},
		},
		"a file": {
			func(t *testing.T) string {
				path := filepath.Join(t.TempDir(), "file")
				if err := os.WriteFile(path, nil, 0o644); err != nil {
					t.Fatal(err)
				}
				return path
			},
			nil, []string{"not a directory"},
		},
		"a .git without objects": {
			broken(func(git *repo) { git.remove(".git/objects") }),
			history.ErrNoRepository, []string{"/.git lacks HEAD or objects", "TAR_EXCLUSIONS"},
		},
		"a .git without HEAD": {
			broken(func(git *repo) { git.remove(".git/HEAD") }),
			history.ErrNoRepository, []string{"/.git lacks HEAD or objects"},
		},
		"a .git file that says something else": {
			broken(func(git *repo) { git.remove(".git"); git.write(".git", "hello\x1b\n") }),
			history.ErrNoRepository, []string{"/.git is a file", "gitdir:"},
		},
		"a .git file that points nowhere": {
			broken(func(git *repo) { git.remove(".git"); git.write(".git", "gitdir: /nowhere\n") }),
			history.ErrNoRepository, []string{`points at "/nowhere"`, "render a clone"},
		},
		"a .git file that is much too large": {
			broken(func(git *repo) { git.remove(".git"); git.write(".git", "gitdir: "+strings.Repeat("/x", 1<<20)) }),
			history.ErrCorrupt, []string{"more than"},
		},
		"a work tree whose repository has gone": {
			broken(func(git *repo) { git.write(".git/commondir", "../gone\n") }),
			history.ErrNoRepository, []string{"/.git/commondir points at"},
		},
		"SHA-256 objects": {
			func(t *testing.T) string { return newRepo(t, "--object-format=sha256").dir },
			history.ErrUnsupported, []string{`"sha256"`, "--object-format=sha1"},
		},
		"references in a reftable": {
			config("[core]\nrepositoryformatversion = 1\n[extensions]\nrefStorage = reftable\n"),
			history.ErrUnsupported, []string{`"reftable"`, "git refs migrate"},
		},
		"an unknown extension": {
			config("[core]\nrepositoryformatversion = 1\n[extensions]\nfuture = true\n"),
			history.ErrUnsupported, []string{`"future"`},
		},
		"a format of the future": {
			config("[core]\nrepositoryformatversion = 2\n"),
			history.ErrUnsupported, []string{"is 2, only 0 and 1"},
		},
		"a format that is no number": {
			config("[core]\nrepositoryformatversion = one\n"),
			history.ErrCorrupt, []string{`"one"`},
		},
		"a config that is much too large": {
			config(strings.Repeat("# comment\n", 2<<20)),
			history.ErrCorrupt, []string{"config", "more than"},
		},
		"a list of shallow commits that is none": {
			broken(func(git *repo) { git.write(".git/shallow", "hello\n") }),
			history.ErrCorrupt, []string{"read shallow"},
		},
		"alternates without end": {
			broken(func(git *repo) {
				for _, pair := range []string{"b", "bc", "cd", "de", "ef", "fg"} {
					dir := ".git/objects"
					if len(pair) == 2 {
						dir = pair[:1]
					}
					git.write(dir+"/info/alternates", git.dir+"/"+pair[len(pair)-1:]+"\n")
				}
				git.write("g/info/alternates", "/nowhere\n")
			}),
			history.ErrCorrupt, []string{"alternates in a row"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := tc.make(t)
			_, err := history.Open(dir)
			if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
			for _, part := range tc.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q lacks %q", err, part)
				}
			}
			if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("%q is not one printable line", err)
			}
		})
	}
}

// broken makes a repository with a commit and damages it.
func broken(damage func(git *repo)) func(t *testing.T) string {
	return func(t *testing.T) string {
		git := newRepo(t)
		git.commit("one")
		damage(git)
		return git.dir
	}
}

func config(text string) func(t *testing.T) string {
	return broken(func(git *repo) { git.write(".git/config", text) })
}

func TestFindRoot(t *testing.T) {
	t.Parallel()
	git := newRepo(t)
	git.commit("one")
	git.write("a/b/c/file", "")
	git.write("empty/.git/nothing", "")
	git.git("clone", "-q", "--bare", git.dir, filepath.Join(git.dir, "a/bare"))
	git.git("clone", "-q", git.dir, filepath.Join(git.dir, "a/nested"))
	for name, tc := range map[string]struct{ dir, want string }{
		"the root itself":                           {"", ""},
		"a directory below":                         {"a/b/c", ""},
		"a clone inside a work tree":                {"a/nested", "a/nested"},
		"a .git directory with nothing of git's":    {"empty", ""},
		"a bare repository inside a work tree":      {"a/bare", ""},
		"a directory of a nested bare repository":   {"a/bare/refs", ""},
		"a path that is not clean":                  {"a/./b/../b", ""},
		"the repository's own directory":            {".git", ""},
		"a directory in the repository's directory": {".git/objects", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := history.FindRoot(git.dir + "/" + tc.dir)
			if want := filepath.Join(git.dir, tc.want); got != want || err != nil {
				t.Errorf("got %s, %v, want %s", got, err, want)
			}
		})
	}
}

func TestFindRootOfARelativePath(t *testing.T) { // not parallel: it changes the directory
	git := newRepo(t)
	git.write("a/file", "")
	t.Chdir(git.dir + "/a")
	for _, dir := range []string{".", "", "../a"} {
		if got, err := history.FindRoot(dir); got != git.dir || err != nil {
			t.Errorf("%q: got %s, %v, want %s", dir, got, err, git.dir)
		}
	}
}
