package ecremulator

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"
)

// FaultKind is a way to fail.
type FaultKind int

// The kinds of faults. Where nothing else is said the call has no effect.
const (
	Throttle         FaultKind = iota // 400 ThrottlingException, "Rate exceeded"
	ServerError                       // 500 ServerException
	Unavailable                       // 503 ServiceUnavailableException
	ExpiredToken                      // 400 ExpiredTokenException
	UnknownKey                        // 400 UnrecognizedClientException
	AccessDenied                      // 400 AccessDeniedException that names the caller
	SignatureExpired                  // 400 InvalidSignatureException, as for a client whose clock is wrong
	Slow                              // answered as usual after Fault.Delay; later faults still apply
	Hang                              // never answered; ends when the client goes away
	CutConnection                     // closed without an answer
	CutBody                           // the call takes effect; closed in the middle of the answer's body
	HTMLBody                          // 200 with an HTML page, as from a proxy
	TruncatedJSON                     // the call takes effect; 200 with half of the body and a length that fits
	EmptyBody                         // 200 without a body
	EmptyPage                         // 200 with no results and the token of the page that was due; listings only
	Custom                            // Fault.Status with Fault.Code and Fault.Message
)

// AnyOperation in Fault.Op matches every call, also to STS and to /v2/.
const AnyOperation = "*"

// Fault says which calls fail and how. The zero value throttles every call of
// the ECR API for ever.
type Fault struct {
	Kind FaultKind // Required

	// Op is the operation: DescribeImages and so on, AssumeRole for STS, and
	// GetManifest, PutManifest, DeleteManifest, ListTags, ListReferrers, Blob
	// or Ping for /v2/. Optional; empty matches the ECR API, and
	// AnyOperation everything.
	Op string
	// Account, of the registry, and Repository must match. Optional; empty
	// matches all.
	Account, Repository string
	// Queue is the name that a call of SQS must be for. Optional; empty matches
	// all.
	Queue string

	// After lets that many matching calls pass first. Optional.
	After int
	// Times is how many calls fail. Optional; zero is no limit.
	Times int
	// Probability makes a matching call fail only that often, from 0 to 1, by
	// a generator started from Seed. Optional; zero is always.
	Probability float64
	Seed        uint64

	// Delay is for Slow. Required there.
	Delay time.Duration
	// Status, Code and Message are for Custom. Status is required there.
	Status        int
	Code, Message string
}

// Injection is a Fault at work.
type Injection struct {
	emulator *Emulator
	fault    Fault

	mu     sync.Mutex
	random *rand.Rand
	seen   int
	fired  int
}

// Inject makes the calls that f describes fail, from now on. Of several that
// match a call the one injected first is used. It panics if f names an
// operation that does not exist, because such a fault would silently never
// fire.
func (e *Emulator) Inject(f Fault) *Injection {
	if f.Op != "" && f.Op != AnyOperation && !slices.Contains(operationNames(), f.Op) {
		panic(fmt.Sprintf("inject a fault: unknown operation %q, know %q", f.Op, operationNames()))
	}
	i := &Injection{emulator: e, fault: f, random: rand.New(rand.NewPCG(f.Seed, 0))}
	e.faults.mu.Lock()
	defer e.faults.mu.Unlock()
	e.faults.injected = append(slices.Clone(e.faults.injected), i)
	return i
}

// Fired returns how many calls the fault has hit.
func (i *Injection) Fired() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fired
}

// Remaining returns how many calls the fault will still hit, or -1 if there is
// no limit.
func (i *Injection) Remaining() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.fault.Times == 0 {
		return -1
	}
	return i.fault.Times - i.fired
}

// Remove ends the fault. Calls that hang or wait go on doing so.
func (i *Injection) Remove() {
	s := &i.emulator.faults
	s.mu.Lock()
	defer s.mu.Unlock()
	s.injected = slices.DeleteFunc(slices.Clone(s.injected), func(j *Injection) bool { return i == j })
}

// ClearFaults ends all faults.
func (e *Emulator) ClearFaults() {
	e.faults.mu.Lock()
	defer e.faults.mu.Unlock()
	e.faults.injected = nil
}

type faultSet struct {
	mu       sync.RWMutex
	injected []*Injection // replaced, never changed in place
}

// hits tells whether the call fails by this fault, and counts it.
func (i *Injection) hits(c *Call) bool {
	f := i.fault
	switch {
	case f.Op == "" && c.Service != "ecr",
		f.Op != "" && f.Op != AnyOperation && f.Op != c.Operation,
		f.Account != "" && f.Account != c.Account,
		f.Repository != "" && f.Repository != c.Repository,
		f.Queue != "" && f.Queue != c.Queue:
		return false
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.seen++
	if i.seen <= f.After || f.Times > 0 && i.fired >= f.Times {
		return false
	}
	if f.Probability > 0 && i.random.Float64() >= f.Probability {
		return false
	}
	i.fired++
	return true
}

// spoiled answers a call as answer would, unless a fault hits it.
func (e *Emulator) spoiled(r *request, answer func() response) response {
	e.faults.mu.RLock()
	injected := e.faults.injected
	e.faults.mu.RUnlock()
	for _, i := range injected {
		if !i.hits(r.call) {
			continue
		}
		if i.fault.Kind == Slow {
			if !wait(r.http.Context(), i.fault.Delay) {
				return response{cut: true}
			}
			continue
		}
		return e.fail(r, i.fault, answer)
	}
	return answer()
}

func (e *Emulator) fail(r *request, f Fault, answer func() response) response {
	page := func(body string) response {
		return response{status: http.StatusOK, header: http.Header{"Content-Type": {"text/html"}}, body: []byte(body)}
	}
	switch f.Kind {
	case Hang:
		<-r.http.Context().Done()
		return response{cut: true}
	case CutConnection:
		return response{cut: true}
	case CutBody:
		res := answer()
		res.cut = true
		return res
	case HTMLBody:
		return page("<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Sign in to the network</body></html>\n")
	case TruncatedJSON:
		res := answer()
		res.body = res.body[:len(res.body)/2]
		return res
	case EmptyBody:
		return page("")
	case EmptyPage:
		r.emptyPage = true
		return answer()
	}
	return r.fail(e.faultError(r, f))
}

func (e *Emulator) faultError(r *request, f Fault) *apiError {
	switch f.Kind {
	case ServerError:
		return &apiError{http.StatusInternalServerError, "ServerException", "An internal failure occurred."}
	case Unavailable:
		return &apiError{http.StatusServiceUnavailable, "ServiceUnavailableException", "Service is unable to handle request."}
	case ExpiredToken:
		return errExpiredToken()
	case UnknownKey:
		return errUnknownKey()
	case AccessDenied:
		return e.refusal(r, r.call.Account, r.call.Repository, "identity-based")
	case SignatureExpired:
		now := e.serviceTime()
		return errSignatureExpired(now.Add(-time.Hour), now)
	case Custom:
		return &apiError{f.Status, f.Code, f.Message}
	}
	return clientError("ThrottlingException", "Rate exceeded")
}
