package history_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/proerror77/nova-staging/plugin/history"
)

func TestResolveFindsWhatGitFinds(t *testing.T) {
	t.Parallel()
	for _, packed := range []bool{false, true} {
		t.Run(fmt.Sprintf("packed %t", packed), func(t *testing.T) {
			t.Parallel()
			git := newRepo(t)
			first := git.commit("first")
			git.git("tag", "v1")
			second := git.commit("second")
			git.git("tag", "-a", "-m", "two", "v2")
			git.git("tag", "-a", "-m", "a tag of a tag", "v2-nested", "v2")
			git.git("branch", "feature/login", first)
			git.git("update-ref", "refs/remotes/origin/develop", second)
			git.git("update-ref", "refs/remotes/origin/both", second)
			git.git("update-ref", "refs/heads/both", first)
			git.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/develop")
			git.git("update-ref", "refs/pull/7/head", second)
			git.git("symbolic-ref", "refs/heads/alias", "refs/heads/feature/login")
			git.git("tag", "same", first)
			git.git("update-ref", "refs/heads/same", second)
			git.git("update-ref", "refs/heads/"+first[:6], second) // a name that looks like an abbreviation
			git.git("update-ref", "ORIG_HEAD", first)
			third := git.commit("third")
			if packed {
				git.git("pack-refs", "--all")
				git.git("repack", "-adq")
			}
			git.git("tag", "-f", "v1", third) // a loose reference hides a packed one
			r := open(t, git.dir)
			for _, rev := range []string{
				"HEAD", "main", "heads/main", "refs/heads/main", "v1", "tags/v1", "refs/tags/v1", "v2", "v2-nested",
				"feature/login", "origin/develop", "remotes/origin/develop", "refs/remotes/origin/develop", "both", "origin",
				"origin/HEAD", "refs/pull/7/head", "pull/7/head", "alias", "same", "ORIG_HEAD", first, second, strings.ToUpper(second),
				second[:8], strings.ToUpper(second[:12]), second[:39], first[:6], git.git("rev-parse", "v2"), git.git("rev-parse", "v2-nested"),
				git.git("rev-parse", "v2")[:10],
			} {
				want := git.git("rev-parse", "--verify", "--quiet", rev+"^{commit}")
				got, err := r.Resolve(rev)
				if err != nil || got.SHA != want {
					t.Errorf("%s: got %s, %v, git says %s", rev, got.SHA, err, want)
				}
			}
			if got := resolve(t, r, "develop"); got.SHA != second {
				t.Errorf("develop: got %s, want that of origin/develop, %s", got.SHA, second)
			}
		})
	}
}

func TestResolveErrors(t *testing.T) {
	t.Parallel()
	git := newRepo(t)
	git.write("file", "text")
	git.git("add", "file")
	git.commit("first")
	git.git("tag", "-a", "-m", "of a tree", "tree", "HEAD^{tree}")
	git.git("tag", "blob", "HEAD:file")
	git.git("symbolic-ref", "refs/heads/dangling", "refs/heads/gone")
	git.write(".git/refs/heads/garbage", "what\n")
	git.write(".git/refs/heads/empty", "")
	git.write(".git/refs/heads/loop", "ref: refs/heads/loop\n")
	git.write(".git/refs/heads/loop-a", "ref: refs/heads/loop-b\n")
	git.write(".git/refs/heads/loop-b", "ref: refs/heads/loop-a\n")
	git.write(".git/refs/heads/lost", strings.Repeat("12", 20)+"\n")
	git.write(".git/refs/heads/large", strings.Repeat("a", 1<<20))
	r := open(t, git.dir)
	for name, tc := range map[string]struct {
		rev  string
		want error
		says string
	}{
		"a name that nothing has":            {"nothing", history.ErrRevisionNotFound, "nothing"},
		"no name":                            {"", history.ErrRevisionNotFound, ""},
		"a SHA that nothing has":             {strings.Repeat("1", 40), history.ErrRevisionNotFound, ""},
		"an abbreviation that nothing has":   {"12345", history.ErrRevisionNotFound, ""},
		"an abbreviation that is too short":  {git.git("rev-parse", "HEAD")[:3], history.ErrRevisionNotFound, ""},
		"an expression":                      {"HEAD~1", history.ErrRevisionNotFound, "only names and SHAs"},
		"a reflog":                           {"main@{1}", history.ErrRevisionNotFound, "only names and SHAs"},
		"a file of the repository":           {"config", history.ErrRevisionNotFound, ""},
		"a path out of the repository":       {"../../etc/passwd", history.ErrRevisionNotFound, ""},
		"a path out of the references":       {"refs/heads/../../config", history.ErrRevisionNotFound, ""},
		"a tag of a tree":                    {"tree", history.ErrRevisionNotFound, "is a tree, not a commit"},
		"a tag of a file":                    {"blob", history.ErrRevisionNotFound, "is a blob, not a commit"},
		"the SHA of a tree":                  {git.git("rev-parse", "HEAD^{tree}"), history.ErrRevisionNotFound, "is a tree, not a commit"},
		"the abbreviated SHA of a tree":      {git.git("rev-parse", "HEAD^{tree}")[:10], history.ErrRevisionNotFound, ""},
		"a branch that leads nowhere":        {"dangling", history.ErrRevisionNotFound, ""},
		"a directory of references":          {"refs/heads", history.ErrRevisionNotFound, ""},
		"a reference that holds garbage":     {"garbage", history.ErrCorrupt, "refs/heads/garbage"},
		"an empty reference":                 {"empty", history.ErrCorrupt, "refs/heads/empty"},
		"a reference to itself":              {"loop", history.ErrCorrupt, "in a row"},
		"references in a circle":             {"loop-a", history.ErrCorrupt, "in a row"},
		"a reference to a missing object":    {"lost", history.ErrIncomplete, strings.Repeat("12", 20)},
		"a reference that is much too large": {"large", history.ErrCorrupt, "more than"},
		"control characters":                 {"a\x1b[31mb", history.ErrRevisionNotFound, `\x1b`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := r.Resolve(tc.rev)
			if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, %v; want %v and %q", got, err, tc.want, tc.says)
			}
			if err != nil && strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("%q is not one printable line", err)
			}
		})
	}
}

