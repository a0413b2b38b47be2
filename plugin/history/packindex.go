package history

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

const (
	idLen  = len(plumbing.ZeroHash)
	fanLen = 256 * 4
	block  = 128 // names that are read at once at the end of a search
)

// index is a pack's .idx file, of which only the first table is in memory.
// Names are sorted; fan[b] is how many begin with a byte up to b.
type index struct {
	fan    [256]uint32
	names  int64 // where the first name is
	stride int64 // from one name to the next
	v1     bool
}

// readIndex reads the head of an .idx file of the given size.
func readIndex(f io.ReaderAt, size int64) (*index, error) {
	head := make([]byte, 8+fanLen)
	if n, err := f.ReadAt(head, 0); n < len(head) {
		return nil, fmt.Errorf("%w: index: %w", ErrCorrupt, err)
	}
	ix := &index{names: int64(len(head)), stride: int64(idLen)}
	perObject := int64(idLen + 4 + 4)
	if version := binary.BigEndian.Uint32(head[4:]); !bytes.HasPrefix(head, []byte("\xfftOc")) {
		ix.v1, ix.names, ix.stride, perObject = true, fanLen+4, int64(idLen+4), int64(idLen+4)
		head = append(make([]byte, 8), head[:fanLen]...)
	} else if version != 2 {
		return nil, fmt.Errorf("%w: pack index version %d, only 1 and 2 are known", ErrUnsupported, version)
	}
	last := uint32(0)
	for i := range ix.fan {
		ix.fan[i] = binary.BigEndian.Uint32(head[8+4*i:])
		if ix.fan[i] < last {
			return nil, fmt.Errorf("%w: index: its first table does not rise", ErrCorrupt)
		}
		last = ix.fan[i]
	}
	if size < int64(len(head))-8+int64(last)*perObject+int64(2*idLen) {
		return nil, fmt.Errorf("%w: index: it is too short for %d objects", ErrCorrupt, last)
	}
	return ix, nil
}

func (ix *index) count() int64 { return int64(ix.fan[255]) }

// search returns the position of the first name that is not below want.
func (ix *index) search(f io.ReaderAt, want plumbing.Hash) (int64, error) {
	lo, hi := int64(0), int64(ix.fan[want[0]])
	if want[0] > 0 {
		lo = int64(ix.fan[want[0]-1])
	}
	for hi-lo > block {
		mid := lo + (hi-lo)/2
		name, err := ix.name(f, mid)
		if err != nil {
			return 0, err
		}
		if bytes.Compare(name[:], want[:]) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	buf := make([]byte, (hi-lo)*ix.stride)
	if err := readAt(f, buf, ix.names+lo*ix.stride); err != nil {
		return 0, err
	}
	i := sort.Search(int(hi-lo), func(i int) bool {
		name := buf[int64(i)*ix.stride:]
		return bytes.Compare(name[:idLen], want[:]) >= 0
	})
	return lo + int64(i), nil
}

// name returns the name at a position below count.
func (ix *index) name(f io.ReaderAt, i int64) (id plumbing.Hash, err error) {
	err = readAt(f, id[:], ix.names+i*ix.stride)
	return id, err
}

// offset returns where in the pack the object is whose name is at a position.
func (ix *index) offset(f io.ReaderAt, i int64) (int64, error) {
	var b [8]byte
	if ix.v1 {
		err := readAt(f, b[:4], ix.names-4+i*ix.stride)
		return int64(binary.BigEndian.Uint32(b[:])), err
	}
	small := ix.names + ix.count()*int64(idLen+4)
	if err := readAt(f, b[:4], small+i*4); err != nil {
		return 0, err
	}
	v := binary.BigEndian.Uint32(b[:])
	if v>>31 == 0 {
		return int64(v), nil
	}
	if err := readAt(f, b[:], small+ix.count()*4+int64(v&^(1<<31))*8); err != nil {
		return 0, err
	}
	large := binary.BigEndian.Uint64(b[:])
	if large>>63 != 0 {
		return 0, fmt.Errorf("%w: index: an offset is too large", ErrCorrupt)
	}
	return int64(large), nil
}

// find returns where in the pack an object is, or errAbsent.
func (ix *index) find(f io.ReaderAt, id plumbing.Hash) (int64, error) {
	i, err := ix.search(f, id)
	if err != nil {
		return 0, err
	}
	if i == ix.count() {
		return 0, errAbsent
	}
	name, err := ix.name(f, i)
	if err != nil {
		return 0, err
	}
	if name != id {
		return 0, errAbsent
	}
	return ix.offset(f, i)
}

// eachWithPrefix calls yield with the names that begin with the digits.
func (ix *index) eachWithPrefix(f io.ReaderAt, digits string, yield func(plumbing.Hash)) error {
	first, _ := parseHash(digits + strings.Repeat("0", 2*idLen-len(digits)))
	i, err := ix.search(f, first)
	for ; err == nil && i < ix.count(); i++ {
		var id plumbing.Hash
		if id, err = ix.name(f, i); err != nil {
			break
		}
		if !strings.HasPrefix(hex.EncodeToString(id[:]), digits) {
			break
		}
		yield(id)
	}
	return err
}

// readAt fills buf or fails.
func readAt(f io.ReaderAt, buf []byte, at int64) error {
	if n, err := f.ReadAt(buf, at); n < len(buf) {
		return fmt.Errorf("%w: index: %w", ErrCorrupt, err)
	}
	return nil
}
