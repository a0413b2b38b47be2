package history

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
)

// TestIndexSearch looks for names in an index so crowded that the search has to
// halve it several times, with offsets that need 64 bits.
func TestIndexSearch(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var names []plumbing.Hash
	for i := range 3000 {
		id := plumbing.Hash{byte([]int{0, 0x7f, 0xff}[i%3])}
		for j := 1; j < len(id); j++ {
			id[j] = byte(rng.IntN(256))
		}
		names = append(names, id)
	}
	slices.SortFunc(names, func(a, b plumbing.Hash) int { return bytes.Compare(a[:], b[:]) })
	for _, version := range []int{1, 2} {
		t.Run(fmt.Sprintf("version %d", version), func(t *testing.T) {
			t.Parallel()
			data, offsets := crowded(names, version)
			f := bytes.NewReader(data)
			ix, err := readIndex(f, int64(len(data)))
			if err != nil {
				t.Fatal(err)
			}
			for i, id := range names {
				if got, err := ix.find(f, id); got != offsets[i] || err != nil {
					t.Fatalf("%s: got %d, %v, want %d", id, got, err, offsets[i])
				}
				id[19]++
				if _, found := slices.BinarySearchFunc(names, id, func(a, b plumbing.Hash) int { return bytes.Compare(a[:], b[:]) }); found {
					continue
				}
				if got, err := ix.find(f, id); !errors.Is(err, errAbsent) {
					t.Fatalf("%s is not in the index: got %d, %v", id, got, err)
				}
			}
			for _, digits := range []string{"", "7", "7f", "7f0", "ff", "fff", "0000", "80"} {
				var want, got int
				for _, id := range names {
					if strings.HasPrefix(hex.EncodeToString(id[:]), digits) {
						want++
					}
				}
				if err := ix.eachWithPrefix(f, digits, func(plumbing.Hash) { got++ }); got != want || err != nil {
					t.Errorf("%q: got %d names, %v, want %d", digits, got, err, want)
				}
			}
		})
	}
}

// crowded makes an index, every third offset in version 2 a large one.
func crowded(names []plumbing.Hash, version int) (data []byte, offsets []int64) {
	for b := range 256 {
		n := 0
		for _, id := range names {
			if int(id[0]) <= b {
				n++
			}
		}
		data = binary.BigEndian.AppendUint32(data, uint32(n))
	}
	if version == 1 {
		for i, id := range names {
			offsets = append(offsets, int64(i)*7)
			data = append(binary.BigEndian.AppendUint32(data, uint32(i)*7), id[:]...)
		}
		return append(data, make([]byte, 40)...), offsets
	}
	data = append([]byte("\xfftOc\x00\x00\x00\x02"), data...)
	for _, id := range names {
		data = append(data, id[:]...)
	}
	data = append(data, make([]byte, 4*len(names))...)
	var large []byte
	for i := range names {
		offset := int64(i) * 7
		if i%3 == 0 {
			offset += 1 << 33
			data = binary.BigEndian.AppendUint32(data, 1<<31|uint32(len(large)/8))
			large = binary.BigEndian.AppendUint64(large, uint64(offset))
		} else {
			data = binary.BigEndian.AppendUint32(data, uint32(offset))
		}
		offsets = append(offsets, offset)
	}
	return append(append(data, large...), make([]byte, 40)...), offsets
}

func TestKeptBasesAreBounded(t *testing.T) {
	t.Parallel()
	s := packOf(t, cyclic)
	for i := range 100 {
		s.keep(base{offset: int64(i)}, entry{data: make([]byte, maxBases/10)})
		total := 0
		for _, e := range s.bases {
			total += len(e.data)
		}
		if total > maxBases || total != s.held {
			t.Fatalf("%d bytes are kept, %d counted", total, s.held)
		}
	}
	s.keep(base{offset: 1000}, entry{data: make([]byte, maxBases+1)})
	if _, ok := s.bases[base{offset: 1000}]; ok {
		t.Error("a base larger than all that may be kept is kept")
	}
}

func TestLargeObjectsAreRefused(t *testing.T) {
	t.Parallel()
	entry := append([]byte{0x90, 0x80, 0x80, 0x80, 0x01}, "x\x9c"...) // a commit of 32 MiB and more
	entry[4] = 0x7f
	if _, err := packOf(t, entry).get(self, plumbing.CommitObject); !errors.Is(err, errTooLarge) {
		t.Errorf("in a pack: %v", err)
	}
	if _, err := readExactly(strings.NewReader(""), maxObject+1); !errors.Is(err, errTooLarge) {
		t.Errorf("loose: %v", err)
	}
	delta := binary.AppendUvarint(binary.AppendUvarint(nil, 1), maxObject+1)
	if _, err := applyDelta([]byte("a"), delta); !errors.Is(err, errTooLarge) {
		t.Errorf("made by a delta: %v", err)
	}
	for _, delta := range [][]byte{nil, {1}, {0xff}, {1, 0xff}} {
		if _, err := applyDelta([]byte("a"), delta); err == nil {
			t.Errorf("delta %v is accepted", delta)
		}
	}
}
