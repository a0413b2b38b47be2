package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/semaphore"
)

// Thousands of Pods may answer with pages of megabytes, more than smoke's Job may use.
// The beginning of a body, which is all of most, is read in any case; what is longer has
// to find room among others.
const (
	beginning = 128 << 10
	room      = 32 << 20
)

// errNoRoom is matched when the time was over before there was room for a body.
var errNoRoom = errors.New("no room for its body among others as long")

// rest takes a body with its beginning read already, up to max bytes and one more, which
// tells that it goes on. done gives the room back that the body has.
func rest(ctx context.Context, memory *semaphore.Weighted, begun []byte, from io.Reader, max int64) (body []byte, done func(), err error) {
	taken := min(max, room)
	if err := memory.Acquire(ctx, taken); err != nil {
		return begun, func() {}, fmt.Errorf("%w: %w", errNoRoom, context.Cause(ctx))
	}
	b := bytes.NewBuffer(begun)
	_, err = b.ReadFrom(io.LimitReader(from, max+1-int64(len(begun))))
	// While it is looked at it takes what it has; others may begin.
	if used := min(int64(b.Cap()), taken); used < taken {
		memory.Release(taken - used)
		taken = used
	}
	return b.Bytes(), func() { memory.Release(taken) }, err
}
