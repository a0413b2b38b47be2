package observability_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/common/model"
)

// monitor is a real Prometheus.
type monitor struct {
	t   *testing.T
	url string
	log *bytes.Buffer // to be read after the end
}

// scrape and evaluate are how often it does so. They are short against every
// shortened time.
const (
	scrape   = 500 * time.Millisecond
	evaluate = 250 * time.Millisecond
)

// watchOver starts a Prometheus that scrapes an address and evaluates rules, until
// the test ends. Its first scrape comes after 5 s: it looks for targets that often.
func watchOver(t *testing.T, address string, rules []byte) *monitor {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Fatal("prometheus is not installed, and these tests want the real one: apt-get install prometheus")
	}
	dir := t.TempDir()
	config := fmt.Sprintf(`global: {scrape_interval: %s, scrape_timeout: %[1]s, evaluation_interval: %s}
rule_files: [rules.yaml]
scrape_configs:
- job_name: nova-trigger
  static_configs: [{targets: [%q]}]
`, scrape, evaluate, address)
	for name, data := range map[string][]byte{"prometheus.yaml": []byte(config), "rules.yaml": rules} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	listen := freeAddress(t)
	m := &monitor{t: t, url: "http://" + listen, log: &bytes.Buffer{}}
	c := exec.Command(program, "--config.file=prometheus.yaml", "--storage.tsdb.path=data", "--web.listen-address="+listen, "--log.level=warn")
	c.Dir, c.Stdout, c.Stderr = dir, m.log, m.log
	if err := c.Start(); err != nil {
		t.Fatalf("start prometheus: %v", err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		if t.Failed() {
			t.Logf("prometheus:\n%s", m.log)
		}
	})
	return m
}

const firstPort, ports = 20_000, 12_000

// given are how many ports have been tried. It begins anywhere, so that two runs at
// once seldom meet; within one no port is given twice.
var given = func() *atomic.Uint32 {
	var n atomic.Uint32
	n.Store(rand.Uint32N(ports))
	return &n
}()

// freeAddress is one of the loopback at which nobody listens, outside the range
// from which the system takes ports by itself: it can be taken later, and again.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", firstPort+given.Add(1)%ports)
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
	t.Fatal("no free port")
	return ""
}

// ask gets an answer of the API; an error while it is not up yet.
func ask[T any](m *monitor, path string) (T, error) {
	var answer struct {
		Status, Error string
		Data          T
	}
	client := http.Client{Timeout: 5 * time.Second}
	res, err := client.Get(m.url + path)
	if err != nil {
		return answer.Data, err
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return answer.Data, fmt.Errorf("%s: %w", res.Status, err)
	}
	if answer.Status != "success" {
		return answer.Data, fmt.Errorf("%s: %s", res.Status, answer.Error)
	}
	return answer.Data, nil
}

// query evaluates an expression now.
func (m *monitor) query(expr string) (model.Vector, error) {
	data, err := ask[struct{ Result model.Vector }](m, "/api/v1/query?query="+url.QueryEscape(expr))
	return data.Result, err
}

// alerts are those that are in a state, firing or pending, without repetition.
func (m *monitor) alerts(states ...string) []string {
	m.t.Helper()
	type alert struct {
		Labels map[string]string
		State  string
	}
	data, err := ask[struct{ Alerts []alert }](m, "/api/v1/alerts")
	if err != nil {
		m.t.Fatalf("ask prometheus for alerts: %v", err)
	}
	var names []string
	for _, a := range data.Alerts {
		if slices.Contains(states, a.State) {
			names = append(names, a.Labels["alertname"])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// begin waits until trigger was scraped, and what was missed before is over.
func (m *monitor) begin() {
	m.t.Helper()
	var err error
	m.until("it scrapes a trigger that acts", func() bool {
		var v model.Vector
		v, err = m.query("nova_trigger_leader == 1")
		return len(v) == 1
	}, func() string { return fmt.Sprint(err) })
	m.until("no alert is active", func() bool { return len(m.alerts("firing", "pending")) == 0 }, m.active)
}

func (m *monitor) active() string {
	return "active are " + strings.Join(m.alerts("firing", "pending"), ", ")
}

// until waits for a condition.
func (m *monitor) until(what string, ok func() bool, found func() string) {
	m.t.Helper()
	for deadline := time.Now().Add(25 * time.Second); !ok(); time.Sleep(evaluate / 2) {
		if time.Now().After(deadline) {
			m.t.Fatalf("not within 25s: %s; %s", what, found())
		}
	}
}
