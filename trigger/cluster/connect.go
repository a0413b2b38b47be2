// Package cluster is trigger's way to the API server: Applications, Events on
// them, and the server's clock.
package cluster

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/proerror77/nova-staging/internal/version"
)

// Access says how to come to the API server. The zero value is a Pod's
// ServiceAccount, or else KUBECONFIG and ~/.kube/config.
type Access struct {
	Kubeconfig string
	Context    string
}

// Connection is a way to the API server.
type Connection struct {
	Config    *rest.Config
	Namespace string // the Pod's own or the context's
	Dynamic   dynamic.Interface
	Typed     kubernetes.Interface
	Clock     *Clock
	requests  *requests
	timeout   time.Duration
}

// answer is how long the API server may take to answer a call about one Application;
// it ends its own after a minute, what stands before it perhaps never.
const answer = 30 * time.Second

// Connect reads credentials; it does not talk to the server yet.
func Connect(a Access) (*Connection, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = a.Kubeconfig
	cc := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: a.Context})
	cfg, err := cc.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("find a cluster: %w", err)
	}
	ns, _, err := cc.Namespace()
	if err != nil {
		return nil, fmt.Errorf("find a cluster: %w", err)
	}
	return NewConnection(cfg, ns)
}

// NewConnection makes clients of a configuration.
func NewConnection(cfg *rest.Config, namespace string) (*Connection, error) {
	cfg = rest.CopyConfig(cfg)
	cfg.UserAgent = "nova-trigger/" + version.Get().Version
	// Calls are few and proportional to what changes; the client's own limiter of
	// five a second would only delay a burst.
	cfg.QPS = -1
	cfg.WarningHandler = rest.NoWarnings{}
	c := &Connection{Namespace: namespace, Clock: &Clock{}, requests: &requests{}, timeout: answer}
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return &observer{next, c.Clock, c.requests} })
	c.Config = cfg
	var err error
	if c.Dynamic, err = dynamic.NewForConfig(cfg); err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	// Leases and Events are few and small: JSON, as everything else.
	cfg.ContentType, cfg.AcceptContentTypes = "application/json", "application/json"
	if c.Typed, err = kubernetes.NewForConfig(cfg); err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	return c, nil
}

// Requests counts the requests to the API server.
func (c *Connection) Requests() (read, write uint64) {
	return c.requests.read.Load(), c.requests.write.Load()
}

type requests struct{ read, write atomic.Uint64 }

// observer counts requests and notes the server's clock.
type observer struct {
	next     http.RoundTripper
	clock    *Clock
	requests *requests
}

func (o *observer) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet {
		o.requests.read.Add(1)
	} else {
		o.requests.write.Add(1)
	}
	began := time.Now()
	resp, err := o.next.RoundTrip(r)
	if err == nil {
		if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
			o.clock.See(date, began, time.Now())
		}
	}
	return resp, err
}

// Clock follows the clock of a server by the Date of its answers. The zero value
// agrees with ours. Safe for concurrent use.
type Clock struct{ offset atomic.Int64 }

// tolerance is what a Date, in whole seconds, can not tell from agreement.
const tolerance = 2 * time.Second

// See notes the server's time in an answer to a request made between two times
// of ours.
func (c *Clock) See(server, began, ended time.Time) {
	if server.IsZero() || ended.Sub(began) > tolerance {
		return // the answer took too long to tell
	}
	// A Date is cut to whole seconds: on average half a second later.
	offset := server.Add(time.Second / 2).Sub(began.Add(ended.Sub(began) / 2))
	if offset.Abs() < tolerance {
		offset = 0
	}
	c.offset.Store(int64(offset))
}

// Offset is how far the server's clock is ahead of ours; zero below two seconds.
func (c *Clock) Offset() time.Duration { return time.Duration(c.offset.Load()) }
