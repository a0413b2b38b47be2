package command_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/proerror77/nova-staging/internal/apitest"
)

// lie is one thing that is wrong about a healthy service, and what smoke must
// say of it. Each of them once made some smoke test or other green.
type lie struct {
	name    string
	change  func(t *testing.T, s *apitest.Server, a *apitest.App)
	handler http.Handler
	conf    string
	code    int
	check   string
	verdict string
	seen    string
}

func TestNoLieOfTheClusterPasses(t *testing.T) {
	t.Parallel()
	status := func(a *apitest.App) *corev1.ContainerStatus { return &a.Pods[0].Status.ContainerStatuses[0] }
	tellAll(t, []lie{
		{
			name: "an old Pod is still there",
			change: func(_ *testing.T, s *apitest.Server, a *apitest.App) {
				old := a.ReplicaSet.DeepCopy()
				old.Name, old.UID = "auth-service-old", "uid-auth-service-old"
				old.Annotations["deployment.kubernetes.io/revision"] = "1"
				old.Spec.Template.Spec.Containers[0].Image = apitest.Registry + "auth-service:old@" + apitest.Digest("old")
				s.Put("replicasets", old)
				a.AddPod("auth-service-old-0", "auth-service-old")
			},
			code: 10, check: "rollout", verdict: "failed", seen: "1 left: auth-service-old-0",
		},
		{
			name: "an old Pod is terminating and still answers",
			change: func(_ *testing.T, _ *apitest.Server, a *apitest.App) {
				p := a.AddPod("auth-service-old-0", "auth-service-7c9f8")
				at := metav1.Now()
				p.DeletionTimestamp = &at
			},
			code: 10, check: "rollout", verdict: "failed", seen: "1 still terminating",
		},
		{
			name: "an old Pod is terminating and its ReplicaSet is gone already",
			change: func(_ *testing.T, _ *apitest.Server, a *apitest.App) {
				p := a.AddPod("auth-service-old-0", "auth-service-gone")
				at, no := metav1.Now(), false
				p.DeletionTimestamp = &at
				a.Slice.Endpoints[2].Conditions.Ready = &no
			},
			code: 10, check: "rollout", verdict: "failed", seen: "1 still terminating",
		},
		{
			name: "the controller has not seen the new generation",
			change: func(_ *testing.T, _ *apitest.Server, a *apitest.App) {
				a.Deployment.Generation = 4
			},
			code: 10, check: "rollout", verdict: "failed", seen: "has seen generation 3",
		},
		{
			name: "the Pods belong to a ReplicaSet of the same name that is another object",
			change: func(_ *testing.T, _ *apitest.Server, a *apitest.App) {
				for _, p := range a.Pods {
					p.OwnerReferences[0].UID = "uid-of-somebody-else"
				}
			},
			code: 10, check: "rollout", verdict: "failed", seen: "2 left",
		},
		{
			name: "the Deployment is scaled to zero",
			change: func(_ *testing.T, _ *apitest.Server, a *apitest.App) {
				zero := int32(0)
				a.Deployment.Spec.Replicas, a.Deployment.Status = &zero, appsv1.DeploymentStatus{ObservedGeneration: 3}
				a.Pods, a.Slice.Endpoints = nil, nil
			},
			code: 10, check: "rollout", verdict: "failed", seen: "scaled to 0",
		},
		{
			name: "there is no such Deployment",
			change: func(_ *testing.T, _ *apitest.Server, a *apitest.App) {
				a.Deployment.Name = "another"
			},
			code: 10, check: "rollout", verdict: "failed", seen: "there is none",
		},
		{
			name: "one Pod is not ready though the Deployment's counts say so",
			change: func(_ *testing.T, _ *apitest.Server, a *apitest.App) {
				a.Pods[1].Status.Conditions[0].Status = corev1.ConditionFalse
			},
			code: 10, check: "readiness", verdict: "failed", seen: "condition Ready is False",
		},
		{
			name: "the right tag with another digest in the template",
			change: func(_ *testing.T, _ *apitest.Server, a *apitest.App) {
				other := strings.Replace(a.Deployment.Spec.Template.Spec.Containers[0].Image, apitest.Digest("auth-service"), apitest.Digest("other"), 1)
				a.Deployment.Spec.Template.Spec.Containers[0].Image = other
				a.ReplicaSet.Spec.Template.Spec.Containers[0].Image = other
				for _, p := range a.Pods {
					p.Spec.Containers[0].Image = other
					p.Status.ContainerStatuses[0].ImageID = apitest.Registry + "auth-service@" + apitest.Digest("other")
				}
			},
			code: 12, check: "identity", verdict: "failed", seen: apitest.Digest("other"),
		},
		{
			name: "the right tag without a digest in the template",
			change: func(_ *testing.T, _ *apitest.Server, a *apitest.App) {
				for _, spec := range []*corev1.PodSpec{&a.Deployment.Spec.Template.Spec, &a.ReplicaSet.Spec.Template.Spec, &a.Pods[0].Spec, &a.Pods[1].Spec} {
					spec.Containers[0].Image = apitest.Registry + "auth-service:" + apitest.Commit
				}
			},
			code: 12, check: "identity", verdict: "failed", seen: "which has no digest",
		},
		{
			name: "a Pod's own image was changed in place",
			change: func(_ *testing.T, _ *apitest.Server, a *apitest.App) {
				a.Pods[0].Spec.Containers[0].Image = apitest.Registry + "auth-service:" + apitest.Commit + "@" + apitest.Digest("other")
			},
			code: 12, check: "identity", verdict: "failed", seen: "the Pod asks for",
		},
		{
			name: "the runtime reports the digest of an older ReplicaSet",
			change: func(_ *testing.T, s *apitest.Server, a *apitest.App) {
				old := a.ReplicaSet.DeepCopy()
				old.Name, old.UID = "auth-service-old", "uid-auth-service-old"
				old.Spec.Template.Spec.Containers[0].Image = apitest.Registry + "auth-service:old@" + apitest.Digest("old")
				s.Put("replicasets", old)
				status(a).ImageID = apitest.Registry + "auth-service@" + apitest.Digest("old")
			},
			code: 12, check: "identity", verdict: "failed", seen: "what the older ReplicaSet auth-service-old asks for",
		},
		{
			name: "the runtime reports a digest that nobody knows",
			change: func(_ *testing.T, _ *apitest.Server, a *apitest.App) {
				status(a).ImageID = apitest.Registry + "auth-service@" + apitest.Digest("unknown")
			},
			code: 3, check: "identity", verdict: "inconclusive", seen: apitest.Digest("unknown"),
		},
		{
			name: "the runtime reports the digest of the config",
			change: func(_ *testing.T, _ *apitest.Server, a *apitest.App) {
				status(a).ImageID = "docker://" + apitest.Digest("auth-service")
			},
			code: 3, check: "identity", verdict: "inconclusive", seen: "config",
		},
		{
			name: "the image was loaded into the node",
			change: func(_ *testing.T, _ *apitest.Server, a *apitest.App) {
				status(a).ImageID = "docker.io/library/import-2026-11-22@" + apitest.Digest("auth-service2")
			},
			code: 3, check: "identity", verdict: "inconclusive", seen: "imported",
		},
		{
			name: "there is no release ConfigMap",
			change: func(_ *testing.T, s *apitest.Server, _ *apitest.App) {
				s.Delete("configmaps", "nova-release")
			},
			code: 5, check: "identity", verdict: "inconclusive", seen: "could not be read",
		},
		{
			name: "the release ConfigMap was edited by hand",
			change: func(_ *testing.T, s *apitest.Server, _ *apitest.App) {
				cm := s.Get("configmaps", "nova-release").(*corev1.ConfigMap)
				cm.Data["release.json"] = strings.ReplaceAll(cm.Data["release.json"], apitest.Digest("auth-service"), apitest.Digest("other"))
				s.Put("configmaps", cm)
			},
			code: 5, check: "identity", verdict: "inconclusive", seen: "could not be read",
		},
		{
			name: "the image is in no release and not pinned",
			change: func(_ *testing.T, s *apitest.Server, a *apitest.App) {
				for _, spec := range []*corev1.PodSpec{&a.Deployment.Spec.Template.Spec, &a.ReplicaSet.Spec.Template.Spec, &a.Pods[0].Spec, &a.Pods[1].Spec} {
					spec.Containers[0].Image = "docker.io/evil/auth-service:1"
				}
			},
			code: 3, check: "identity", verdict: "inconclusive", seen: "is neither",
		},
		{
			name: "the image of another repository, pinned by digest",
			change: func(_ *testing.T, _ *apitest.Server, a *apitest.App) {
				for _, spec := range []*corev1.PodSpec{&a.Deployment.Spec.Template.Spec, &a.ReplicaSet.Spec.Template.Spec, &a.Pods[0].Spec, &a.Pods[1].Spec} {
					spec.Containers[0].Image = "docker.io/evil/auth-service@" + apitest.Digest("evil")
				}
				for _, p := range a.Pods {
					p.Status.ContainerStatuses[0].ImageID = "docker.io/evil/auth-service@" + apitest.Digest("evil")
				}
			},
			code: 3, check: "identity", verdict: "inconclusive", seen: "is neither",
		},
		{
			name: "the Service also leads to a Pod of another workload",
			change: func(_ *testing.T, _ *apitest.Server, a *apitest.App) {
				yes := true
				e := a.Slice.Endpoints[0]
				e.TargetRef, e.Conditions.Ready = &corev1.ObjectReference{Kind: "Pod", Name: "auth-canary-0", UID: "uid-canary"}, &yes
				a.Slice.Endpoints = append(a.Slice.Endpoints, e)
			},
			code: 13, check: "routing", verdict: "failed", seen: "pod/auth-canary-0",
		},
		{
			name: "the Service leads to no Pod",
			change: func(_ *testing.T, _ *apitest.Server, a *apitest.App) {
				a.Slice.Endpoints = nil
			},
			code: 13, check: "routing", verdict: "failed", seen: "no endpoint is ready",
		},
	})
}

