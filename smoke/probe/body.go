package probe

import (
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
	body, err = readUpTo(begun, from, int(max+1))
	// While it is looked at it takes what it has; others may begin.
	if used := min(int64(cap(body)), taken); used < taken {
		memory.Release(taken - used)
		taken = used
	}
	return body, func() { memory.Release(taken) }, err
}

// readUpTo reads on until a body has so many bytes. It doubles what the body takes, but
// never beyond these, as a bytes.Buffer does.
func readUpTo(body []byte, from io.Reader, most int) ([]byte, error) {
	for len(body) < most {
		if len(body) == cap(body) {
			body = append(make([]byte, 0, min(2*cap(body), most)), body...)
		}
		n, err := from.Read(body[len(body):min(cap(body), most)])
		body = body[:len(body)+n]
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return body, err
		}
	}
	return body, nil
}
