package command_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/proerror77/nova-staging/internal/apitest"
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
		if o.code != 15 {
			t.Errorf("exit code %d\n%s", o.code, o.err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("still running 20 s after the deadline")
	}
}