// tellAll changes one thing about a healthy service at a time.
func tellAll(t *testing.T, lies []lie) {
	t.Helper()
	for _, tt := range lies {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := apitest.New(t, "nova")
			id := s.AddRelease(t, "auth-service")
			app := apitest.NewApp("auth-service", 2, 8080)
			if tt.change != nil {
				tt.change(t, s, app)
			}
			if h := tt.handler; h == nil {
				app.Serve(t, apitest.Good())
			} else if fmt.Sprintf("%p", h) != fmt.Sprintf("%p", http.NotFoundHandler()) {
				app.Serve(t, h)
			}
			s.Add(app)
			c := tt.conf
			if c == "" {
				c = conf("auth-service")
			}
			o := smoke(t, t.Context(), s, c, "--release", id)
			r := o.find(t, "auth-service", tt.check)
			if o.code != tt.code || r.Verdict != tt.verdict || !strings.Contains(r.Seen, tt.seen) {
				t.Errorf("exit code %d, %s %s: %q\nwant %d, %s with %q\n%s", o.code, tt.check, r.Verdict, r.Seen, tt.code, tt.verdict, tt.seen, o.err)
			}
			if r.Expected == "" {
				t.Errorf("the report does not say what was expected: %+v", r)
			}
		})
	}
}
