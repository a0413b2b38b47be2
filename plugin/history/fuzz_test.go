package history

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/go-git/go-git/v5/plumbing"
)

func FuzzParseGitFile(f *testing.F) {
	f.Add("gitdir: ../.git/modules/sub\n")
	f.Fuzz(func(t *testing.T, text string) {
		if path, ok := parseGitFile(text); ok && (path == "" || strings.ContainsAny(path, "\n\x00")) {
			t.Errorf("%q: path %q", text, path)
		}
	})
}

func FuzzParseCommit(f *testing.F) {
	f.Add([]byte(tree + "parent " + strings.Repeat("a", 40) + "\ncommitter A <a> 1700000000 +0900\nencoding latin1\n\nGr\xf6\xdfe\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := parseCommit(plumbing.ZeroHash, data)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Error(err)
			}
			return
		}
		if utf8.RuneCountInString(n.Subject) > maxSubject || !utf8.ValidString(n.Subject) ||
			strings.ContainsFunc(n.Subject, func(c rune) bool { return !unicode.IsPrint(c) }) {
			t.Errorf("subject %q", n.Subject)
		}
		if _, err := n.Committed.MarshalJSON(); err != nil {
			t.Error(err)
		}
	})
}

func FuzzParseConfig(f *testing.F) {
	f.Add("[core]\n\trepositoryformatversion = 1 # x\n[extensions]\n\tobjectFormat = \"sha\\1\"\n")
	f.Fuzz(func(_ *testing.T, text string) { _ = parseConfig(text).check() })
}

func FuzzParseRef(f *testing.F) {
	f.Add("ref: refs/heads/main\n")
	f.Add(strings.Repeat("a", 40) + "\t\tbranch 'main' of .\n")
	f.Fuzz(func(t *testing.T, text string) {
		if r, ok := parseRef(text); ok && r.target != "" && (!validRefName(r.target) || !filepath.IsLocal(r.target)) {
			t.Errorf("%q: target %q", text, r.target)
		}
	})
}

func FuzzPackedRefs(f *testing.F) {
	f.Add("# pack-refs with: peeled\n" + strings.Repeat("a", 40) + " refs/heads/main\n^" + strings.Repeat("b", 40) + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		_, err := searchPacked(strings.NewReader(text), "refs/heads/main")
		if err != nil && !errors.Is(err, errNoRef) && !errors.Is(err, ErrCorrupt) {
			t.Error(err)
		}
	})
}

func FuzzAlternates(f *testing.F) {
	f.Add("\"\"\n")
	f.Add("# comment\n../other\n\"/quoted\\040path\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, path := range parseAlternates(text) {
			if path == "" || strings.ContainsRune(path, 0) {
				t.Errorf("%q: path %q", text, path)
			}
		}
	})
}

func FuzzIndex(f *testing.F) {
	f.Add(indexOf(plumbing.NewHash(strings.Repeat("a", 40)), 12), "aaaa")
	f.Fuzz(func(t *testing.T, data []byte, digits string) {
		r := bytes.NewReader(data)
		ix, err := readIndex(r, int64(len(data)))
		if err != nil {
			return
		}
		if offset, err := ix.find(r, plumbing.NewHash(strings.Repeat("a", 40))); err == nil && offset < 0 {
			t.Errorf("offset %d", offset)
		}
		if isHex(digits) && len(digits) < 40 {
			_ = ix.eachWithPrefix(r, strings.ToLower(digits), func(plumbing.Hash) {})
		}
	})
}

func FuzzLoose(f *testing.F) {
	f.Add([]byte("x\x9cK\xca\xcfO\xceHM\xce\x06\x00"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_ = readLoose(bytes.NewReader(data), func(r io.Reader, _ plumbing.ObjectType, size int64) error {
			_, err := readExactly(r, size)
			return err
		})
	})
}

// FuzzPack gives an entry of a pack to the decoders of go-git: they must
// neither panic nor run in circles.
func FuzzPack(f *testing.F) {
	f.Add([]byte("\x95\x0ax\x9c"))
	f.Add(cyclic)
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := packOf(t, data).get(self, plumbing.CommitObject); err == nil {
			t.Error("an object has a name that was not computed from it")
		}
	})
}

// self is the name of the one object in the packs of these tests.
var self = plumbing.NewHash(strings.Repeat("a", 40))

// cyclic is a delta that builds on itself.
var cyclic = append(append([]byte{0x75}, self[:]...), "x\x9c\x01\x05\x00\xfa\xff\x01\x01\x01a\x00\x00\xc8\x00e"...)

func TestDeltasInACircle(t *testing.T) {
	t.Parallel()
	s := packOf(t, cyclic)
	if _, err := s.kind(self); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "on itself") {
		t.Errorf("kind: %v", err)
	}
	if _, err := s.get(self, plumbing.CommitObject); !errors.Is(err, ErrCorrupt) {
		t.Errorf("get: %v", err)
	}
}

// packOf makes an object directory whose one pack holds an entry named self.
func packOf(t *testing.T, entry []byte) *store {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(dir+"/objects/pack", 0o755); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{
		"pack-1.pack": append([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x01"), entry...),
		"pack-1.idx":  indexOf(self, 12),
	}
	for name, data := range files {
		if err := os.WriteFile(dir+"/objects/pack/"+name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s, err := openStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	s.begin()
	t.Cleanup(s.end)
	return s
}

// indexOf makes the index of a pack with one object.
func indexOf(id plumbing.Hash, offset uint32) []byte {
	out := []byte("\xfftOc\x00\x00\x00\x02")
	for b := range 256 {
		n := uint32(0)
		if b >= int(id[0]) {
			n = 1
		}
		out = binary.BigEndian.AppendUint32(out, n)
	}
	out = append(out, id[:]...)
	out = binary.BigEndian.AppendUint32(out, 0)
	out = binary.BigEndian.AppendUint32(out, offset)
	return append(out, make([]byte, 40)...)
}
