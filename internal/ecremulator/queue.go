package ecremulator

import (
	"crypto/md5" //nolint:gosec // SQS's checksum of a body
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"sync"
	"time"
)

// Queue is a standard SQS queue: at least once, in any order. Its times are the
// real ones, not the emulator's clock's. Create one with [Emulator.CreateQueue].
type Queue struct {
	name       string
	account    string
	region     string
	visibility time.Duration
	wait       time.Duration
	maxReceive int
	dead       *Queue

	mu         sync.Mutex
	messages   []*message
	arrived    chan struct{} // closed and replaced when a message may be visible
	random     *rand.Rand
	duplicates float64
	unordered  bool
	sent       int
	deleted    int
	failing    int             // entries of batches that are still to fail
	handles    map[string]bool // that were ever given out
}

type message struct {
	id       string
	body     string
	handle   string
	sent     time.Time
	first    time.Time // of the first receive
	visible  time.Time
	receives int
	source   string // ARN of the queue that it died in
}

// QueueOptions are optional.
type QueueOptions struct {
	// Visibility of a received message that says nothing else. Default 30 s.
	Visibility time.Duration
	// Wait of a receive that says nothing else, in whole seconds. Default 0.
	Wait time.Duration
	// DeadLetter gets what was received MaxReceives times and not deleted.
	DeadLetter  *Queue
	MaxReceives int
}

var queueRE = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

// CreateQueue adds a queue of an account in a region. The error is
// ErrInvalidName or ErrExists.
func (e *Emulator) CreateQueue(account, region, name string, o QueueOptions) (*Queue, error) {
	if !accountRE.MatchString(account) || !regionRE.MatchString(region) || !queueRE.MatchString(name) {
		return nil, fmt.Errorf("create queue %s/%s/%s: %w", account, region, name, ErrInvalidName)
	}
	if o.Visibility == 0 {
		o.Visibility = 30 * time.Second
	}
	q := &Queue{
		name: name, account: account, region: region, visibility: o.Visibility, wait: o.Wait,
		maxReceive: o.MaxReceives, dead: o.DeadLetter, arrived: make(chan struct{}), random: rand.New(rand.NewPCG(1, 2)),
		handles: map[string]bool{},
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.queues == nil {
		e.queues = map[string]*Queue{}
	}
	if e.queues[q.Path()] != nil {
		return nil, fmt.Errorf("create queue %s: %w", q.Path(), ErrExists)
	}
	e.queues[q.Path()] = q
	return q, nil
}

// DeleteQueue lets a queue vanish; [Emulator.RestoreQueue] brings it back with
// its messages.
func (e *Emulator) DeleteQueue(q *Queue) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.queues, q.Path())
}

// RestoreQueue brings back a queue that was deleted.
func (e *Emulator) RestoreQueue(q *Queue) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.queues[q.Path()] = q
}

// Path of the queue's URL after the endpoint: /account/name.
func (q *Queue) Path() string { return "/" + q.account + "/" + q.name }

// ARN of the queue.
func (q *Queue) ARN() string {
	return "arn:" + partition(q.region) + ":sqs:" + q.region + ":" + q.account + ":" + q.name
}

// SetDuplicates makes SQS deliver a message again with that probability though
// it was received, from a generator started from seed.
func (q *Queue) SetDuplicates(probability float64, seed uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.duplicates, q.random = probability, rand.New(rand.NewPCG(seed, 0))
}

// SetUnordered makes the queue hand messages out in random order.
func (q *Queue) SetUnordered(on bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.unordered = on
}

// Send puts a message into the queue and gives its ID.
func (q *Queue) Send(body string) string {
	q.mu.Lock()
	defer q.mu.Unlock()
	m := &message{id: requestID(), body: body, sent: time.Now(), visible: time.Now()}
	q.messages = append(q.messages, m)
	q.sent++
	q.announce()
	return m.id
}

// FailEntries lets the next n entries of batches fail by themselves, by SQS's fault,
// while the calls succeed.
func (q *Queue) FailEntries(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.failing = n
}

