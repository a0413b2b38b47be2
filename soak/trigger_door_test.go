package soak

import (
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// outage is what the API server suffers from. It is shared by the doors of one
// staging.
type outage struct {
	mu    sync.Mutex
	rng   *rand.Rand
	share float64 // of the requests that fail
	hits  map[string]int
}

func (t *outage) set(share float64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.share = share
}

// refusals are answers of the API server, or of what stands before it, that have
// no effect.
var refusals = []struct {
	code   int
	reason string
}{
	{http.StatusInternalServerError, "InternalError"},
	{http.StatusServiceUnavailable, "ServiceUnavailable"},
	{http.StatusTooManyRequests, "TooManyRequests"},
	{http.StatusConflict, "Conflict"},
	{http.StatusUnprocessableEntity, "Invalid"},
	{http.StatusGatewayTimeout, "Timeout"},
	{http.StatusForbidden, "Forbidden"},
	{http.StatusGone, "Expired"},
}

// pick says how a request fails; "" when it does not. n chooses within a kind.
func (t *outage) pick(r *http.Request) (kind string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	share := t.share
	if r.Method == http.MethodGet {
		share /= 3 // the informer waits long after a failure
	}
	if t.rng.Float64() >= share {
		return "", 0
	}
	kinds := []string{"refused", "refused", "cut", "cut after it took effect", "slow", "hangs", "answered by a proxy"}
	kind = kinds[t.rng.IntN(len(kinds))]
	t.hits[kind]++
	return kind, t.rng.IntN(1000)
}

// door is one replica's way to the API server. It can be shut, as when the
// replica is killed: nothing that it still tries takes effect.
type door struct {
	*httptest.Server
	shut    atomic.Bool
	trouble *outage
	through *httputil.ReverseProxy
}

func newDoor(to string, t *outage) *door {
	u, err := url.Parse(to)
	if err != nil {
		panic(err)
	}
	d := &door{trouble: t, through: &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(u) },
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0),
	}}
	d.Server = httptest.NewUnstartedServer(d)
	d.Config.ErrorLog = log.New(io.Discard, "", 0)
	d.Start()
	return d
}

// slam shuts the door for good.
func (d *door) slam() {
	d.shut.Store(true)
	d.CloseClientConnections()
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	cut := func() { panic(http.ErrAbortHandler) }
	if d.shut.Load() {
		cut()
	}
	kind, n := d.trouble.pick(r)
	switch kind {
	case "refused":
		f := refusals[n%len(refusals)]
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(f.code)
		fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"code":%d,"message":"not now"}`, f.reason, f.code)
		return
	case "cut":
		cut()
	case "cut after it took effect":
		if r.Method != http.MethodGet {
			d.through.ServeHTTP(httptest.NewRecorder(), r)
		}
		cut()
	case "slow":
		time.Sleep(time.Duration(n) * time.Millisecond / 2)
	case "hangs":
		select {
		case <-r.Context().Done():
		case <-time.After(time.Duration(500+n) * time.Millisecond):
		}
		cut()
	case "answered by a proxy":
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!DOCTYPE html>\n<title>Sign in to the network</title>\n")
		return
	}
	d.through.ServeHTTP(w, r)
}
