package soak

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/proerror77/nova-staging/internal/ecremulator"
)

// Faults are what a world's registry suffers from during one render.
type Faults struct {
	injected []*ecremulator.Injection
	text     []string
	// final is true when one of them need not pass in time.
	final bool
}

// operations that a render calls.
var operations = []string{"", "BatchGetImage", "DescribeImages", "DescribeImageScanFindings"}

// transient faults pass when they are met a few times.
var transient = map[string]ecremulator.FaultKind{
	"Throttle": ecremulator.Throttle, "ServerError": ecremulator.ServerError, "Unavailable": ecremulator.Unavailable,
	"CutConnection": ecremulator.CutConnection, "CutBody": ecremulator.CutBody, "HTMLBody": ecremulator.HTMLBody,
	"TruncatedJSON": ecremulator.TruncatedJSON, "EmptyBody": ecremulator.EmptyBody, "Slow": ecremulator.Slow,
}

var (
	transientNames = []string{"Throttle", "ServerError", "Unavailable", "CutConnection", "CutBody", "HTMLBody", "TruncatedJSON", "EmptyBody", "Slow"}
	// lasting faults end a render that meets them.
	lasting = []ecremulator.FaultKind{
		ecremulator.ExpiredToken, ecremulator.UnknownKey, ecremulator.AccessDenied, ecremulator.SignatureExpired, ecremulator.Custom,
	}
)

// Inject makes calls to the world's registry fail at random: mostly so that a
// patient render succeeds, at times so that it can not.
func (w *World) Inject(e *ecremulator.Emulator, rng *rand.Rand) *Faults {
	f := &Faults{}
	for range rng.IntN(3) {
		name := transientNames[rng.IntN(len(transientNames))]
		// A call that is met by two faults has four attempts that come to nothing
		// before it counts as garbage; each fault is met at most once.
		f.inject(e, name, ecremulator.Fault{
			Kind: transient[name], Op: operations[rng.IntN(len(operations))], Account: w.Account,
			After: rng.IntN(6), Times: 1, Delay: time.Duration(rng.IntN(20)) * time.Millisecond,
		})
	}
	if rng.IntN(8) == 0 {
		f.inject(e, "EmptyPage", ecremulator.Fault{Kind: ecremulator.EmptyPage, Op: "DescribeImages", Account: w.Account, After: rng.IntN(3), Times: 1 + rng.IntN(2)})
	}
	switch rng.IntN(12) {
	case 0:
		kind := lasting[rng.IntN(len(lasting))]
		f.final = true
		f.inject(e, fmt.Sprintf("lasting %d", kind), ecremulator.Fault{
			Kind: kind, Op: operations[rng.IntN(len(operations))], Account: w.Account, After: rng.IntN(5),
			Status: 418, Code: "TeapotException", Message: "short and stout",
		})
	case 1:
		f.final = true
		f.inject(e, "endless", ecremulator.Fault{
			Kind: []ecremulator.FaultKind{ecremulator.Throttle, ecremulator.Hang, ecremulator.EmptyBody, ecremulator.CutBody}[rng.IntN(4)],
			Op:   operations[rng.IntN(len(operations))], Account: w.Account, After: rng.IntN(5), Probability: 0.5 + rng.Float64()/2, Seed: rng.Uint64(),
		})
	}
	return f
}

func (f *Faults) inject(e *ecremulator.Emulator, name string, fault ecremulator.Fault) {
	f.injected = append(f.injected, e.Inject(fault))
	f.text = append(f.text, fmt.Sprintf("%s of %q after %d", name, fault.Op, fault.After))
}

// Final is true when a render that meets the faults may give up.
func (f *Faults) Final() bool { return f.final }

// Timeout gives a render as much time as it can make use of.
func (f *Faults) Timeout() time.Duration {
	if f.final {
		return 700 * time.Millisecond
	}
	return time.Minute
}

// Fired counts the calls that were hit.
func (f *Faults) Fired() (n int) {
	for _, i := range f.injected {
		n += i.Fired()
	}
	return n
}

// Remove ends the faults.
func (f *Faults) Remove() {
	for _, i := range f.injected {
		i.Remove()
	}
}

func (f *Faults) String() string {
	if len(f.text) == 0 {
		return "no faults"
	}
	return strings.Join(f.text, ", ")
}
