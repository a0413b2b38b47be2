//go:build e2e

package e2e

import (
	"context"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/e2e-framework/pkg/features"

	"github.com/proerror77/nova-staging/e2e/world"
)

// The shipped NetworkPolicies, where they are enforced. That the other scenarios
// pass shows that they are not too tight; this one shows what they keep out, and
// of each such connection that another Pod, which may, makes it.
func TestNetworkPolicies(t *testing.T) {
	const trigger, api, auth, search = "nova-trigger.argocd.svc:80", "kubernetes.default.svc:443", "auth-service.nova.svc:8084", "search-service.nova.svc:8086"
	var (
		sidecar, triggers, service, lab, outsider *corev1.Pod
		ingress, prometheus, neighbour            *corev1.Pod
		git                                       string
	)
	testenv.Test(t, features.New("network policies").
		Setup(step(func(ctx context.Context, t *testing.T) {
			withTrigger(ctx, t)
			var err error
			// No policy is about the git server: it is the one who may.
			outsider, git, err = w.Git(ctx)
			need(t, err)
			for _, v := range []struct {
				to                  **corev1.Pod
				namespace, selector string
			}{
				{&sidecar, "argocd", "app.kubernetes.io/name=argocd-repo-server"},
				{&triggers, "argocd", "app.kubernetes.io/name=nova-trigger"},
				{&service, world.Namespace, "app.kubernetes.io/name=search-service"},
				{&lab, "lab", "app=lab"},
				{&prometheus, "monitoring", "app.kubernetes.io/name=prometheus"},
			} {
				*v.to, err = w.Pod(ctx, v.namespace, v.selector)
				need(t, err)
			}
			for _, v := range []struct {
				to              **corev1.Pod
				namespace, name string
			}{
				{&ingress, "ingress-nginx", "ingress-nginx"},
				{&neighbour, "monitoring", "grafana"},
			} {
				*v.to, err = w.Visit(ctx, v.namespace, map[string]string{"app.kubernetes.io/name": v.name})
				need(t, err)
			}
		})).
		Assess("let through what is needed", step(func(ctx context.Context, t *testing.T) {
			need(t, w.Answers(ctx, sidecar, "http://ecr.lab.svc/"))
			need(t, w.Answers(ctx, triggers, "http://ecr.lab.svc/"))
			each([]connection{
				{"the sidecar reaches git", sidecar, git, nil},
				{"the sidecar reaches Redis", sidecar, "argocd-redis.argocd.svc:6379", nil},
				{"trigger reaches the API server", triggers, api, nil},
				{"trigger reaches the replica that acts", triggers, trigger, nil},
				{"anybody reads trigger's board", outsider, trigger, nil},
				{"a service reaches another", service, auth, nil},
				{"a service reaches Kafka in another namespace", service, "kafka.lab.svc:9092", nil},
				{"the ingress controller reaches a service", ingress, auth, nil},
				{"Prometheus reaches a service", prometheus, auth, nil},
			}, func(c connection) {
				if err := w.Connects(ctx, c.from, c.to, true); err != nil {
					t.Errorf("%s: %v", c.name, err)
				}
			})
		})).
		Assess("keep out what is not, which others reach", step(func(ctx context.Context, t *testing.T) {
			control, kubelet := lab.Status.PodIP+":5001", sidecar.Status.HostIP+":10250"
			each([]connection{
				{"the sidecar does not reach the API server", sidecar, api, outsider},
				{"the sidecar does not reach a node", sidecar, kubelet, outsider},
				{"the sidecar does not reach a service", sidecar, auth, service},
				{"the sidecar does not reach trigger's board", sidecar, trigger, outsider},
				{"the sidecar does not reach a Pod's other port", sidecar, control, outsider},
				{"trigger does not reach a Pod's other port", triggers, control, outsider},
				{"trigger does not reach a node", triggers, kubelet, outsider},
				{"trigger does not reach git", triggers, git, sidecar},
				{"a service does not reach the API server", service, api, outsider},
				{"a service does not reach ECR", service, "ecr.lab.svc:80", outsider},
				{"a service does not reach trigger's board", service, trigger, outsider},
				{"another namespace does not reach a service", outsider, search, ingress},
				{"another Pod beside Prometheus does not reach a service", neighbour, search, prometheus},
			}, func(c connection) {
				if err := w.Connects(ctx, c.from, c.to, false); err != nil {
					t.Errorf("%s: %v", c.name, err)
				} else if err := w.Connects(ctx, c.control, c.to, true); err != nil {
					t.Errorf("%s, but neither does who may: %v", c.name, err)
				}
			})
		})).
		Assess("let trigger work: it holds the Lease and takes events from the queue", step(func(ctx context.Context, t *testing.T) {
			need(t, w.Registry.Send(ctx, "no JSON"))
			need(t, w.Drained(ctx, time.Minute))
			_, err := w.Leader(ctx)
			need(t, err)
		})).
		Teardown(step(func(ctx context.Context, t *testing.T) {
			need(t, w.StopTrigger(ctx))
			need(t, w.Leave(ctx, ingress, neighbour))
		})).
		Feature())
}

// connection is from a Pod to host:port; control is another Pod that makes it.
type connection struct {
	name    string
	from    *corev1.Pod
	to      string
	control *corev1.Pod
}

// each tries connections, some at a time: those that are dropped are waited for.
func each(connections []connection, try func(connection)) {
	var g errgroup.Group
	g.SetLimit(4)
	for _, c := range connections {
		g.Go(func() error {
			try(c)
			return nil
		})
	}
	_ = g.Wait()
}
