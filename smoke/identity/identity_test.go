package identity_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/proerror77/nova-staging/internal/apitest"
	"github.com/proerror77/nova-staging/internal/release"
	"github.com/proerror77/nova-staging/smoke/cluster"
	"github.com/proerror77/nova-staging/smoke/identity"
	"github.com/proerror77/nova-staging/smoke/verdict"
)

// TestASidecarThatTheManifestsPin is known to the release; the same digest under
// another name, or another digest, is not.
func TestASidecarThatTheManifestsPin(t *testing.T) {
	t.Parallel()
	held := "docker.io/envoyproxy/envoy:v1.30@" + apitest.Digest("envoy")
	tests := []struct {
		name, image, runs string
		pinned            []string
		verdict           verdict.Verdict
		seen              string
	}{
		{"as the manifests have it", held, apitest.Digest("envoy"), []string{held}, verdict.Passed, ""},
		{"with Docker Hub's name in short", "envoyproxy/envoy@" + apitest.Digest("envoy"), apitest.Digest("envoy"), []string{held}, verdict.Passed, ""},
		{"pinned by somebody else", held, apitest.Digest("envoy"), nil, verdict.Inconclusive, "is neither"},
		{"pinned to another digest", held, apitest.Digest("envoy"), []string{"docker.io/envoyproxy/envoy@" + apitest.Digest("other")}, verdict.Inconclusive, "is neither"},
		{"of another repository", "docker.io/evil/envoy@" + apitest.Digest("envoy"), apitest.Digest("envoy"), []string{held}, verdict.Inconclusive, "is neither"},
		{"and another one runs", held, apitest.Digest("auth-service"), []string{held}, verdict.Failed, "the release's image"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := apitest.NewApp("auth-service", 1, 8080)
			for _, spec := range []*corev1.PodSpec{&a.Deployment.Spec.Template.Spec, &a.ReplicaSet.Spec.Template.Spec, &a.Pods[0].Spec} {
				spec.Containers = append(spec.Containers, corev1.Container{Name: "proxy", Image: tt.image})
			}
			status := &a.Pods[0].Status
			status.ContainerStatuses = append(status.ContainerStatuses, corev1.ContainerStatus{Name: "proxy", Ready: true, ImageID: "x/y@" + tt.runs})
			judge := identity.Judge{Release: release.New([]release.Image{apitest.Image("auth-service")}, tt.pinned...)}
			f := judge.Look(cluster.View{Deployment: a.Deployment, ReplicaSets: []*appsv1.ReplicaSet{a.ReplicaSet}, Pods: a.Pods})
			if f.Verdict != tt.verdict || !strings.Contains(f.Seen, tt.seen) {
				t.Errorf("got %s: %s; want %s with %q", f.Verdict, f.Seen, tt.verdict, tt.seen)
			}
		})
	}
}

// An init container has done its work before anything answers: its image counts.
func TestInitContainers(t *testing.T) {
	t.Parallel()
	migrate := apitest.Image("migrate")
	tests := []struct {
		name, image, runs string
		asked             string // by the Pod; empty: as the template
		verdict           verdict.Verdict
		seen              string
	}{
		{"as released", migrate.Ref(), migrate.Digest, "", verdict.Passed, ""},
		{"without a digest in the template", migrate.Name + ":" + migrate.Tag, migrate.Digest, "", verdict.Failed, "which has no digest"},
		{"another image ran", migrate.Ref(), apitest.Digest("auth-service"), "", verdict.Failed, "the release's image"},
		{"an image that nobody knows ran", migrate.Ref(), apitest.Digest("unknown"), "", verdict.Inconclusive, apitest.Digest("unknown")},
		{"the Pod asks for another", migrate.Ref(), migrate.Digest, migrate.Name + "@" + apitest.Digest("other"), verdict.Failed, "the Pod asks for"},
		{"the runtime has not said what ran", migrate.Ref(), "", "", verdict.Inconclusive, "has not reported an imageID"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := apitest.NewApp("auth-service", 1, 8080)
			for _, spec := range []*corev1.PodSpec{&a.Deployment.Spec.Template.Spec, &a.ReplicaSet.Spec.Template.Spec, &a.Pods[0].Spec} {
				spec.InitContainers = []corev1.Container{{Name: "migrate", Image: tt.image}}
			}
			if tt.asked != "" {
				a.Pods[0].Spec.InitContainers[0].Image = tt.asked
			}
			ran := corev1.ContainerStatus{Name: "migrate"}
			if tt.runs != "" {
				ran.ImageID = migrate.Name + "@" + tt.runs
			}
			a.Pods[0].Status.InitContainerStatuses = []corev1.ContainerStatus{ran}
			judge := identity.Judge{Release: release.New([]release.Image{apitest.Image("auth-service"), migrate})}
			f := judge.Look(cluster.View{Deployment: a.Deployment, ReplicaSets: []*appsv1.ReplicaSet{a.ReplicaSet}, Pods: a.Pods})
			if f.Verdict != tt.verdict || !strings.Contains(f.Seen, tt.seen) {
				t.Errorf("got %s: %s; want %s with %q", f.Verdict, f.Seen, tt.verdict, tt.seen)
			}
		})
	}
}
