package history

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
)

const (
	// maxObject is the size of the largest commit or tag that is read, in bytes,
	// and the most that its deltas may take.
	maxObject = 32 << 20

	// maxOpen is how many files are kept open during one call.
	maxOpen = 32

	// maxBases is how many bytes of delta bases are kept.
	maxBases = 4 << 20
)

// store reads objects from the repository's object directory and those it
// borrows from. All methods but begin need to be between begin and end.
type store struct {
	mu    sync.Mutex
	dirs  []string // object directories, the repository's own first
	lost  []string // alternates that are not there
	packs []*pack  // of all directories, the one that was of use last first
	files map[string]*os.File
	bases map[base]entry
	held  int // bytes in bases
}

// base is the place of a delta base.
type base struct {
	pack   *pack
	offset int64
}

func openStore(common string) (*store, error) {
	dirs, lost, err := objectDirs(common)
	if err != nil {
		return nil, err
	}
	s := &store{dirs: dirs, lost: lost, files: map[string]*os.File{}, bases: map[base]entry{}}
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir + "/pack")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("list packs: %w", err)
		}
		for _, e := range entries {
			if name, ok := strings.CutSuffix(e.Name(), ".idx"); ok && strings.HasPrefix(name, "pack-") {
				s.packs = append(s.packs, &pack{store: s, dir: dir, name: "pack/" + name})
			}
		}
	}
	return s, nil
}

// begin gives the caller the store for itself.
func (s *store) begin() { s.mu.Lock() }

// end closes the files that were opened since begin.
func (s *store) end() {
	s.closeFiles()
	s.mu.Unlock()
}

// limitFiles is called where no open file is in use.
func (s *store) limitFiles() {
	if len(s.files) >= maxOpen {
		s.closeFiles()
	}
}

func (s *store) closeFiles() {
	for _, f := range s.files {
		_ = f.Close() // only ever read
	}
	clear(s.files)
}

// file opens a file of an object directory, or returns it if it is open.
func (s *store) file(dir, name string) (*os.File, error) {
	key := dir + "/" + name
	if f := s.files[key]; f != nil {
		return f, nil
	}
	f, err := open(dir, name)
	if err != nil {
		return nil, err
	}
	s.files[key] = f
	return f, nil
}

// get returns the content of an object, checked against its name. The error
// is errAbsent when the object is nowhere.
func (s *store) get(id plumbing.Hash, want plumbing.ObjectType) ([]byte, error) {
	var data []byte
	err := s.locate(id, func(p *pack, offset int64) error {
		var kind plumbing.ObjectType
		var err error
		if p != nil {
			kind, data, err = p.read(offset)
		} else {
			err = s.loose(id, func(r io.Reader, k plumbing.ObjectType, size int64) error {
				kind = k
				data, err = readExactly(r, size)
				return err
			})
		}
		switch {
		case err != nil:
			return err
		case kind != want:
			return fmt.Errorf("%w: it is a %s, not a %s", ErrCorrupt, kind, want)
		case plumbing.ComputeHash(kind, data) != id:
			return fmt.Errorf("%w: its content is not what its name says", ErrCorrupt)
		}
		return nil
	})
	return data, err
}

// kind returns the type of an object without reading its content.
func (s *store) kind(id plumbing.Hash) (kind plumbing.ObjectType, err error) {
	err = s.locate(id, func(p *pack, offset int64) (err error) {
		if p != nil {
			kind, err = p.kind(offset)
			return err
		}
		return s.loose(id, func(_ io.Reader, k plumbing.ObjectType, _ int64) error {
			kind = k
			return nil
		})
	})
	return kind, err
}

// locate calls read for the places where an object is, until one can be read:
// with a pack and an offset, or with no pack for a loose object. It returns
// the first error, or errAbsent.
func (s *store) locate(id plumbing.Hash, read func(p *pack, offset int64) error) error {
	var failed error
	for i, p := range s.packs {
		s.limitFiles()
		offset, err := p.find(id)
		if err == nil {
			err = read(p, offset)
		}
		if err == nil {
			copy(s.packs[1:i+1], s.packs[:i])
			s.packs[0] = p
			return nil
		}
		if failed == nil && !errors.Is(err, errAbsent) {
			failed = fmt.Errorf("%s/%s: %w", p.dir, p.name, err)
		}
	}
	switch err := read(nil, 0); {
	case err == nil:
		return nil
	case failed == nil:
		failed = err
	}
	return failed
}

// withPrefix returns the objects whose name begins with some hexadecimal
// digits, each once.
func (s *store) withPrefix(digits string) ([]plumbing.Hash, error) {
	seen := map[plumbing.Hash]bool{}
	for _, p := range s.packs {
		s.limitFiles()
		if err := p.eachWithPrefix(digits, func(id plumbing.Hash) { seen[id] = true }); err != nil {
			return nil, fmt.Errorf("%s/%s: %w", p.dir, p.name, err)
		}
	}
	for _, dir := range s.dirs {
		entries, err := os.ReadDir(dir + "/" + digits[:2])
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			name := digits[:2] + e.Name()
			if id, ok := parseHash(name); ok && strings.HasPrefix(name, digits) {
				seen[id] = true
			}
		}
	}
	all := make([]plumbing.Hash, 0, len(seen))
	for id := range seen {
		all = append(all, id)
	}
	return all, nil
}

// keep remembers a delta base. When there are too many all are forgotten: a
// walk soon has the few it needs again.
func (s *store) keep(b base, e entry) {
	if _, ok := s.bases[b]; ok || len(e.data) > maxBases {
		return
	}
	if s.held += len(e.data); s.held > maxBases {
		clear(s.bases)
		s.held = len(e.data)
	}
	s.bases[b] = e
}

// readExactly reads size bytes and finds the end after them.
func readExactly(r io.Reader, size int64) ([]byte, error) {
	if size < 0 || size > maxObject {
		return nil, errTooLarge
	}
	data, err := io.ReadAll(io.LimitReader(r, size+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if int64(len(data)) != size {
		return nil, fmt.Errorf("%w: it does not have the %d bytes that it says", ErrCorrupt, size)
	}
	return data, nil
}

// loosePath is where a loose object is, below an object directory.
func loosePath(id plumbing.Hash) string {
	name := hex.EncodeToString(id[:])
	return name[:2] + "/" + name[2:]
}