func TestResolveInARepositoryWithoutCommits(t *testing.T) {
	t.Parallel()
	git := newRepo(t)
	_, err := open(t, git.dir).Resolve("HEAD")
	if !errors.Is(err, history.ErrNoCommits) || !errors.Is(err, history.ErrRevisionNotFound) {
		t.Errorf("HEAD: %v", err)
	}
	if err == nil || !strings.Contains(err.Error(), "refs/heads/main") {
		t.Errorf("%v does not say what HEAD is", err)
	}
	if _, err = open(t, git.dir).Resolve("main"); !errors.Is(err, history.ErrRevisionNotFound) {
		t.Errorf("main: %v", err)
	}
}

func TestResolveInACloneLikeThatOfArgoCD(t *testing.T) {
	t.Parallel()
	origin := newRepo(t)
	first := origin.commit("first")
	origin.git("tag", "-a", "-m", "one", "v1")
	second := origin.commit("second")
	git := newRepo(t)
	git.git("remote", "add", "origin", "file://"+origin.dir)
	git.git("fetch", "-q", "origin", "--tags", "--force", "--prune")
	git.git("checkout", "-q", "--detach", first)
	r := open(t, git.dir)
	for rev, want := range map[string]string{"HEAD": first, "main": second, "origin/main": second, "v1": first, second: second, second[:7]: second} {
		if got := resolve(t, r, rev); got.SHA != want {
			t.Errorf("%s: got %s, want %s", rev, got.SHA, want)
		}
	}
}

// TestResolveAbbreviations compares with git in a repository where four digits
// often fit several objects.
func TestResolveAbbreviations(t *testing.T) {
	t.Parallel()
	for _, packed := range []bool{false, true} {
		t.Run(fmt.Sprintf("packed %t", packed), func(t *testing.T) {
			t.Parallel()
			git := newRepo(t)
			var in strings.Builder
			for i := range 700 { // a commit, a tree and a file each
				fmt.Fprintf(&in, "commit refs/heads/main\ncommitter A <a@example.com> %d +0000\ndata 1\nxM 644 inline f\ndata 5\n%05d\n", 1700000000+i, i)
			}
			git.feed(in.String(), "fast-import", "--quiet")
			if !packed {
				git.unpack()
			}
			r := open(t, git.dir)
			kinds := map[string][]string{}
			for line := range strings.Lines(git.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)")) {
				sha, kind, _ := strings.Cut(strings.TrimSpace(line), " ")
				kinds[sha[:4]] = append(kinds[sha[:4]], kind)
			}
			checked := map[string]int{}
			for digits, all := range kinds {
				commits := strings.Count(strings.Join(all, " "), "commit")
				what := fmt.Sprintf("%d of %d", min(commits, 2), min(len(all), 2))
				if checked[what]++; checked[what] > 5 {
					continue
				}
				got, err := r.Resolve(digits)
				switch commits {
				case 0:
					if !errors.Is(err, history.ErrRevisionNotFound) {
						t.Errorf("%s fits no commit: %v, %v", digits, got, err)
					}
				case 1:
					want := git.git("rev-parse", "--verify", digits+"^{commit}")
					if got.SHA != want || err != nil {
						t.Errorf("%s: got %s, %v, git says %s", digits, got.SHA, err, want)
					}
				default:
					if !errors.Is(err, history.ErrAmbiguous) || !strings.Contains(err.Error(), "give more digits") {
						t.Errorf("%s fits %d commits: %v, %v", digits, commits, got, err)
					}
				}
			}
			for _, what := range []string{"0 of 1", "1 of 1", "1 of 2", "2 of 2"} {
				if checked[what] == 0 {
					t.Errorf("no abbreviation fits %s objects: the test shows too little", what)
				}
			}
		})
	}
}
