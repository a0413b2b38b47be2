package command_test

import (
	"strings"
	"testing"

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