// fails says whether an entry is one that is to fail, and counts it.
func (q *Queue) fails() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.failing == 0 {
		return false
	}
	q.failing--
	return true
}

// bury takes a message of another queue over as SQS does: with its ID and time.
func (q *Queue) bury(m *message, source string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	m.handle, m.visible, m.source = "", time.Now(), source
	q.messages = append(q.messages, m)
	q.sent++
	q.announce()
}

func (q *Queue) announce() {
	close(q.arrived)
	q.arrived = make(chan struct{})
}

// Len is how many messages the queue holds, received or not.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.messages)
}

// Visible is how many messages can be received.
func (q *Queue) Visible() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for _, m := range q.messages {
		if !m.visible.After(time.Now()) {
			n++
		}
	}
	return n
}

// Bodies are those of the messages that the queue holds.
func (q *Queue) Bodies() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	var all []string
	for _, m := range q.messages {
		all = append(all, m.body)
	}
	return all
}

// Counts are how many messages were sent and deleted.
func (q *Queue) Counts() (sent, deleted int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.sent, q.deleted
}

// ExpireVisibility makes every message visible now, as when the time of whoever
// received it is up.
func (q *Queue) ExpireVisibility() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range q.messages {
		m.visible = time.Now()
	}
	q.announce()
}

// received is a message as it is handed out.
type received struct{ message }

// receive takes up to n messages for the time of visibility. Without any it
// gives when to look again.
func (q *Queue) receive(n int, visibility time.Duration) (got []received, arrived <-chan struct{}, next time.Time) {
	q.mu.Lock()
	now := time.Now()
	order := slices.Clone(q.messages)
	if q.unordered {
		q.random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	var dead []*message
	for _, m := range order {
		if m.visible.After(now) {
			if next.IsZero() || m.visible.Before(next) {
				next = m.visible
			}
			continue
		}
		if len(got) == n {
			break
		}
		if q.dead != nil && q.maxReceive > 0 && m.receives >= q.maxReceive {
			dead = append(dead, m)
			continue
		}
		m.receives++
		if m.first.IsZero() {
			m.first = now
		}
		m.handle = requestID()
		q.handles[m.handle] = true
		m.visible = now.Add(visibility)
		if q.duplicates > 0 && q.random.Float64() < q.duplicates {
			m.visible = now // SQS forgot that it was received
		}
		got = append(got, received{message: *m})
	}
	for _, m := range dead {
		q.messages = slices.DeleteFunc(q.messages, func(x *message) bool { return x == m })
	}
	arrived = q.arrived
	q.mu.Unlock()
	for _, m := range dead {
		q.dead.bury(m, q.ARN())
	}
	return got, arrived, next
}

// remove deletes by a receipt handle. As in SQS an old handle is no error, and one
// that was never given out is.
func (q *Queue) remove(handle string) *apiError {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.handles[handle] {
		return errBadHandle(handle)
	}
	n := len(q.messages)
	q.messages = slices.DeleteFunc(q.messages, func(m *message) bool { return m.handle == handle })
	q.deleted += n - len(q.messages)
	return nil
}

// maxHidden is how long a message may be hidden, counted from when it was received
// first.
const maxHidden = 12 * time.Hour

// hide changes the visibility of a message that is in flight.
func (q *Queue) hide(handle string, d time.Duration) *apiError {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	switch {
	case !q.handles[handle]:
		return errBadHandle(handle)
	case d < 0 || d > maxHidden:
		return clientError("InvalidParameterValue", "Value %d for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an integer between 0 and 43200.", int(d.Seconds()))
	}
	for _, m := range q.messages {
		switch {
		case m.handle != handle:
			continue
		case !m.visible.After(now):
			return errNotInflight(handle)
		case now.Add(d).After(m.first.Add(maxHidden)):
			return clientError("InvalidParameterValue", "Value %d for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds].", int(d.Seconds()))
		}
		m.visible = now.Add(d)
		if d == 0 {
			q.announce()
		}
		return nil
	}
	return errNotInflight(handle)
}

func md5Of(body string) string {
	sum := md5.Sum([]byte(body)) //nolint:gosec // as SQS does
	return hex.EncodeToString(sum[:])
}
