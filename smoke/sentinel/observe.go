// Package sentinel looks at a Redis Sentinel group: whether its sentinels agree
// and could fail over, whether the master they name is one and takes writes,
// and whether its replicas follow.
package sentinel

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Login is a user name and password; both may be empty.
type Login struct{ Username, Password string }

// Group is what is looked at and what is expected of it.
type Group struct {
	// Addresses of the sentinels, host:port. Required.
	Addresses []string
	// Master's name. Required.
	Master string
	// Sentinels that must answer. 0 means all that Addresses stand for.
	Sentinels int
	// Quorum that must be configured. 0 means any.
	Quorum int
	// Replicas that must follow the master.
	Replicas int
	// Servers and Watchers are the logins for Redis and for the sentinels.
	Servers, Watchers Login
	// Dial opens connections. Required.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Lookup gives the addresses a host stands for. Required.
	Lookup func(ctx context.Context, host string) ([]string, error)
	// TLS gives the client's side of TLS for a host. Optional.
	TLS func(host string) *tls.Config
	// Timeout of one command. Required.
	Timeout time.Duration
}

// watcherView is what one sentinel says.
type watcherView struct {
	address  string
	err      error // it could not be asked
	id       string
	quorum   error // of CKQUORUM
	master   map[string]string
	replicas []map[string]string
	peers    []map[string]string
}

// serverView is what one Redis server says of itself.
type serverView struct {
	address string
	err     error
	role    []any
	info    map[string]string
	conf    map[string]string // what CONFIG GET gave, empty when it is refused
}

// view is the whole group at one moment.
type view struct {
	watchers []watcherView
	master   *serverView
	replicas []serverView
}

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// silence keeps go-redis from writing to stderr by itself.
var silence = sync.OnceFunc(func() { redis.SetLogger(quiet{}) })

func (g *Group) options(address string, login Login) *redis.Options {
	host, _, _ := net.SplitHostPort(address)
	return &redis.Options{
		Addr: address, Username: login.Username, Password: login.Password,
		Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := g.Dial(ctx, network, addr)
			if err != nil || g.TLS == nil {
				return conn, err
			}
			secure := tls.Client(conn, g.TLS(host))
			if err := secure.HandshakeContext(ctx); err != nil {
				conn.Close()
				return nil, err
			}
			return secure, nil
		},
		Protocol: 2, DisableIdentity: true, MaxRetries: -1, PoolSize: 1, DialerRetries: 1,
		DialTimeout: g.Timeout, ReadTimeout: g.Timeout, WriteTimeout: g.Timeout, ContextTimeoutEnabled: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

// observe asks everybody once, all sentinels at the same time, then the master
// and its replicas.
func (g *Group) observe(ctx context.Context) (view, error) {
	silence()
	addresses, err := g.expand(ctx)
	if err != nil {
		return view{}, err
	}
	var v view
	v.watchers = make([]watcherView, len(addresses))
	each(len(addresses), func(i int) { v.watchers[i] = g.askWatcher(ctx, addresses[i]) })
	slices.SortFunc(v.watchers, func(a, b watcherView) int { return strings.Compare(a.address, b.address) })
	master, replicas := "", []string(nil)
	for _, w := range v.watchers {
		if w.err != nil || w.master == nil {
			continue
		}
		if master == "" {
			master = net.JoinHostPort(w.master["ip"], w.master["port"])
		}
		for _, r := range w.replicas {
			if a := net.JoinHostPort(r["ip"], r["port"]); healthy(r) && !slices.Contains(replicas, a) {
				replicas = append(replicas, a)
			}
		}
	}
	if master == "" {
		return v, nil
	}
	servers := append([]string{master}, replicas...)
	seen := make([]serverView, len(servers))
	each(len(servers), func(i int) { seen[i] = g.askServer(ctx, servers[i]) })
	v.master, v.replicas = &seen[0], seen[1:]
	return v, nil
}

func each(n int, do func(int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { do(i) })
	}
	all.Wait()
}

// expand turns hosts into addresses, each once.
func (g *Group) expand(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, g.Timeout)
	defer cancel()
	var out []string
	var failed error
	for _, a := range g.Addresses {
		host, port, err := net.SplitHostPort(a)
		if err != nil {
			return nil, fmt.Errorf("read address %s: %w", a, err)
		}
		ips, err := g.Lookup(ctx, host)
		if err != nil {
			// One name that does not resolve is one sentinel that is not there.
			failed = fmt.Errorf("look up %s: %w", host, err)
			ips = []string{host}
		}
		if g.TLS != nil && len(ips) == 1 {
			ips = []string{host} // the certificate is for the name
		}
		for _, ip := range ips {
			if full := net.JoinHostPort(ip, port); !slices.Contains(out, full) {
				out = append(out, full)
			}
		}
	}
	if len(out) == 0 {
		return nil, failed
	}
	return out, nil
}

func (g *Group) askWatcher(ctx context.Context, address string) watcherView {
	v := watcherView{address: address}
	c := redis.NewSentinelClient(g.options(address, g.Watchers))
	defer c.Close()
	if v.err = c.Ping(ctx).Err(); v.err != nil {
		return v
	}
	id := redis.NewStringCmd(ctx, "sentinel", "myid")
	if c.Process(ctx, id) == nil {
		v.id = id.Val()
	}
	v.master, v.err = c.Master(ctx, g.Master).Result()
	if v.err != nil {
		if redisSays(v.err, "ERR No such master") {
			v.quorum, v.err = v.err, nil
		}
		return v
	}
	v.quorum = c.CkQuorum(ctx, g.Master).Err()
	if v.quorum != nil && !redisSays(v.quorum, "NOQUORUM") && !redisSays(v.quorum, "NOGOODSLAVE") {
		v.err = v.quorum
		return v
	}
	if v.replicas, v.err = c.Replicas(ctx, g.Master).Result(); v.err != nil {
		return v
	}
	v.peers, v.err = c.Sentinels(ctx, g.Master).Result()
	return v
}

func (g *Group) askServer(ctx context.Context, address string) serverView {
	v := serverView{address: address, conf: map[string]string{}}
	c := redis.NewClient(g.options(address, g.Servers))
	defer c.Close()
	if v.role, v.err = c.Do(ctx, "role").Slice(); v.err != nil {
		return v
	}
	var text string
	if text, v.err = c.Info(ctx).Result(); v.err != nil {
		return v
	}
	v.info = parseInfo(text)
	for _, name := range []string{"min-replicas-to-write", "stop-writes-on-bgsave-error", "maxmemory-policy"} {
		if got, err := c.ConfigGet(ctx, name).Result(); err == nil {
			v.conf[name] = got[name]
		}
	}
	return v
}

// parseInfo reads the reply of INFO: name:value lines under # headings.
func parseInfo(text string) map[string]string {
	info := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if name, value, ok := strings.Cut(line, ":"); ok && !strings.HasPrefix(line, "#") {
			info[name] = value
		}
	}
	return info
}

// redisSays tells a server's own error reply by how it begins.
func redisSays(err error, prefix string) bool {
	return err != nil && redis.HasErrorPrefix(err, strings.TrimPrefix(prefix, "ERR ")) ||
		err != nil && strings.HasPrefix(err.Error(), prefix)
}

// healthy says whether a sentinel thinks well of a server or of a peer.
func healthy(m map[string]string) bool {
	for flag := range strings.SplitSeq(m["flags"], ",") {
		switch flag {
		case "s_down", "o_down", "disconnected":
			return false
		}
	}
	return true
}
