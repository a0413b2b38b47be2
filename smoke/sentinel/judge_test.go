package sentinel

import (
	"errors"
	"strings"
	"testing"

	"github.com/proerror77/nova-staging/smoke/verdict"
)

// whole is a group with three sentinels, a master and two replicas, all well, as
// it looks from outside.
func whole() view {
	server := func(address, role string) serverView {
		return serverView{
			address: address, role: []any{role, "10.0.0.1", int64(6379), "connected", int64(9)},
			info: map[string]string{"master_link_status": "up"}, conf: map[string]string{},
		}
	}
	m := server("10.0.0.1:6379", "master")
	m.info = map[string]string{
		"run_id": "abc", "loading": "0", "rdb_last_bgsave_status": "ok", "aof_enabled": "1", "aof_last_write_status": "ok",
		"maxmemory": "100", "used_memory": "99", "maxmemory_policy": "noeviction", "master_failover_state": "no-failover",
		"slave0": "ip=10.0.0.2,state=online", "slave1": "ip=10.0.0.3,state=online", "slave_repl_offset": "state=online",
	}
	v := view{master: &m, replicas: []serverView{server("10.0.0.2:6379", "slave"), server("10.0.0.3:6379", "slave")}}
	for _, id := range []string{"1", "2", "3"} {
		v.watchers = append(v.watchers, watcherView{
			address: "10.0.1." + id + ":26379", id: "sentinel-" + id,
			master: map[string]string{"ip": "10.0.0.1", "port": "6379", "flags": "master", "runid": "abc", "quorum": "2", "failover-state": "no_failover"},
			peers:  []map[string]string{{"flags": "sentinel"}, {"flags": "sentinel"}},
		})
	}
	return v
}

func TestJudgements(t *testing.T) {
	t.Parallel()
	info := func(name, value string) func(*view) { return func(v *view) { v.master.info[name] = value } }
	tests := []struct {
		name    string
		change  func(*view)
		verdict verdict.Verdict
		seen    string
	}{
		{"all is well", func(*view) {}, verdict.Passed, "3 sentinels agree on master 10.0.0.1:6379, quorum 2, 2 replicas follow"},
		{"a sentinel flags the master", func(v *view) { v.watchers[1].master["flags"] = "master,s_down" }, verdict.Failed, "flags it master,s_down"},
		{"a failover is under way", func(v *view) { v.watchers[2].master["failover-state"] = "select_slave" }, verdict.Failed, "failover-state is select_slave"},
		{"sentinels have not met", func(v *view) { v.watchers[1].peers = v.watchers[1].peers[:1] }, verdict.Failed, "it knows 2, itself included"},
		{"a sentinel has lost another", func(v *view) { v.watchers[1].peers[0]["flags"] = "sentinel,disconnected" }, verdict.Failed, "it knows 2, itself included"},
		{"there is no quorum", func(v *view) { v.watchers[0].quorum = errors.New("NOQUORUM 1 usable") }, verdict.Failed, "NOQUORUM"},
		{"the master was restarted", info("run_id", "other"), verdict.Failed, "run_id differs"},
		{"the master is a replica", func(v *view) { v.master.role[0] = "slave" }, verdict.Failed, "role slave"},
		{"the master loads its data", info("loading", "1"), verdict.Failed, "still loading"},
		{"the master could not save", info("rdb_last_bgsave_status", "err"), verdict.Failed, "background save failed"},
		{"the master could not save and does not mind", func(v *view) {
			v.master.info["rdb_last_bgsave_status"], v.master.conf["stop-writes-on-bgsave-error"] = "err", "no"
		}, verdict.Passed, "agree"},
		{"the master could not append", info("aof_last_write_status", "err"), verdict.Failed, "append-only"},
		{"the master is full", info("used_memory", "100"), verdict.Failed, "evicts nothing"},
		{"the master is full and evicts", func(v *view) { v.master.info["used_memory"], v.master.info["maxmemory_policy"] = "100", "allkeys-lru" }, verdict.Passed, "agree"},
		{"the master hands over", info("master_failover_state", "waiting-for-sync"), verdict.Failed, "waiting-for-sync"},
		{"the master wants more good replicas", func(v *view) {
			v.master.conf["min-replicas-to-write"], v.master.info["min_slaves_good_slaves"] = "2", "1"
		}, verdict.Failed, "1 replicas are good enough"},
		{"the master has a replica too few", info("slave1", "ip=10.0.0.3,state=wait_bgsave"), verdict.Failed, "the master has 1 online"},
		{"a replica has lost its link", func(v *view) { v.replicas[0].info["master_link_status"] = "down" }, verdict.Failed, "1 of the 2"},
		{"a replica is still connecting", func(v *view) { v.replicas[0].role[3] = "sync" }, verdict.Failed, "1 of the 2"},
		{"a replica does not answer", func(v *view) { v.replicas[0].err = errors.New("connection refused") }, verdict.Failed, "1 of the 2"},
		{"a replica will not be asked", func(v *view) { v.replicas[0].err = errors.New("NOPERM no") }, verdict.Inconclusive, "NOPERM"},
		{"the master will not be asked", func(v *view) { v.master.err = errors.New("NOAUTH Authentication required") }, verdict.Inconclusive, "NOAUTH"},
		{"a sentinel will not be asked", func(v *view) { v.watchers[0].err = errors.New("NOAUTH Authentication required") }, verdict.Inconclusive, "NOAUTH"},
		{"the master does not answer", func(v *view) { v.master.err = errors.New("connection refused") }, verdict.Failed, "connection refused"},
		{"there is a second master", func(v *view) { v.replicas[1].role[0] = "master" }, verdict.Failed, "role master"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := whole()
			tt.change(&v)
			g := &Group{Master: "mymaster", Replicas: 2}
			if f := g.judge(v); f.Verdict != tt.verdict || !strings.Contains(f.Seen, tt.seen) {
				t.Errorf("%s at %s: %q, want %s with %q", f.Verdict, f.Target, f.Seen, tt.verdict, tt.seen)
			}
		})
	}
}
