package ecremulator

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultAccount is the account of the credentials that [Server.Env] hands out
// when neither [WithAccount] nor a registry says otherwise.
const DefaultAccount = "123456789012"

// Emulator is a set of ECR registries behind one endpoint. It is safe for
// concurrent use. Create one with [New].
type Emulator struct {
	clock     Clock
	account   string
	region    string
	open      bool
	anonymous bool
	tokenKey  []byte

	latency   atomic.Int64
	skew      atomic.Int64
	pageLimit atomic.Int64

	calls  recorder
	faults faultSet

	mu         sync.RWMutex
	registries map[registryKey]*Registry
	first      *Registry
	keys       map[string]*credential
	root       Credentials
	roles      map[string]*Role
	denials    []*Denial
	passwords  map[string]password
	queues     map[string]*Queue // by path
	rules      []*Queue          // that get events of pushes
}

type registryKey struct{ account, region string }

// Option changes how New builds an Emulator.
type Option func(*Emulator)

// WithClock sets the clock of pushes, pulls and expiry. Optional; the default
// is the system's.
func WithClock(c Clock) Option {
	return func(e *Emulator) { e.clock = c }
}

// WithAccount sets the account of the default credentials, twelve digits; it
// panics at any other. Optional; the default is the account of the registry
// created first.
func WithAccount(account string) Option {
	if !accountRE.MatchString(account) {
		panic(fmt.Sprintf("set the default account: %q is not twelve digits", account))
	}
	return func(e *Emulator) { e.account = account }
}

// WithEndpointRegion makes the endpoint that of one region: a request whose
// signature is scoped to another is refused with InvalidSignatureException, as
// a regional AWS endpoint does. Optional; by default every region is served and
// the signature's says which is meant.
func WithEndpointRegion(region string) Option {
	return func(e *Emulator) { e.region = region }
}

// WithLatency delays every API call by d. Optional; the default is none. See
// [Emulator.SetLatency].
func WithLatency(d time.Duration) Option {
	return func(e *Emulator) { e.SetLatency(d) }
}

// WithOpenAccess lets every caller with valid credentials use every registry,
// so that an unknown registry or repository is RepositoryNotFoundException for
// everyone. Optional; by default a caller of another account is refused with
// AccessDeniedException until [Registry.Allow] names it.
func WithOpenAccess() Option {
	return func(e *Emulator) { e.open = true }
}

// WithAnonymousPull serves pulls on /v2/ without a password, which ECR never
// does, for clusters whose nodes have no credential provider. Optional.
func WithAnonymousPull() Option {
	return func(e *Emulator) { e.anonymous = true }
}

// New returns an emulator without registries.
func New(opts ...Option) *Emulator {
	e := &Emulator{
		clock:      systemClock{},
		tokenKey:   make([]byte, 32),
		registries: map[registryKey]*Registry{},
		keys:       map[string]*credential{},
		roles:      map[string]*Role{},
		passwords:  map[string]password{},
	}
	_, _ = rand.Read(e.tokenKey) // never fails: crypto/rand aborts the program instead
	for _, o := range opts {
		o(e)
	}
	e.root = e.newCredential("", "user/emulator", "AKIA", time.Time{})
	return e
}

// Now returns the time of the emulator's clock.
func (e *Emulator) Now() time.Time { return e.clock.Now() }

// SetLatency delays every API call from now on by d, also those that fail.
func (e *Emulator) SetLatency(d time.Duration) { e.latency.Store(int64(d)) }

// Latency returns the delay of every API call.
func (e *Emulator) Latency() time.Duration { return time.Duration(e.latency.Load()) }

// SetClockSkew moves the time that the service believes it is, against the
// real one: the Date header is shifted, and signatures more than five minutes
// away from it are refused. An SDK corrects itself from the Date header.
func (e *Emulator) SetClockSkew(d time.Duration) { e.skew.Store(int64(d)) }

// SetPageLimit caps every page at n results however many are asked for, so
// that a small repository has several pages. Zero removes the cap.
func (e *Emulator) SetPageLimit(n int) { e.pageLimit.Store(int64(n)) }

// serviceTime is what the service takes the real time to be. It is apart from
// the clock, which tests set at will while the SDK signs with the real time.
func (e *Emulator) serviceTime() time.Time {
	return time.Now().Add(time.Duration(e.skew.Load())).UTC()
}

// defaultAccount is the account of the default credentials.
func (e *Emulator) defaultAccount() string {
	e.mu.RLock()
	defer e.mu.RUnlock()
	switch {
	case e.account != "":
		return e.account
	case e.first != nil:
		return e.first.account
	}
	return DefaultAccount
}

// ServeHTTP answers the ECR, SQS and STS APIs and the OCI registry: /v2/ is the
// registry's, a request with X-Amz-Target is ECR's or SQS's, and a form is STS's.
func (e *Emulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/v2" || strings.HasPrefix(r.URL.Path, "/v2/"):
		e.serveRegistry(w, r)
	case r.Header.Get("X-Amz-Target") == "" && strings.HasPrefix(r.Header.Get("Content-Type"), formType):
		e.serve(w, r, "sts", e.answerSTS)
	case strings.HasPrefix(r.Header.Get("X-Amz-Target"), sqsPrefix):
		e.serve(w, r, "sqs", e.answerSQS)
	default:
		e.serve(w, r, "ecr", e.answerAPI)
	}
}
