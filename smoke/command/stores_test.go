package command_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/proerror77/nova-staging/internal/apitest"
	"github.com/proerror77/nova-staging/smoke/command"
)

// stores is a config for data stores alone, at one address.
func stores(address string) string {
	return `apiVersion: staging.nova/v1alpha1
kind: SmokeTest
defaults: {interval: 100ms, requestTimeout: 500ms}
redisSentinel: {addresses: ["` + address + `"], master: mymaster, timeout: 2s}
kafka: {brokers: ["` + address + `"], timeout: 2s}
`
}

// What smoke has no way to is not known to be broken.
func TestNoWayToTheStores(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, way, address, seen string }{
		{"the API server's proxy speaks HTTP only", "proxy", "stores:6379", "speaks HTTP only"},
		{"no port can be forwarded to what is not in the namespace", "port-forward", "stores.other.svc:6379", "is no Pod or Service of namespace nova"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := smoke(t, t.Context(), apitest.New(t, "nova"), stores(tt.address), "--reach", tt.way)
			for _, check := range []string{"redis-sentinel", "kafka"} {
				r := o.find(t, "", check)
				if said := r.Seen + strings.Join(r.Details, " "); r.Verdict != "inconclusive" || !strings.Contains(said, tt.seen) {
					t.Errorf("%s: %+v", check, r)
				}
			}
			if o.code != 3 {
				t.Errorf("exit code %d, want 3", o.code)
			}
		})
	}
}

// What was not looked at for want of a cluster is in the report like all else.
func TestNoClusterToLookAt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, kubeconfig := filepath.Join(dir, "smoke.yaml"), filepath.Join(dir, "kubeconfig")
	c := stores("stores:6379") + "services: [{name: auth-service, port: 8080}]\nrelease: {configMap: ''}\n"
	for name, text := range map[string]string{file: c, kubeconfig: "apiVersion: v1\nkind: Config\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out, log bytes.Buffer
	args := []string{"run", "-c", file, "--kubeconfig", kubeconfig, "-o", "json", "--check", "health,identity,kafka"}
	if code := command.Run(t.Context(), args, func(string) string { return "" }, nil, &out, &log); code != 3 {
		t.Errorf("exit code %d\n%s", code, &log)
	}
	var report struct {
		Results []struct{ Service, Check, Verdict string }
	}
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, r := range report.Results {
		got += strings.TrimPrefix(r.Service+" "+r.Check+" "+r.Verdict+"\n", " ")
	}
	want := `access inconclusive
release skipped
auth-service rollout skipped
auth-service readiness skipped
auth-service identity skipped
auth-service routing skipped
auth-service health inconclusive
auth-service metrics skipped
redis-sentinel skipped
kafka inconclusive
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Without its credentials a store would refuse us, which is no fault of its own.
func TestCredentialsThatAreNotThere(t *testing.T) {
	t.Parallel()
	c := strings.NewReplacer("master: mymaster", "master: mymaster, sentinelPasswordEnv: SENTINEL_PASSWORD",
		"timeout: 2s}\nkafka: {", "timeout: 2s}\nkafka: {sasl: {mechanism: PLAIN, usernameEnv: KAFKA_USER, passwordEnv: KAFKA_PASSWORD}, ").Replace(stores("127.0.0.1:1"))
	o := smoke(t, t.Context(), apitest.New(t, "nova"), c)
	for check, variable := range map[string]string{"redis-sentinel": "SENTINEL_PASSWORD", "kafka": "KAFKA_USER"} {
		if r := o.find(t, "", check); r.Verdict != "inconclusive" || !strings.Contains(r.Seen, "the environment variable "+variable+" is not set") {
			t.Errorf("%s: %+v", check, r)
		}
	}
	if o.code != 3 {
		t.Errorf("exit code %d, want 3", o.code)
	}
}

// A store that takes connections and never answers must not hold a run up, even
// where the connection is a forwarded port.
func TestAStoreThatHangsBehindAForwardedPort(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(io.Discard, c) }()
		}
	}()
	s := apitest.New(t, "nova")
	s.Put("pods", &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "store-0", UID: "uid-store-0"},
		Status:     corev1.PodStatus{PodIP: "127.0.0.1", Phase: corev1.PodRunning},
	})
	ended := make(chan outcome, 1)
	go func() {
		ended <- smoke(t, t.Context(), s, stores(l.Addr().String()), "--reach", "port-forward", "--deadline", "10s")
	}()
	select {
	case o := <-ended:
		// 3 where a busy machine takes longer to open the tunnel than a request may.
		if o.code != 15 && o.code != 3 {
			t.Errorf("exit code %d\n%s", o.code, o.err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("still running 20 s after the deadline")
	}
}
