package sentinel_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/internal/redistest"
	"github.com/proerror77/nova-staging/smoke/check"
	"github.com/proerror77/nova-staging/smoke/reach"
	"github.com/proerror77/nova-staging/smoke/sentinel"
	"github.com/proerror77/nova-staging/smoke/verdict"
)

func group(g *redistest.Group) *sentinel.Group {
	d := &reach.Direct{}
	return &sentinel.Group{
		Addresses: g.Addresses(), Master: "mymaster", Replicas: len(g.Replicas),
		Dial: d.Dial, Lookup: d.Lookup, Timeout: time.Second,
	}
}

// settle looks until the group passes, as a run does.
func settle(t *testing.T, c check.Check, limit time.Duration) verdict.Finding {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	f, _ := check.Retry{Check: c, Interval: 100 * time.Millisecond}.Look(ctx)
	return f
}

func want(t *testing.T, f verdict.Finding, v verdict.Verdict, seen string) {
	t.Helper()
	if f.Verdict != v || !strings.Contains(f.Seen, seen) {
		t.Errorf("%s: %q, want %s with %q\n%s", f.Verdict, f.Seen, v, seen, strings.Join(f.Details, "\n"))
	}
}

func TestAWholeGroup(t *testing.T) {
	t.Parallel()
	real := redistest.NewGroup(t, 2, 3, 2, "", "")
	g := group(real)
	want(t, settle(t, g, 20*time.Second), verdict.Passed, "3 sentinels agree on master "+real.Master.Address+", quorum 2, 2 replicas follow")

	t.Run("a failover while watching", func(t *testing.T) {
		real.Master.Kill()
		g := group(real)
		g.Replicas = 1
		first := g.Look(t.Context())
		if first.Verdict != verdict.Failed {
			t.Errorf("right after the master died: %s %q", first.Verdict, first.Seen)
		}
		f := settle(t, g, 30*time.Second)
		want(t, f, verdict.Passed, "3 sentinels agree")
		if strings.Contains(f.Seen, real.Master.Address) {
			t.Errorf("the dead master is still named: %s", f.Seen)
		}
	})
	t.Run("it wants the replicas that are configured", func(t *testing.T) {
		want(t, group(real).Look(t.Context()), verdict.Failed, "1 online")
	})
	t.Run("it wants the quorum that is configured", func(t *testing.T) {
		g := group(real)
		g.Replicas, g.Quorum = 1, 3
		want(t, g.Look(t.Context()), verdict.Failed, "quorum 2")
	})
	t.Run("a name that the sentinels do not watch", func(t *testing.T) {
		g := group(real)
		g.Master = "other"
		want(t, g.Look(t.Context()), verdict.Failed, "watches none of that name")
	})
	t.Run("the same sentinel by two addresses", func(t *testing.T) {
		g := group(real)
		_, port, _ := net.SplitHostPort(g.Addresses[0])
		g.Addresses = []string{g.Addresses[0], "localhost:" + port}
		g.Lookup = func(_ context.Context, host string) ([]string, error) {
			if host == "localhost" {
				return []string{"127.0.0.1", "localhost"}, nil
			}
			return []string{host}, nil
		}
		want(t, g.Look(t.Context()), verdict.Failed, "the same one")
	})
	t.Run("a sentinel is dead", func(t *testing.T) {
		real.Sentinels[2].Kill()
		g := group(real)
		g.Replicas = 1
		want(t, g.Look(t.Context()), verdict.Failed, "2 answer")
	})
	t.Run("too few sentinels for a quorum", func(t *testing.T) {
		real.Sentinels[1].Kill()
		g := group(real)
		g.Replicas, g.Sentinels = 1, 1
		want(t, settleFailed(t, g, "NOQUORUM"), verdict.Failed, "NOQUORUM")
	})
}

// settleFailed looks until the finding says a certain thing.
func settleFailed(t *testing.T, g *sentinel.Group, seen string) verdict.Finding {
	t.Helper()
	var f verdict.Finding
	for begun := time.Now(); time.Since(begun) < 10*time.Second; time.Sleep(100 * time.Millisecond) {
		if f = g.Look(t.Context()); strings.Contains(f.Seen, seen) {
			break
		}
	}
	return f
}

