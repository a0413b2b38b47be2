package probe

import (
	"bytes"
	"testing"

	"golang.org/x/sync/semaphore"
)

// A buffer that grew is larger than what is in it.
func TestTheRoomThatIsTakenIsTheMemoryThatIsHeld(t *testing.T) {
	t.Parallel()
	memory := semaphore.NewWeighted(room)
	body, done, err := rest(t.Context(), memory, make([]byte, beginning), bytes.NewReader(make([]byte, 5<<20)), 16<<20)
	if err != nil || len(body) != beginning+(5<<20) {
		t.Fatalf("%d bytes: %v", len(body), err)
	}
	if memory.TryAcquire(room - int64(cap(body)) + 1) {
		t.Errorf("less is taken than the %d bytes that are held", cap(body))
	}
	done()
	if !memory.TryAcquire(room) {
		t.Error("not all of it is given back")
	}
}
