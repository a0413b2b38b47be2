package history_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proerror77/nova-staging/plugin/history"
)

// read lists everything from HEAD.
func read(t *testing.T, dir string) ([]history.Commit, error) {
	t.Helper()
	r, err := history.Open(dir)
	if err != nil {
		return nil, err
	}
	head, err := r.Resolve("HEAD")
	if err != nil {
		return nil, err
	}
	return r.Log(head, 1000).Next(t.Context(), 1000)
}

func TestDamageIsReported(t *testing.T) {
	t.Parallel()
	only := func(git *repo, pattern string) string {
		rel, err := filepath.Rel(git.dir, glob(git.t, git.dir+"/.git/objects/pack/"+pattern)[0])
		if err != nil {
			git.t.Fatal(err)
		}
		return rel
	}
	for name, tc := range map[string]struct {
		loose  bool
		damage func(git *repo)
		want   error
		says   string
	}{
		"a loose object of another": {true, func(git *repo) {
			git.write(loose(git.git("rev-parse", "HEAD")), readFile(git.t, filepath.Join(git.dir, loose(git.git("rev-parse", "HEAD~1")))))
		}, history.ErrCorrupt, "not what its name says"},
		"an empty loose object": {true, func(git *repo) {
			name := loose(git.git("rev-parse", "HEAD"))
			git.remove(name)
			git.write(name, "")
		}, history.ErrCorrupt, "read object"},
		"a loose object that is text": {true, func(git *repo) {
			name := loose(git.git("rev-parse", "HEAD"))
			git.remove(name)
			git.write(name, "hello")
		}, history.ErrCorrupt, "read object"},
		"a missing parent": {true, func(git *repo) {
			git.remove(loose(git.git("rev-parse", "HEAD~2")))
		}, history.ErrIncomplete, "not marked shallow"},
		"a borrowed directory that is gone": {true, func(git *repo) {
			git.remove(loose(git.git("rev-parse", "HEAD~2")))
			git.write(".git/objects/info/alternates", "/gone/objects\n")
		}, history.ErrIncomplete, "/gone/objects"},
		"a pack that is gone": {false, func(git *repo) {
			git.remove(only(git, "*.pack"))
		}, history.ErrIncomplete, "the pack is not"},
		"an index that is gone": {false, func(git *repo) {
			git.remove(only(git, "*.idx"))
		}, history.ErrIncomplete, "is missing"},
		"an empty pack": {false, func(git *repo) {
			name := only(git, "*.pack")
			git.remove(name)
			git.write(name, "")
		}, history.ErrCorrupt, ".git/objects/pack"},
		"an empty index": {false, func(git *repo) {
			name := only(git, "*.idx")
			git.remove(name)
			git.write(name, "")
		}, history.ErrCorrupt, "index"},
		"an index without its end": {false, func(git *repo) {
			name := only(git, "*.idx")
			text := readFile(git.t, filepath.Join(git.dir, name))
			git.remove(name)
			git.write(name, text[:len(text)-30])
		}, history.ErrCorrupt, "too short"},
		"an index of the future": {false, func(git *repo) {
			name := only(git, "*.idx")
			text := readFile(git.t, filepath.Join(git.dir, name))
			git.remove(name)
			git.write(name, text[:7]+"\x03"+text[8:])
		}, history.ErrUnsupported, "version 3"},
		"half a pack": {false, func(git *repo) {
			name := only(git, "*.pack")
			text := readFile(git.t, filepath.Join(git.dir, name))
			git.remove(name)
			git.write(name, text[:len(text)/2])
		}, history.ErrCorrupt, "entry at"},
		"packed-refs that are text": {false, func(git *repo) {
			git.git("pack-refs", "--all")
			git.write(".git/packed-refs", "hello\n")
		}, history.ErrCorrupt, "packed-refs"},
		"packed-refs without line ends": {false, func(git *repo) {
			git.git("pack-refs", "--all")
			git.write(".git/packed-refs", strings.Repeat("a", 1<<20))
		}, history.ErrCorrupt, "line is too long"},
		"a HEAD that leads out of the repository": {false, func(git *repo) {
			git.remove(".git/HEAD")
			if err := os.Symlink("/etc/passwd", filepath.Join(git.dir, ".git/HEAD")); err != nil {
				git.t.Fatal(err)
			}
		}, nil, "escapes"},
		"a HEAD that is text": {false, func(git *repo) {
			git.write(".git/HEAD", "hello\n")
		}, history.ErrCorrupt, "HEAD"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			git := newRepo(t)
			for _, subject := range []string{"one", "two", "three", "four"} {
				git.commit(subject)
			}
			if !tc.loose {
				git.git("repack", "-adfq")
			}
			tc.damage(git)
			_, err := read(t, git.dir)
			if err == nil || tc.want != nil && !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.says) {
				t.Fatalf("got %v, want %v and %q", err, tc.want, tc.says)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q is not one line", err)
			}
		})
	}
}

func TestADamagedCopyDoesNotHideASoundOne(t *testing.T) {
	t.Parallel()
	git := newRepo(t)
	git.commit("one")
	git.commit("two")
	git.git("repack", "-q")
	name := loose(git.git("rev-parse", "HEAD"))
	git.remove(name)
	git.write(name, "hello")
	if list, err := read(t, git.dir); len(list) != 2 || err != nil {
		t.Errorf("sound in the pack: %v, %v", list, err)
	}
	git.remove(name)
	git.unpack()
	git.write(".git/objects/pack/pack-"+strings.Repeat("1", 40)+".idx", "hello")
	if list, err := read(t, git.dir); len(list) != 2 || err != nil {
		t.Errorf("sound as loose objects: %v, %v", list, err)
	}
}

// TestFlippedBits damages a pack or its index in one place at a time. Whatever
// happens, no wrong history comes out.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	git := newRepo(t)
	var parents [][]int
	for i := range 30 {
		parents = append(parents, []int{max(0, i-1), max(0, i-2)}[:min(i, 1+i%2)])
	}
	git.graph(parents)
	git.git("repack", "-adfq", "--depth=50")
	sound, err := read(t, git.dir)
	if err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, pattern := range []string{"*.pack", "*.idx"} {
		path := glob(t, git.dir+"/.git/objects/pack/"+pattern)[0]
		text := []byte(readFile(t, path))
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		for range 150 {
			at := rng.IntN(len(text))
			if pattern == "*.idx" && rng.IntN(2) == 0 {
				at = rng.IntN(1100) // its head
			}
			bit := byte(1) << rng.IntN(8)
			text[at] ^= bit
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
			list, err := read(t, git.dir)
			if len(list) > len(sound) || err == nil && len(list) != len(sound) {
				t.Fatalf("seed %d, %s, bit %d of byte %d: %d commits, %v", seed, pattern, bit, at, len(list), err)
			}
			for i, c := range list {
				if c != sound[i] {
					t.Fatalf("seed %d, %s, bit %d of byte %d: commit %d is %v", seed, pattern, bit, at, i, c)
				}
			}
			text[at] ^= bit
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
