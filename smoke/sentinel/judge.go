package sentinel

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/proerror77/nova-staging/smoke/redact"
	"github.com/proerror77/nova-staging/smoke/verdict"
)

// Look asks the group once.
func (g *Group) Look(ctx context.Context) verdict.Finding {
	v, err := g.observe(ctx)
	if err != nil {
		return verdict.Unknown("", "sentinels to ask", redact.Line(err.Error()))
	}
	f := g.judge(v)
	if f.Verdict != verdict.Passed {
		f.Details = append(f.Details, describe(v)...)
	}
	return f
}

// denied are the replies by which a server says that it will not be asked.
var denied = []string{"NOAUTH", "WRONGPASS", "NOPERM", "DENIED", "ERR invalid password", "ERR Client sent AUTH"}

func isDenied(err error) bool {
	for _, d := range denied {
		if redisSays(err, d) {
			return true
		}
	}
	return false
}

// judge compares what was seen with what is expected.
func (g *Group) judge(v view) verdict.Finding {
	for _, step := range []func(view) *verdict.Finding{g.watchers, g.agreement, g.peers, g.master, g.onlyMaster, g.replicas} {
		if f := step(v); f != nil {
			return *f
		}
	}
	ws := answering(v)
	f := verdict.Pass(fmt.Sprintf("%d sentinels agree on master %s, quorum %s, %d replicas follow",
		len(ws), v.master.address, ws[0].master["quorum"], len(g.following(v))))
	f.Details = []string{"nothing was written: role, persistence, memory and min-replicas of the master were looked at"}
	if len(v.master.conf) == 0 {
		f.Details = append(f.Details, "the master refuses CONFIG GET: whether min-replicas-to-write is met is not known")
	}
	return f
}

func fail(target, expected, seen, hint string) *verdict.Finding {
	f := verdict.Fail(target, expected, redact.Line(seen))
	f.Hint = hint
	return &f
}

// watchers wants enough different sentinels to answer, each with a quorum.
func (g *Group) watchers(v view) *verdict.Finding {
	want := g.Sentinels
	if want == 0 {
		want = len(v.watchers)
	}
	ids, alive := map[string]string{}, 0
	var silent []string
	for _, w := range v.watchers {
		target := "sentinel/" + w.address
		switch {
		case isDenied(w.err):
			f := verdict.Unknown(target, "to be let in", redact.Line(w.err.Error()))
			f.Hint = "set sentinelUsernameEnv and sentinelPasswordEnv, and allow the command SENTINEL"
			return &f
		case w.err != nil:
			silent = append(silent, w.address+": "+w.err.Error())
			continue
		case w.id != "" && ids[w.id] != "":
			return fail(target, "another sentinel at each address", "it is the same one as at "+ids[w.id], "list each sentinel once")
		}
		ids[w.id] = w.address
		alive++
		switch {
		case redisSays(w.quorum, "ERR No such master"):
			return fail(target, "a master named "+g.Master, "the sentinel watches none of that name", "compare redisSentinel.master with sentinel monitor")
		case w.quorum != nil:
			return fail(target, "CKQUORUM to be content", w.quorum.Error(), "too few sentinels are up to fail over")
		}
	}
	if alive == 0 || alive < want {
		seen := fmt.Sprintf("%d answer; %s", alive, strings.Join(silent, "; "))
		return fail("", fmt.Sprintf("%d sentinels to answer", max(want, 1)), seen, "")
	}
	return nil
}

func answering(v view) []watcherView {
	return slices.DeleteFunc(slices.Clone(v.watchers), func(w watcherView) bool { return w.err != nil || w.master == nil })
}

// agreement wants one master, thought well of by all.
func (g *Group) agreement(v view) *verdict.Finding {
	ws := answering(v)
	first := ws[0]
	for _, w := range ws {
		target := "sentinel/" + w.address
		if a, b := addressOf(first), addressOf(w); a != b {
			return fail(target, "all sentinels to name the same master", fmt.Sprintf("%s names %s, %s names %s", first.address, a, w.address, b),
				"a failover is under way, or the group has split")
		}
		for flag := range strings.SplitSeq(w.master["flags"], ",") {
			if flag != "master" && flag != "" {
				return fail(target, "a master that is well", "the sentinel flags it "+w.master["flags"], "a failover is under way or about to begin")
			}
		}
		if s := w.master["failover-state"]; s != "" && s != "no_failover" {
			return fail(target, "no failover under way", "failover-state is "+s, "")
		}
		if g.Quorum > 0 && w.master["quorum"] != strconv.Itoa(g.Quorum) {
			return fail(target, fmt.Sprintf("quorum %d", g.Quorum), "quorum "+w.master["quorum"], "compare with sentinel monitor")
		}
	}
	return nil
}

func addressOf(w watcherView) string { return net.JoinHostPort(w.master["ip"], w.master["port"]) }

// peers wants the sentinels to know each other: CKQUORUM counts those a
// sentinel knows, and a quorum of sentinels that have never met elects nobody.
func (g *Group) peers(v view) *verdict.Finding {
	ws := answering(v)
	want := max(g.Sentinels, len(ws))
	for _, w := range ws {
		known := 1
		for _, p := range w.peers {
			if healthy(p) {
				known++
			}
		}
		if known < want {
			return fail("sentinel/"+w.address, fmt.Sprintf("%d sentinels that know each other", want),
				fmt.Sprintf("it knows %d, itself included", known), "sentinels find each other through the master's __sentinel__:hello")
		}
	}
	return nil
}

