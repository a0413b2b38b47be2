package history

import (
	"bufio"
	"compress/zlib"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// loose calls use with a loose object's content, type and size, from the first
// object directory where that succeeds. The error is errAbsent when none has it.
func (s *store) loose(id plumbing.Hash, use func(r io.Reader, kind plumbing.ObjectType, size int64) error) error {
	failed := errAbsent
	for _, dir := range s.dirs {
		f, err := open(dir, loosePath(id))
		if absent(err) {
			continue
		}
		if err == nil {
			err = readLoose(f, use)
			_ = f.Close() // only ever read
		}
		if err == nil {
			return nil
		}
		failed = err
	}
	return failed
}

// readLoose decodes "<type> <size>\0<content>", compressed.
func readLoose(f io.Reader, use func(r io.Reader, kind plumbing.ObjectType, size int64) error) error {
	z, err := zlib.NewReader(f)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	defer z.Close()
	r := bufio.NewReaderSize(z, 512)
	var head []byte
	for len(head) < 32 {
		c, err := r.ReadByte()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		if c == 0 {
			name, digits, _ := strings.Cut(string(head), " ")
			kind, err := plumbing.ParseObjectType(name)
			if err != nil {
				break
			}
			size, err := strconv.ParseInt(digits, 10, 64)
			if err != nil {
				break
			}
			return use(r, kind, size)
		}
		head = append(head, c)
	}
	return fmt.Errorf("%w: it does not begin with a type and a size", ErrCorrupt)
}
