package command_test

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/proerror77/nova-staging/internal/apitest"
	"github.com/proerror77/nova-staging/internal/redistest"
)

func TestEveryWayToReachPods(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"direct", "port-forward", "proxy", "auto"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			s := apitest.New(t, "nova")
			app := apitest.NewApp("auth-service", 2, 8080)
			app.Serve(t, apitest.Good())
			s.Add(app)
			id := s.AddRelease(t, "auth-service")
			o := smoke(t, t.Context(), s, patient("auth-service"), "--release", id, "--reach", way)
			if o.code != 0 {
				t.Errorf("exit code %d\n%s\n%s", o.code, o.out, o.err)
			}
			if n := s.Count("create pods/portforward"); (way == "port-forward" || way == "auto") && n == 0 {
				t.Error("no port was forwarded")
			}
			if n := s.Count("get services/proxy"); way != "direct" && n != 3 {
				t.Errorf("the Service was asked %d times through the proxy, want 3", n)
			}
		})
	}
}

func TestADeadPodBehindEveryWay(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"port-forward", "proxy"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			s := apitest.New(t, "nova")
			app := apitest.NewApp("auth-service", 2, 8080)
			apitest.Listen(t, app.Pods[0].Status.PodIP, 8080, apitest.Good())
			apitest.Listen(t, app.Service.Spec.ClusterIP, 8080, apitest.Good())
			s.Add(app)
			id := s.AddRelease(t, "auth-service")
			o := smoke(t, t.Context(), s, conf("auth-service"), "--release", id, "--reach", way)
			if r := o.find(t, "auth-service", "health"); o.code != 13 || r.Verdict != "failed" || !strings.Contains(r.Seen, "connection refused") {
				t.Errorf("exit code %d: %+v", o.code, r)
			}
		})
	}
}

func TestAWayThatIsNotAllowedProvesNothing(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, "nova")
	app := apitest.NewApp("auth-service", 1, 8080)
	app.Serve(t, apitest.Good())
	s.Add(app)
	s.AddRelease(t, "auth-service")
	s.Deny = func(_, resource string) bool { return resource == "pods/portforward" }
	o := smoke(t, t.Context(), s, conf("auth-service"), "--reach", "port-forward")
	r := o.find(t, "", "access")
	if o.code != 4 || !strings.Contains(strings.Join(r.Details, "\n"), `resources: ["pods/portforward"]`) {
		t.Errorf("exit code %d: %+v", o.code, r)
	}
	for _, r := range o.report.Results {
		if r.Verdict == "passed" {
			t.Errorf("%s %s passed", r.Service, r.Check)
		}
	}
}

func TestSentinelsThroughForwardedPorts(t *testing.T) {
	t.Parallel()
	real := redistest.NewGroup(t, 0, 1, 1, "", "")
	s := apitest.New(t, "nova")
	// The real processes listen on 127.0.0.1: one Pod stands for all of them.
	s.Put("pods", &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "redis-0", UID: "uid-redis-0"},
		Status:     corev1.PodStatus{PodIP: "127.0.0.1", Phase: corev1.PodRunning},
	})
	s.Put("services", &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "redis-sentinel", UID: "uid-rs"},
		Spec:       corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone},
	})
	yes := true
	s.Put("endpointslices", &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Name: "rs", UID: "uid-slice", Labels: map[string]string{discoveryv1.LabelServiceName: "redis-sentinel"}},
		Endpoints: []discoveryv1.Endpoint{{
			Addresses: []string{"127.0.0.1"}, Conditions: discoveryv1.EndpointConditions{Ready: &yes},
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: "redis-0", UID: "uid-redis-0"},
		}},
	})
	_, port, _ := net.SplitHostPort(real.Sentinels[0].Address)
	c := `apiVersion: staging.nova/v1alpha1
kind: SmokeTest
defaults: {interval: 100ms, requestTimeout: 2s}
redisSentinel: {addresses: ["redis-sentinel.nova.svc.cluster.local:` + port + `"], master: mymaster, replicas: 0, timeout: 15s}
`
	o := smoke(t, t.Context(), s, c, "--reach", "port-forward")
	if r := o.find(t, "", "redis-sentinel"); o.code != 0 || r.Verdict != "passed" {
		t.Errorf("exit code %d: %+v\n%s", o.code, r, o.err)
	}
	c = strings.Replace(c, "redis-sentinel.nova.svc", "redis-sentinel.other.svc", 1)
	c = strings.Replace(c, "timeout: 15s", "timeout: 1s", 1)
	o = smoke(t, t.Context(), s, c, "--reach", "port-forward")
	if r := o.find(t, "", "redis-sentinel"); o.code == 0 || r.Verdict == "passed" {
		t.Errorf("a sentinel of another namespace: exit code %d: %+v", o.code, r)
	}
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	right, caFile := certificate(t, dir, "auth-service.nova.svc")
	wrong, wrongCA := certificate(t, dir, "another.nova.svc")
	tests := []struct {
		name, tls, reach, seen string
		cert                   int
		code                   int
	}{
		{name: "it verifies, over HTTP/2", tls: "{caFile: " + caFile + "}", code: 0},
		{name: "it verifies through forwarded ports", tls: "{caFile: " + caFile + "}", reach: "port-forward", code: 0},
		{name: "nobody we trust signed it", tls: "{}", code: 13, seen: "certificate"},
		{name: "it is for another name", tls: "{caFile: " + wrongCA + "}", cert: 1, code: 13, seen: "another.nova.svc"},
		{name: "the file of authorities is missing", tls: "{caFile: " + filepath.Join(dir, "nothing.pem") + "}", code: 3, seen: "no such file"},
		{name: "the proxy would not verify it", tls: "{caFile: " + caFile + "}", reach: "proxy", code: 3, seen: "does not verify"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := apitest.New(t, "nova")
			app := apitest.NewApp("auth-service", 1, 8443)
			cert := right
			if tt.cert == 1 {
				cert = wrong
			}
			only2 := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.ProtoMajor != 2 {
					http.Error(w, "HTTP/2 only", http.StatusHTTPVersionNotSupported)
					return
				}
				apitest.Good().ServeHTTP(w, r)
			})
			for _, ip := range []string{app.Service.Spec.ClusterIP, app.Pods[0].Status.PodIP} {
				serveTLS(t, ip, 8443, cert, only2)
			}
			s.Add(app)
			id := s.AddRelease(t, "auth-service")
			times := conf
			if tt.code == 0 {
				times = patient
			}
			c := strings.Replace(times("auth-service"), "port: 8080", "port: 8443\n  tls: "+tt.tls, 1)
			way := tt.reach
			if way == "" {
				way = "direct"
			}
			o := smoke(t, t.Context(), s, c, "--release", id, "--reach", way)
			r := o.find(t, "auth-service", "health")
			if o.code != tt.code || !strings.Contains(r.Seen, tt.seen) {
				t.Errorf("exit code %d: %+v\n%s", o.code, r, o.err)
			}
		})
	}
}

func serveTLS(t *testing.T, ip string, port int, certFiles [2]string, h http.Handler) {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(ip, strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	quiet, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h, ErrorLog: logTo(quiet)}
	go func() { _ = srv.ServeTLS(l, certFiles[0], certFiles[1]) }()
	t.Cleanup(func() { srv.Close() })
}
