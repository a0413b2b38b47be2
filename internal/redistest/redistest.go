// Package redistest runs real redis-server and redis-sentinel processes on the
// loopback for tests. Debian has both: apt-get install redis-server redis-sentinel.
package redistest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Process is one server or sentinel.
type Process struct {
	// Address it listens on, host:port.
	Address string
	cmd     *exec.Cmd
	log     *bytes.Buffer
}

// Port it listens on.
func (p *Process) Port() string {
	_, port, _ := net.SplitHostPort(p.Address)
	return port
}

// Kill ends the process at once.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// Do sends one command and fails the test if it is refused.
func (p *Process) Do(t testing.TB, password string, args ...any) {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: p.Address, Password: password, Protocol: 2})
	defer c.Close()
	if err := c.Do(t.Context(), args...).Err(); err != nil {
		t.Fatalf("%s: %v: %v", p.Address, args, err)
	}
}

// freePort is a port that nobody listens on at the moment.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func binary(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not installed, and these tests want the real one: apt-get install redis-server redis-sentinel", name)
	}
	return path
}

func start(t testing.TB, program, port, conf string, password string, args ...string) *Process {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "redis.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &Process{Address: "127.0.0.1:" + port, log: &bytes.Buffer{}}
	p.cmd = exec.Command(binary(t, program), append([]string{file}, args...)...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, p.log, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	t.Cleanup(p.Kill)
	c := redis.NewClient(&redis.Options{Addr: p.Address, Password: password, Protocol: 2})
	defer c.Close()
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		err := c.Ping(context.Background()).Err()
		if err == nil {
			return p
		}
		if time.Since(begun) > 10*time.Second {
			p.Kill()
			t.Fatalf("%s did not come up: %v\n%s", program, err, p.log)
		}
	}
}

// Server starts a Redis server; a non-empty master makes it a replica of that
// address. A non-empty password is wanted of clients and given to the master.
func Server(t testing.TB, master, password string) *Process {
	t.Helper()
	port := freePort(t)
	conf := fmt.Sprintf("port %s\nbind 127.0.0.1\nsave \"\"\nappendonly no\nrepl-diskless-sync-delay 0\nrepl-ping-replica-period 1\n", port)
	if password != "" {
		conf += fmt.Sprintf("requirepass %s\nmasterauth %s\n", password, password)
	}
	if master != "" {
		conf += "replicaof " + strings.Replace(master, ":", " ", 1) + "\n"
	}
	return start(t, "redis-server", port, conf, password)
}

// Sentinel starts a sentinel that watches master under the name mymaster.
func Sentinel(t testing.TB, master string, quorum int, password, own string) *Process {
	t.Helper()
	port := freePort(t)
	conf := fmt.Sprintf("port %s\nbind 127.0.0.1\nsentinel monitor mymaster %s %d\n"+
		"sentinel down-after-milliseconds mymaster 700\nsentinel failover-timeout mymaster 3000\n",
		port, strings.Replace(master, ":", " ", 1), quorum)
	if password != "" {
		conf += "sentinel auth-pass mymaster " + password + "\n"
	}
	if own != "" {
		conf += "requirepass " + own + "\nsentinel sentinel-pass " + own + "\n"
	}
	return start(t, "redis-sentinel", port, conf, own, "--sentinel")
}

// Group is a master, its replicas and the sentinels that watch them.
type Group struct {
	Master    *Process
	Replicas  []*Process
	Sentinels []*Process
}

// Addresses of the sentinels.
func (g *Group) Addresses() []string {
	var out []string
	for _, s := range g.Sentinels {
		out = append(out, s.Address)
	}
	return out
}

// NewGroup starts a whole group; the sentinels may still be getting to know
// each other when it returns.
func NewGroup(t testing.TB, replicas, sentinels, quorum int, password, own string) *Group {
	t.Helper()
	g := &Group{Master: Server(t, "", password)}
	for range replicas {
		g.Replicas = append(g.Replicas, Server(t, g.Master.Address, password))
	}
	for range sentinels {
		g.Sentinels = append(g.Sentinels, Sentinel(t, g.Master.Address, quorum, password, own))
	}
	return g
}