// master wants the server itself to be a master that takes writes.
func (g *Group) master(v view) *verdict.Finding {
	m := v.master
	target := "redis/" + m.address
	switch {
	case isDenied(m.err):
		f := verdict.Unknown(target, "to be let in", redact.Line(m.err.Error()))
		f.Hint = "set usernameEnv and passwordEnv, and allow ROLE and INFO"
		return &f
	case m.err != nil:
		return fail(target, "the master to answer", m.err.Error(), "")
	case roleOf(m) != "master":
		return fail(target, "role master", "role "+roleOf(m), "the sentinels name a server that is none")
	}
	if id := v.watchersRunID(); id != "" && m.info["run_id"] != "" && id != m.info["run_id"] {
		return fail(target, "the server that the sentinels watch", "another one: its run_id differs", "the server was restarted, or the address leads elsewhere")
	}
	return unwritable(target, m)
}

func (v view) watchersRunID() string { return answering(v)[0].master["runid"] }

func roleOf(s *serverView) string {
	if len(s.role) == 0 {
		return "(none)"
	}
	return fmt.Sprint(s.role[0])
}

// unwritable gives the reason why a master would refuse a write, as far as it
// can be seen without writing.
func unwritable(target string, m *serverView) *verdict.Finding {
	const expected = "a master that takes writes"
	num := func(name string) int64 {
		n, _ := strconv.ParseInt(m.info[name], 10, 64)
		return n
	}
	stop := m.conf["stop-writes-on-bgsave-error"] != "no"
	switch {
	case num("loading") == 1:
		return fail(target, expected, "it is still loading its data", "")
	case m.info["rdb_last_bgsave_status"] == "err" && stop:
		return fail(target, expected, "its last background save failed, so it refuses writes", "look for a full disk")
	case m.info["aof_enabled"] == "1" && m.info["aof_last_write_status"] == "err":
		return fail(target, expected, "its append-only file can not be written, so it refuses writes", "look for a full disk")
	case num("maxmemory") > 0 && num("used_memory") >= num("maxmemory") && m.info["maxmemory_policy"] == "noeviction":
		return fail(target, expected, fmt.Sprintf("it uses %d of %d bytes and evicts nothing", num("used_memory"), num("maxmemory")), "raise maxmemory or choose a policy")
	case m.info["master_failover_state"] != "" && m.info["master_failover_state"] != "no-failover":
		return fail(target, expected, "master_failover_state is "+m.info["master_failover_state"], "")
	}
	if least, err := strconv.ParseInt(m.conf["min-replicas-to-write"], 10, 64); err == nil && least > 0 && num("min_slaves_good_slaves") < least {
		return fail(target, expected, fmt.Sprintf("min-replicas-to-write is %d and %d replicas are good enough", least, num("min_slaves_good_slaves")), "")
	}
	return nil
}

// onlyMaster wants no second one among those that the sentinels list as
// replicas: both would take writes, and one's are thrown away.
func (g *Group) onlyMaster(v view) *verdict.Finding {
	for _, r := range v.replicas {
		if r.err == nil && roleOf(&r) == "master" {
			return fail("redis/"+r.address, "a replica of "+v.master.address, "role master",
				"two servers take writes: a failover is under way, or somebody promoted this one")
		}
	}
	return nil
}

// following lists the replicas that say themselves that they follow.
func (g *Group) following(v view) []string {
	var good []string
	for _, r := range v.replicas {
		if r.err == nil && roleOf(&r) == "slave" && len(r.role) >= 4 && fmt.Sprint(r.role[3]) == "connected" && r.info["master_link_status"] == "up" {
			good = append(good, r.address)
		}
	}
	return good
}

// replicas wants enough of them online, by their own word and by the master's.
func (g *Group) replicas(v view) *verdict.Finding {
	if g.Replicas == 0 {
		return nil
	}
	expected := fmt.Sprintf("%d replicas that follow", g.Replicas)
	for _, r := range v.replicas {
		if isDenied(r.err) {
			f := verdict.Unknown("redis/"+r.address, "to be let in", redact.Line(r.err.Error()))
			return &f
		}
	}
	online := 0
	for name, value := range v.master.info {
		if n, ok := strings.CutPrefix(name, "slave"); ok && strings.Contains(value, "state=online") {
			if _, err := strconv.Atoi(n); err == nil {
				online++
			}
		}
	}
	if online < g.Replicas {
		return fail("redis/"+v.master.address, expected, fmt.Sprintf("the master has %d online", online), "")
	}
	if good := g.following(v); len(good) < g.Replicas {
		return fail("", expected, fmt.Sprintf("%d of the %d that the sentinels know", len(good), len(v.replicas)), "")
	}
	return nil
}

// describe says in a line each what everybody said.
func describe(v view) []string {
	var lines []string
	for _, w := range v.watchers {
		switch {
		case w.err != nil:
			lines = append(lines, "sentinel "+w.address+": "+redact.Line(w.err.Error()))
		case w.master == nil:
			lines = append(lines, "sentinel "+w.address+": does not know the master")
		default:
			lines = append(lines, fmt.Sprintf("sentinel %s: master %s (%s), %s replicas, %s other sentinels", w.address, addressOf(w),
				w.master["flags"], w.master["num-slaves"], w.master["num-other-sentinels"]))
		}
	}
	servers := v.replicas
	if v.master != nil {
		servers = append([]serverView{*v.master}, servers...)
	}
	for _, s := range servers {
		if s.err != nil {
			lines = append(lines, "redis "+s.address+": "+redact.Line(s.err.Error()))
			continue
		}
		lines = append(lines, fmt.Sprintf("redis %s: role %s, link %s", s.address, roleOf(&s), s.info["master_link_status"]))
	}
	return lines
}
