package history_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAnyStorageTellsTheSameHistory lays one history out in all the ways that
// git has, and some that only other programs have.
func TestAnyStorageTellsTheSameHistory(t *testing.T) {
	t.Parallel()
	for name, lay := range map[string]func(t *testing.T, git *repo) (dir, root string){
		"loose objects": func(_ *testing.T, git *repo) (string, string) { return git.dir, git.dir },
		"a pack with deltas": func(_ *testing.T, git *repo) (string, string) {
			git.git("repack", "-adfq", "--depth=50")
			return git.dir, git.dir
		},
		"a pack with deltas that name their base": func(_ *testing.T, git *repo) (string, string) {
			git.git("-c", "repack.useDeltaBaseOffset=false", "repack", "-adfq", "--depth=50")
			return git.dir, git.dir
		},
		"a pack with an index of version 1": func(_ *testing.T, git *repo) (string, string) {
			git.git("-c", "pack.indexVersion=1", "repack", "-adfq")
			return git.dir, git.dir
		},
		"several packs and loose objects": func(_ *testing.T, git *repo) (string, string) {
			for _, rev := range []string{"HEAD~20", "HEAD~10", "HEAD~5"} {
				git.feed(git.git("rev-list", "--objects", rev)+"\n", "pack-objects", "-q", "--non-empty", ".git/objects/pack/pack")
				git.git("prune-packed", "-q")
			}
			return git.dir, git.dir
		},
		"more packs than files are kept open": func(_ *testing.T, git *repo) (string, string) {
			for sha := range strings.FieldsSeq(git.git("rev-list", "HEAD")) {
				git.feed(sha+"\n", "pack-objects", "-q", ".git/objects/pack/pack")
			}
			git.git("prune-packed", "-q")
			return git.dir, git.dir
		},
		"multi-pack-index, bitmap, reverse index and commit-graph": func(_ *testing.T, git *repo) (string, string) {
			git.git("-c", "pack.writeReverseIndex=true", "repack", "-adbq")
			git.git("multi-pack-index", "write")
			git.git("commit-graph", "write", "--reachable")
			git.git("pack-refs", "--all")
			return git.dir, git.dir
		},
		"an archive without empty directories": func(_ *testing.T, git *repo) (string, string) {
			git.git("checkout", "-q", "--detach")
			git.git("gc", "-q")
			git.remove(".git/refs", ".git/branches", ".git/objects/info", ".git/config", ".git/index", ".git/logs", ".git/hooks")
			return git.dir, git.dir
		},
		"a directory deep in the work tree": func(t *testing.T, git *repo) (string, string) {
			git.write("apps/nova/overlays/staging/kustomization.yaml", "")
			return filepath.Join(git.dir, "apps/nova/overlays/staging"), git.dir
		},
		"a symbolic link to the work tree": func(t *testing.T, git *repo) (string, string) {
			link := filepath.Join(t.TempDir(), "link")
			if err := os.Symlink(git.dir, link); err != nil {
				t.Fatal(err)
			}
			return link, git.dir
		},
		"HEAD as a symbolic link": func(t *testing.T, git *repo) (string, string) {
			git.remove(".git/HEAD")
			if err := os.Symlink("refs/heads/main", filepath.Join(git.dir, ".git/HEAD")); err != nil {
				t.Fatal(err)
			}
			return git.dir, git.dir
		},
		"a clone that borrows by an absolute path": func(t *testing.T, git *repo) (string, string) {
			dir := realDir(t, t.TempDir())
			git.git("clone", "-q", "--shared", git.dir, dir)
			return dir, dir
		},
		"a clone that borrows by a relative path": func(t *testing.T, git *repo) (string, string) {
			dir := realDir(t, t.TempDir())
			git.git("clone", "-q", "--shared", git.dir, dir)
			rel, err := filepath.Rel(dir+"/.git/objects", git.dir+"/.git/objects")
			if err != nil {
				t.Fatal(err)
			}
			git.at(dir).write(".git/objects/info/alternates", "# a comment\n\n"+rel+"\n")
			return dir, dir
		},
		"a clone that borrows by a quoted path, from itself and from nowhere too": func(t *testing.T, git *repo) (string, string) {
			dir := realDir(t, t.TempDir())
			git.git("clone", "-q", "--shared", git.dir, dir)
			git.at(dir).write(".git/objects/info/alternates", "../objects\n/nowhere/objects\n\""+git.dir+"/\\056git/objects\"\n")
			return dir, dir
		},
		"a chain of clones that borrow": func(t *testing.T, git *repo) (string, string) {
			one, two := realDir(t, t.TempDir()), realDir(t, t.TempDir())
			git.git("clone", "-q", "--shared", git.dir, one)
			git.git("clone", "-q", "--shared", one, two)
			git.at(two).write(".git/objects/info/alternates", one+"/.git/objects\n")
			return two, two
		},
		"a linked work tree": func(t *testing.T, git *repo) (string, string) {
			dir := filepath.Join(realDir(t, t.TempDir()), "linked")
			git.git("worktree", "add", "-q", "--detach", dir, "main")
			git.git("symbolic-ref", "HEAD", "refs/heads/elsewhere")
			return dir, dir
		},
		"a submodule": func(t *testing.T, git *repo) (string, string) {
			outer := newRepo(t)
			outer.git("submodule", "--quiet", "add", "file://"+git.dir, "sub")
			return filepath.Join(outer.dir, "sub"), filepath.Join(outer.dir, "sub")
		},
		"a bare repository": func(t *testing.T, git *repo) (string, string) {
			dir := realDir(t, t.TempDir())
			git.git("clone", "-q", "--bare", git.dir, dir)
			return dir, dir
		},
		"inside .git": func(_ *testing.T, git *repo) (string, string) {
			return git.dir + "/.git/refs", git.dir
		},
		"a partial clone without files": func(t *testing.T, git *repo) (string, string) {
			git.git("config", "uploadpack.allowFilter", "true")
			dir := realDir(t, t.TempDir())
			git.git("clone", "-q", "--no-checkout", "--filter=blob:none", "file://"+git.dir, dir)
			return dir, dir
		},
		"a config with includes, unknown sections and harmless extensions": func(_ *testing.T, git *repo) (string, string) {
			git.write(".git/config", "\ufeff[core] bare = false\n\trepositoryFormatVersion = 1 ; one\n[include]\n\tpath = /nowhere\n"+
				"[includeIf \"gitdir:~/x\"]\n\tpath = gone\n[branch.main]\n\tremote = origin\n[Extensions]\n\tpreciousObjects = true\n"+
				"\tnoop\n\tobjectFormat = \"sha1\" # as ever\n\trefStorage = files\n\tworktreeConfig = true\n[what \"is \\\"this]\\\"\"]\n\tx = \"a\\\n[extensions]\"\n")
			return git.dir, git.dir
		},
		"replacements and grafts are ignored": func(_ *testing.T, git *repo) (string, string) {
			git.git("replace", "HEAD~3", "HEAD~8")
			git.write(".git/info/grafts", git.git("rev-parse", "HEAD~2")+"\n")
			return git.dir, git.dir
		},
		"files of another owner": func(t *testing.T, git *repo) (string, string) {
			if os.Geteuid() != 0 {
				return git.dir, git.dir // only root can give files away
			}
			err := filepath.WalkDir(git.dir, func(path string, _ fs.DirEntry, err error) error {
				if err != nil {
					return err
				}
				return os.Lchown(path, 4711, 4711)
			})
			if err != nil {
				t.Fatal(err)
			}
			return git.dir, git.dir
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			git := newRepo(t)
			git.write("file", strings.Repeat("text\n", 100))
			git.git("add", "file")
			git.commit("files")
			var parents [][]int
			for i := range 40 {
				parents = append(parents, []int{max(0, i-1), max(0, i-2)}[:min(i, 1+i%2)])
			}
			git.graph(parents)
			git.unpack()
			git.git("reset", "-q", "--soft", "main")
			want := git.git("log", "--first-parent", "--format=%H %s")
			total := len(strings.Fields(git.git("rev-list", "HEAD")))

			dir, root := lay(t, git)
			before := snapshot(t, root)
			r := open(t, dir)
			if r.Root() != root {
				t.Errorf("root is %s, want %s", r.Root(), root)
			}
			l := r.Log(resolve(t, r, "HEAD"), 100)
			list := all(t, l)
			reach := l.Reach()
			if len(list) != total || !reach.Complete {
				t.Errorf("%d commits, want %d; %+v", len(list), total, reach)
			}
			var got []string
			for _, c := range list[:reach.Mainline] {
				got = append(got, c.SHA+" "+c.Subject)
			}
			if diff := cmp.Diff(strings.Split(want, "\n"), got); diff != "" {
				t.Errorf("-git +got\n%s", diff)
			}
			if diff := cmp.Diff(before, snapshot(t, root)); diff != "" {
				t.Errorf("reading has changed the repository:\n%s", diff)
			}
		})
	}
}

// snapshot lists the files below dir with what would show a change.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		files[path] = fi.Mode().String() + fi.ModTime().String()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
