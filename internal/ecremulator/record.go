package ecremulator

import (
	"slices"
	"sync"
	"time"
)

// Call is one request that the emulator answered, without its secrets.
type Call struct {
	Time        time.Time // when it arrived, by the real clock
	Service     string    // ecr, sts, or oci for /v2/
	Operation   string    // such as DescribeImages, or GetManifest for oci
	Account     string    // of the registry asked for, or the caller's own
	Region      string
	Repository  string
	Queue       string // its name, for SQS
	IDs         int    // how many imageIds it carried
	Bytes       int64  // of the answer's body, as far as it was sent
	Status      int    // HTTP status, 0 if the connection was cut or the caller left
	Error       string // ECR's error code, empty if none
	AccessKeyID string
	UserAgent   string
}

// recorder keeps calls in the order in which they ended.
type recorder struct {
	mu       sync.Mutex
	calls    []Call
	inFlight int
	most     int
}

func (r *recorder) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inFlight++
	r.most = max(r.most, r.inFlight)
}

func (r *recorder) end(c Call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inFlight--
	r.calls = append(r.calls, c)
}

// Calls returns every call since the start or the last Reset, in the order in
// which they ended.
func (e *Emulator) Calls() []Call {
	e.calls.mu.Lock()
	defer e.calls.mu.Unlock()
	return slices.Clone(e.calls.calls)
}

// Count returns how many calls of an operation there were for a repository.
// An empty argument stands for any; operation "" counts ECR's API only, not
// STS and not /v2/.
func (e *Emulator) Count(operation, repository string) int {
	e.calls.mu.Lock()
	defer e.calls.mu.Unlock()
	n := 0
	for _, c := range e.calls.calls {
		if operation == "" && c.Service != "ecr" || operation != "" && c.Operation != operation {
			continue
		}
		if repository == "" || c.Repository == repository {
			n++
		}
	}
	return n
}

// Bytes returns how many bytes the bodies of all answers had, since the start or
// the last Reset.
func (e *Emulator) Bytes() int64 {
	e.calls.mu.Lock()
	defer e.calls.mu.Unlock()
	var n int64
	for _, c := range e.calls.calls {
		n += c.Bytes
	}
	return n
}

// MaxInFlight returns the most calls that were being answered at one time,
// since the start or the last Reset.
func (e *Emulator) MaxInFlight() int {
	e.calls.mu.Lock()
	defer e.calls.mu.Unlock()
	return e.calls.most
}

// Reset forgets the calls. Images, faults and credentials stay.
func (e *Emulator) Reset() {
	e.calls.mu.Lock()
	defer e.calls.mu.Unlock()
	e.calls.calls = nil
	e.calls.most = e.calls.inFlight
}
