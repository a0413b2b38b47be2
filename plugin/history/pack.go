package history

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// maxChain is how many deltas may build on one another: git writes at most
// 4095, and a damaged pack may have a circle of them.
const maxChain = 4096

// pack is one packed file and its index.
type pack struct {
	store *store
	dir   string // the object directory
	name  string // below it, without .pack or .idx
	index *index // nil until it is needed

	scanner *packfile.Scanner // over scanned, nil until it is needed
	scanned *os.File
}

// find returns where in the pack an object is, or errAbsent.
func (p *pack) find(id plumbing.Hash) (int64, error) {
	f, err := p.openIndex()
	if err != nil {
		return 0, err
	}
	return p.index.find(f, id)
}

func (p *pack) eachWithPrefix(digits string, yield func(plumbing.Hash)) error {
	f, err := p.openIndex()
	if err != nil {
		return err
	}
	return p.index.eachWithPrefix(f, digits, yield)
}

// openIndex opens the pack's index and, the first time, reads its head.
func (p *pack) openIndex() (*os.File, error) {
	f, err := p.store.file(p.dir, p.name+".idx")
	if err != nil || p.index != nil {
		return f, err
	}
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	p.index, err = readIndex(f, fi.Size())
	return f, err
}

// entry is one object as it lies in a pack.
type entry struct {
	kind   plumbing.ObjectType
	offset int64
	data   []byte // inflated; a delta is not applied
}

// read returns the type and content of the object at an offset.
func (p *pack) read(offset int64) (plumbing.ObjectType, []byte, error) {
	chain, err := p.chain(offset, true)
	if err != nil {
		return plumbing.InvalidObject, nil, err
	}
	last := chain[len(chain)-1]
	for i := len(chain) - 2; i >= 0; i-- {
		p.store.keep(base{p, last.offset}, last)
		data, err := applyDelta(last.data, chain[i].data)
		if err != nil {
			return plumbing.InvalidObject, nil, fmt.Errorf("%w: entry at %d: %w", ErrCorrupt, chain[i].offset, err)
		}
		last = entry{last.kind, chain[i].offset, data}
	}
	p.store.keep(base{p, last.offset}, last)
	return last.kind, last.data, nil
}

// kind returns the type of the object at an offset.
func (p *pack) kind(offset int64) (plumbing.ObjectType, error) {
	chain, err := p.chain(offset, false)
	if err != nil {
		return plumbing.InvalidObject, err
	}
	return chain[len(chain)-1].kind, nil
}

// chain reads the entry at an offset and those that it builds on, up to one
// that is no delta or whose content is at hand. Without content only the types
// are read.
func (p *pack) chain(offset int64, content bool) ([]entry, error) {
	f, err := p.store.file(p.dir, p.name+".pack")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: its index is here, the pack is not: check that ARGOCD_REPO_SERVER_PLUGIN_TAR_EXCLUSIONS drops nothing from .git", ErrIncomplete)
	}
	if err != nil {
		return nil, err
	}
	if p.scanned != f {
		p.scanner, p.scanned = packfile.NewScanner(f), f
	}
	var chain []entry
	total := int64(0)
	for range maxChain {
		if known, ok := p.store.bases[base{p, offset}]; ok {
			return append(chain, known), nil
		}
		h, err := p.scanner.SeekObjectHeader(offset)
		if err != nil {
			return nil, fmt.Errorf("%w: entry at %d: %w", ErrCorrupt, offset, err)
		}
		e := entry{kind: h.Type, offset: offset}
		if content {
			if total += h.Length; h.Length < 0 || total < 0 || total > maxObject {
				return nil, fmt.Errorf("entry at %d: %w", offset, errTooLarge)
			}
			if e.data, err = inflate(p.scanner, h.Length); err != nil {
				return nil, fmt.Errorf("%w: entry at %d: %w", ErrCorrupt, offset, err)
			}
		}
		chain = append(chain, e)
		switch h.Type {
		case plumbing.OFSDeltaObject:
			offset = h.OffsetReference
		case plumbing.REFDeltaObject:
			if offset, err = p.find(h.Reference); err != nil {
				return nil, fmt.Errorf("%w: entry at %d builds on %s: %w", ErrCorrupt, e.offset, h.Reference, err)
			}
		case plumbing.CommitObject, plumbing.TagObject, plumbing.TreeObject, plumbing.BlobObject:
			return chain, nil
		default:
			return nil, fmt.Errorf("%w: entry at %d has no known type", ErrCorrupt, offset)
		}
	}
	return nil, fmt.Errorf("%w: entry at %d builds on %d others or on itself", ErrCorrupt, chain[0].offset, maxChain)
}

// inflate reads the content of the entry whose header the scanner has read.
func inflate(scanner *packfile.Scanner, size int64) ([]byte, error) {
	var buf bytes.Buffer
	n, _, err := scanner.NextObject(&buf)
	if err != nil {
		return nil, err
	}
	if n != size {
		return nil, fmt.Errorf("it has %d bytes and says %d", n, size)
	}
	return buf.Bytes(), nil
}

// applyDelta builds an object from a base and a delta, which begins with the
// sizes of both.
func applyDelta(source, delta []byte) ([]byte, error) {
	_, n := binary.Uvarint(delta)
	if n <= 0 {
		return nil, packfile.ErrInvalidDelta
	}
	size, n := binary.Uvarint(delta[n:])
	if n <= 0 {
		return nil, packfile.ErrInvalidDelta
	}
	if size > maxObject {
		return nil, errTooLarge
	}
	return packfile.PatchDelta(source, delta)
}
