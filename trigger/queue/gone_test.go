package queue

import (
	"fmt"
	"testing"
)

// TestAMessageThatComesAgainIsDeletedOnce has a message come again and again, as for
// days while the role lacks the right to delete.
func TestAMessageThatComesAgainIsDeletedOnce(t *testing.T) {
	t.Parallel()
	q := &Queue{held: map[string]*message{}, gone: map[string]string{}, wake: make(chan struct{}, 1)}
	for i := range 1000 {
		q.held["m"] = &message{handle: fmt.Sprint(i)}
		q.done("m")
	}
	if len(q.gone) != 1 || q.gone["m"] != "999" || len(q.held) != 0 {
		t.Errorf("%d to delete, by the handle %s; %d held", len(q.gone), q.gone["m"], len(q.held))
	}
}