func TestALoneMaster(t *testing.T) {
	t.Parallel()
	real := redistest.NewGroup(t, 0, 1, 1, "geheim-r", "geheim-s")
	g := group(real)
	secretless := func(f verdict.Finding) {
		t.Helper()
		if all := f.Seen + strings.Join(f.Details, " ") + f.Hint; strings.Contains(all, "geheim") {
			t.Errorf("a password is in the report: %s", all)
		}
	}
	f := g.Look(t.Context())
	want(t, f, verdict.Inconclusive, "NOAUTH")
	g.Watchers.Password = "geheim-falsch"
	f = g.Look(t.Context())
	want(t, f, verdict.Inconclusive, "WRONGPASS")
	secretless(f)
	g.Watchers.Password = "geheim-s"
	want(t, g.Look(t.Context()), verdict.Inconclusive, "NOAUTH")
	g.Servers.Password = "geheim-r"
	want(t, settle(t, g, 10*time.Second), verdict.Passed, "0 replicas follow")

	real.Master.Do(t, "geheim-r", "config", "set", "min-replicas-to-write", "1")
	want(t, g.Look(t.Context()), verdict.Failed, "min-replicas-to-write is 1")
	real.Master.Do(t, "geheim-r", "config", "set", "min-replicas-to-write", "0")
	real.Master.Do(t, "geheim-r", "config", "set", "maxmemory", "1000")
	want(t, g.Look(t.Context()), verdict.Failed, "evicts nothing")
	real.Master.Do(t, "geheim-r", "config", "set", "maxmemory", "0")
	g.Sentinels = 2
	want(t, g.Look(t.Context()), verdict.Failed, "1 answer")
}

// Both take writes, and one of them will be thrown away.
func TestTwoMasters(t *testing.T) {
	t.Parallel()
	real := redistest.NewGroup(t, 2, 1, 1, "", "")
	g := group(real)
	want(t, settle(t, g, 20*time.Second), verdict.Passed, "2 replicas follow")
	real.Replicas[0].Do(t, "", "replicaof", "no", "one")
	for _, g.Replicas = range []int{1, 0} {
		f := g.Look(t.Context())
		want(t, f, verdict.Failed, "role master")
		if f.Target != "redis/"+real.Replicas[0].Address {
			t.Errorf("target %s", f.Target)
		}
	}
}

func TestOnlyThoseThatAnswerAgree(t *testing.T) {
	t.Parallel()
	real := redistest.NewGroup(t, 0, 1, 1, "", "")
	g := group(real)
	g.Addresses, g.Sentinels = append([]string{"127.0.0.1:1"}, g.Addresses...), 1
	want(t, settle(t, g, 10*time.Second), verdict.Passed, "1 sentinels agree on master "+real.Master.Address+", quorum 1")
}

func TestSentinelsThatDisagree(t *testing.T) {
	t.Parallel()
	one, two := redistest.NewGroup(t, 0, 1, 1, "", ""), redistest.NewGroup(t, 0, 1, 1, "", "")
	g := group(one)
	g.Addresses = append(g.Addresses, two.Addresses()...)
	f := settle(t, g, time.Second)
	want(t, f, verdict.Failed, "names")
	// Two that watch the same master without ever having met elect nobody.
	silent := redistest.Server(t, "", "")
	g.Addresses = []string{one.Addresses()[0], silent.Address}
	f = settle(t, g, time.Second)
	if f.Verdict == verdict.Passed {
		t.Errorf("a plain Redis server passes for a sentinel: %s", f.Seen)
	}
}

func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	g := group(&redistest.Group{})
	g.Addresses, g.Timeout = []string{"127.0.0.1:1", "127.0.0.1:2"}, 300*time.Millisecond
	want(t, g.Look(t.Context()), verdict.Failed, "0 answer")

	hanging, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer hanging.Close()
	g.Addresses = []string{hanging.Addr().String()}
	begun := time.Now()
	if f := g.Look(t.Context()); f.Verdict == verdict.Passed {
		t.Errorf("a server that says nothing passed: %s", f.Seen)
	}
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("took %s", took)
	}
	g.Lookup = func(context.Context, string) ([]string, error) { return nil, errors.New("no such host") }
	g.Addresses = []string{"nowhere.invalid:26379"}
	if f := g.Look(t.Context()); f.Verdict == verdict.Passed {
		t.Errorf("a name that does not resolve passed: %s", f.Seen)
	}
}
