package apitest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/proerror77/nova-staging/internal/release"
)

// Registry is where the images of [App]s come from.
const Registry = "025434362120.dkr.ecr.ap-northeast-1.amazonaws.com/nova/"

// Commit that all images of [Image] were built from.
const Commit = "abc123def456abc123def456abc123def456abcd"

// Image is a released image of a service; digests differ by name.
func Image(name string) release.Image {
	return release.Image{
		Name: Registry + name, Tag: Commit, Policy: "commit", Commit: Commit,
		Digest: Digest(name), PushedAt: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC),
	}
}

// Digest is a made-up digest that depends on seed.
func Digest(seed string) string {
	h := fmt.Sprintf("%x", seed)
	for len(h) < 64 {
		h += "0"
	}
	return "sha256:" + h[len(h)-64:]
}

// App is a service: its Deployment, ReplicaSet, Pods, Service and EndpointSlice,
// all well. Change the fields before [Server.Add].
type App struct {
	Name       string
	Deployment *appsv1.Deployment
	ReplicaSet *appsv1.ReplicaSet
	Pods       []*corev1.Pod
	Service    *corev1.Service
	Slice      *discoveryv1.EndpointSlice
}

// addresses counts those that were handed out. Linux answers on all of
// 127.0.0.0/8, so that every Pod can have its own; the beginning is random, for
// tests of other packages run at the same time.
var (
	addresses    atomic.Uint32
	firstAddress = rand.Uint32N(240 << 16)
)

// Address is a loopback address that nobody else has.
func Address() string {
	n := (firstAddress + addresses.Add(1)) % (240 << 16)
	return fmt.Sprintf("127.%d.%d.%d", 10+n>>16, n>>8&0xff, n&0xff)
}

// NewApp makes a healthy service with so many Pods that listen on port.
func NewApp(name string, replicas int, port int32) *App {
	yes, count := true, int32(replicas)
	image := Image(name)
	uid := func(s string) types.UID { return types.UID("uid-" + s) }
	owner := func(kind, n string) []metav1.OwnerReference {
		return []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: kind, Name: n, UID: uid(n), Controller: &yes}}
	}
	template := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": name}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "app", Image: image.Ref(), Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: port}},
		}}},
	}
	a := &App{Name: name}
	a.Deployment = &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: uid(name), Generation: 3, Annotations: map[string]string{"deployment.kubernetes.io/revision": "2"}},
		Spec:       appsv1.DeploymentSpec{Replicas: &count, Selector: &metav1.LabelSelector{MatchLabels: template.Labels}, Template: template},
		Status:     appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: count, UpdatedReplicas: count, ReadyReplicas: count, AvailableReplicas: count},
	}
	rs := name + "-7c9f8"
	hashed := *template.DeepCopy()
	hashed.Labels["pod-template-hash"] = "7c9f8"
	a.ReplicaSet = &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Name: rs, UID: uid(rs), OwnerReferences: owner("Deployment", name), Annotations: map[string]string{"deployment.kubernetes.io/revision": "2"}},
		Spec:       appsv1.ReplicaSetSpec{Replicas: &count, Template: hashed},
	}
	a.Service = &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: uid("svc-" + name)},
		Spec: corev1.ServiceSpec{
			ClusterIP: Address(), Selector: map[string]string{"app": name},
			Ports: []corev1.ServicePort{{Name: "http", Port: port, TargetPort: intstr.FromString("http")}},
		},
	}
	tcp, httpName := corev1.ProtocolTCP, "http"
	a.Slice = &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: name + "-x", UID: uid("slice-" + name), Labels: map[string]string{discoveryv1.LabelServiceName: name}},
		AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{Name: &httpName, Port: &port, Protocol: &tcp}},
	}
	for i := range replicas {
		a.AddPod(fmt.Sprintf("%s-%d", rs, i), rs)
	}
	return a
}

// AddPod adds a Pod of a ReplicaSet, running and behind the Service.
func (a *App) AddPod(name, rs string) *corev1.Pod {
	yes := true
	image := Image(a.Name)
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, UID: types.UID("uid-" + name), Labels: map[string]string{"app": a.Name},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: rs, UID: types.UID("uid-" + rs), Controller: &yes}},
		},
		Spec: *a.Deployment.Spec.Template.Spec.DeepCopy(),
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: Address(),
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			ContainerStatuses: []corev1.ContainerStatus{{
				Name: "app", Ready: true, Image: image.Ref(), ImageID: image.Name + "@" + image.Digest, ContainerID: "containerd://" + name,
				State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
			}},
		},
	}
	a.Pods = append(a.Pods, p)
	a.Slice.Endpoints = append(a.Slice.Endpoints, discoveryv1.Endpoint{
		Addresses: []string{p.Status.PodIP}, Conditions: discoveryv1.EndpointConditions{Ready: &yes},
		TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: p.Name, UID: p.UID},
	})
	return p
}

// Add puts all objects of an app into the server.
func (s *Server) Add(a *App) {
	s.Put("deployments", a.Deployment)
	s.Put("replicasets", a.ReplicaSet)
	for _, p := range a.Pods {
		s.Put("pods", p)
	}
	s.Put("services", a.Service)
	s.Put("endpointslices", a.Slice)
}

// AddRelease puts the release ConfigMap of the named images in and gives its ID.
func (s *Server) AddRelease(t testing.TB, names ...string) string {
	t.Helper()
	images := make([]release.Image, len(names))
	for i, n := range names {
		images[i] = Image(n)
	}
	r := release.New(images)
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	s.Put("configmaps", &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "nova-release", UID: "uid-release"},
		Data:       map[string]string{release.DataKey: string(data)},
	})
	return r.ID
}

// Good is a well-behaved service: health as JSON, metrics in the text format.
func Good() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"status":"ok","commit":%q}`, Commit)
	})
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		fmt.Fprint(w, Metrics)
	})
	return mux
}

// Metrics is a small page in the text format without a fault.
const Metrics = `# HELP http_requests_total Requests.
# TYPE http_requests_total counter
http_requests_total{code="200"} 12
http_requests_total{code="500"} 0
# TYPE build_info gauge
build_info{revision="` + Commit + `"} 1
# TYPE latency_seconds histogram
latency_seconds_bucket{le="0.1"} 3
latency_seconds_bucket{le="+Inf"} 5
latency_seconds_sum 0.7
latency_seconds_count 5
`

// Serve lets every Pod and the Service of an app answer with h.
func (a *App) Serve(t testing.TB, h http.Handler) {
	t.Helper()
	for _, p := range a.Pods {
		Listen(t, p.Status.PodIP, a.Service.Spec.Ports[0].Port, h)
	}
	Listen(t, a.Service.Spec.ClusterIP, a.Service.Spec.Ports[0].Port, h)
}

// Listen serves h at an address until the test ends.
func Listen(t testing.TB, ip string, port int32, h http.Handler) *httptest.Server {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(ip, strconv.Itoa(int(port))))
	if err != nil {
		t.Fatalf("listen on %s: %v (this needs Linux, where all of 127.0.0.0/8 is the loopback)", strings.TrimSpace(ip), err)
	}
	srv := httptest.NewUnstartedServer(h)
	srv.Listener.Close()
	srv.Listener = l
	srv.Start()
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	return srv
}
