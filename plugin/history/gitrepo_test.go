package history_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proerror77/nova-staging/plugin/history"
)

// repo is a repository that the git binary made, for comparison with it.
type repo struct {
	t   testing.TB
	dir string
}

// newRepo makes an empty repository with the branch main.
func newRepo(t testing.TB, initArgs ...string) *repo {
	t.Helper()
	r := &repo{t: t, dir: realDir(t, t.TempDir())}
	r.git(append([]string{"init", "-q", "-b", "main"}, initArgs...)...)
	return r
}

func realDir(t testing.TB, dir string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// at is the same git with another directory.
func (r *repo) at(dir string) *repo { return &repo{t: r.t, dir: dir} }

func (r *repo) git(args ...string) string {
	r.t.Helper()
	return r.feed("", args...)
}

func (r *repo) feed(stdin string, args ...string) string {
	r.t.Helper()
	out, err := r.try(stdin, args...)
	if err != nil {
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (r *repo) try(stdin string, args ...string) (string, error) {
	r.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = r.dir
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + r.dir, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=A U Thor", "GIT_AUTHOR_EMAIL=author@example.com", "GIT_AUTHOR_DATE=1700000000 +0900",
		"GIT_COMMITTER_NAME=C O Mitter", "GIT_COMMITTER_EMAIL=committer@example.com", "GIT_COMMITTER_DATE=1700000000 +0900",
		"GIT_ALLOW_PROTOCOL=file", "GIT_CONFIG_COUNT=2", "GIT_CONFIG_KEY_0=gc.auto", "GIT_CONFIG_VALUE_0=0",
		"GIT_CONFIG_KEY_1=advice.detachedHead", "GIT_CONFIG_VALUE_1=false",
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%w: %s", err, errs.String())
	}
	return strings.TrimRight(out.String(), "\n"), nil
}

// commit makes a commit on the current branch and returns its SHA.
func (r *repo) commit(message string) string {
	r.t.Helper()
	r.git("commit", "-q", "--allow-empty", "-m", message)
	return r.git("rev-parse", "HEAD")
}

// write writes a file below the repository.
func (r *repo) write(name, text string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func (r *repo) remove(names ...string) {
	r.t.Helper()
	for _, name := range names {
		if err := os.RemoveAll(filepath.Join(r.dir, name)); err != nil {
			r.t.Fatal(err)
		}
	}
}

// loose is where a loose object is, below the repository.
func loose(sha string) string { return ".git/objects/" + sha[:2] + "/" + sha[2:] }

// unpack turns all packs into loose objects.
func (r *repo) unpack() {
	r.t.Helper()
	packs, err := filepath.Glob(r.dir + "/.git/objects/pack/*.pack")
	if err != nil {
		r.t.Fatal(err)
	}
	for _, pack := range packs {
		data := readFile(r.t, pack)
		for _, old := range glob(r.t, strings.TrimSuffix(pack, "pack")+"*") {
			r.at("/").remove(old)
		}
		r.feed(data, "unpack-objects", "-q")
	}
}

// graph makes one commit for each element, whose parents are the elements of
// that number, by fast-import. It returns their SHAs; the last one is main.
func (r *repo) graph(parents [][]int) []string {
	r.t.Helper()
	var in strings.Builder
	for i, from := range parents {
		// Dates fall, so that an order by date would be seen to be wrong.
		fmt.Fprintf(&in, "commit refs/graph/%d\nmark :%d\ncommitter A <a@example.com> %d +0000\ndata <<EOF\ncommit %d\nEOF\n",
			i, i+1, 1700000000-i, i)
		for j, p := range from {
			fmt.Fprintf(&in, "%s :%d\n", []string{"from", "merge"}[min(j, 1)], p+1)
		}
	}
	marks := filepath.Join(r.t.TempDir(), "marks")
	r.feed(in.String(), "fast-import", "--quiet", "--export-marks="+marks)
	data, err := os.ReadFile(marks)
	if err != nil {
		r.t.Fatal(err)
	}
	shas := make([]string, len(parents))
	for line := range strings.Lines(string(data)) {
		var mark int
		var sha string
		if _, err := fmt.Sscanf(line, ":%d %s", &mark, &sha); err != nil {
			r.t.Fatal(err)
		}
		shas[mark-1] = sha
	}
	r.git("update-ref", "refs/heads/main", shas[len(shas)-1])
	return shas
}

// open opens the repository with the package under test.
func open(t testing.TB, dir string) *history.Repository {
	t.Helper()
	r, err := history.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func resolve(t testing.TB, r *history.Repository, rev string) history.Commit {
	t.Helper()
	c, err := r.Resolve(rev)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// all lists everything that a log has to say, a few commits at a time.
func all(t testing.TB, l *history.Log) []history.Commit {
	t.Helper()
	var list []history.Commit
	for {
		some, err := l.Next(t.Context(), 3)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, some...)
		if len(some) < 3 {
			return list
		}
	}
}

func shas(list []history.Commit) []string {
	out := make([]string, len(list))
	for i, c := range list {
		out[i] = c.SHA
	}
	return out
}

func glob(t testing.TB, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		t.Fatalf("nothing matches %s: %v", pattern, err)
	}
	return found
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
