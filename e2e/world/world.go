package world

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/proerror77/nova-staging/internal/novaworld"
)

// Namespace is where Nova's staging runs.
const Namespace = "nova"

// World is a cluster with everything in it. Make one with [Start].
type World struct {
	Kube        kubernetes.Interface
	Application *Application
	Registry    *Registry
	Repository  *Repository
	ArgoCD      *Server
	Prometheus  *Prometheus

	// Log says what is being done, with the time since the start.
	Log func(format string, args ...any)

	settings Settings
	cluster  *cluster
	layer    v1.Layer
	smoke    v1.Image
	temp     string
	running  context.Context
	stop     context.CancelFunc
	// gitAddress is the git server\'s for developers, gitInCluster for Argo CD.
	gitAddress string
	helpers    sync.Once // what helps the Application along has been started
	patient    atomic.Bool
}

const gitInCluster = "http://git.lab.svc/"

// Start makes the world: a cluster (or the one that was kept), what stands in for
// AWS, Argo CD as manifests/argocd/example installs it, and a git repository with
// Nova's manifests. The Application does not exist yet: see [World.CreateApplication].
func Start(ctx context.Context, s Settings) (_ *World, err error) {
	began := time.Now()
	w := &World{settings: s, Log: func(format string, args ...any) {
		fmt.Printf("%6.1fs  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}}
	if w.temp, err = os.MkdirTemp("", "nova-e2e-"); err != nil {
		return nil, err
	}
	w.running, w.stop = context.WithCancel(ctx)
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"create the cluster and build the images", w.prepare},
		{"put the project's images on the node", w.buildOnNode},
		{"start the lab: ECR, git, Kafka", w.startLab},
		{"install Argo CD with the sidecar, and Prometheus", w.install},
		{"publish Nova's manifests", w.publish},
	} {
		w.Log("%s", step.what)
		if err := step.do(w.running); err != nil {
			return w, fmt.Errorf("%s: %w", step.what, err)
		}
	}
	w.Log("ready")
	return w, nil
}

// Close ends what the world does in this process, and deletes the cluster unless
// it is to be kept. A run that failed leaves the node's logs in the artifacts
// folder.
func (w *World) Close(ctx context.Context, failed bool) error {
	w.stop()
	_ = os.RemoveAll(w.temp)
	if w.cluster == nil {
		return nil // its creation cleaned up
	}
	var errs []error
	if failed {
		errs = append(errs, w.cluster.exportLogs(ctx), w.exportState(ctx))
		w.Log("logs are in %s", w.settings.Artifacts)
	}
	if w.settings.Keep {
		w.Log("the cluster %s is kept: KUBECONFIG=%s", w.settings.Cluster, w.cluster.kubeconfig)
	} else {
		errs = append(errs, w.cluster.delete(ctx))
	}
	return errors.Join(errs...)
}

func (w *World) ko() ko { return ko{settings: w.settings} }

func (w *World) prepare(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		c, err := createCluster(ctx, w.settings)
		if err != nil {
			return err
		}
		w.cluster = c
		if w.Kube, err = kubernetes.NewForConfig(w.config()); err != nil {
			return err
		}
		client, err := dynamic.NewForConfig(w.config())
		if err != nil {
			return err
		}
		w.Application = &Application{client: client.Resource(applications).Namespace("argocd"), name: "nova-staging"}
		return c.load(ctx, w.settings.Load)
	})
	g.Go(func() (err error) {
		if w.smoke, err = w.ko().image(ctx, "./cmd/smoke", filepath.Join(w.temp, "smoke-image")); err != nil {
			return err
		}
		w.layer, err = serviceLayer(ctx, w.settings)
		return err
	})
	return g.Wait()
}

// config is the cluster's, without the client's own limit of requests.
func (w *World) config() *rest.Config {
	c := rest.CopyConfig(w.cluster.config)
	c.QPS, c.Burst = -1, -1
	return c
}

// images are the references on the node of what ko built.
type images struct{ generate, trigger, lab string }

func (w *World) buildOnNode(ctx context.Context) error {
	refs, err := w.ko().onNode(ctx, "./cmd/generate", "./cmd/trigger", "./e2e/lab")
	if err != nil {
		return err
	}
	return w.layOut(images{generate: refs[0], trigger: refs[1], lab: refs[2]})
}

func (w *World) startLab(ctx context.Context) error {
	if _, err := w.apply(ctx, "lab"); err != nil {
		return err
	}
	for _, name := range []string{"lab", "git"} {
		if err := w.rolledOut(ctx, "lab", "deployment/"+name); err != nil {
			return err
		}
	}
	local, err := forward(ctx, w.config(), "lab", "app=lab", 5000, 5001)
	if err != nil {
		return err
	}
	if w.Registry, err = connectRegistry(ctx, local[0], local[1]); err != nil {
		return err
	}
	if err := w.Registry.Repair(ctx); err != nil {
		return err
	}
	return w.Registry.Push(ctx, novaworld.Smoke, w.smoke, novaworld.SmokeTag)
}

// apply applies a folder of the layout, with the README's command.
func (w *World) apply(ctx context.Context, folder string) (string, error) {
	return w.cluster.kube(ctx, "apply", "--server-side", "--force-conflicts", "-k", filepath.Join(w.temp, folder))
}

func (w *World) rolledOut(ctx context.Context, namespace, name string) error {
	_, err := w.cluster.kube(ctx, "-n", namespace, "rollout", "status", "--timeout=180s", name)
	return err
}

func (w *World) publish(ctx context.Context) error {
	local, err := forward(ctx, w.config(), "lab", "app=git", 8080)
	if err != nil {
		return err
	}
	dir := filepath.Join(w.temp, "nova")
	w.gitAddress = "http://" + local[0] + "/"
	if w.Repository, err = newRepository(dir, w.gitAddress+"proerror77/Nova.git"); err != nil {
		return err
	}
	return w.copyNova(dir)
}

// Build pushes the images of a commit as CI does, tagged with its SHA, for all
// services or some. misbehave says for some how they misbehave.
func (w *World) Build(ctx context.Context, sha string, misbehave map[string]string, only ...string) error {
	if len(only) == 0 {
		only = novaworld.Services
	}
	for _, s := range slices.Sorted(maps.Keys(misbehave)) {
		if !slices.Contains(only, s) {
			return fmt.Errorf("build %s: %s is not built", sha, s)
		}
	}
	if err := w.push(ctx, sha, misbehave, only, sha); err != nil {
		return err
	}
	w.Log("pushed %d images of %.12s", len(only), sha)
	return nil
}

// Tag gives more tags to the images of a commit, as a release does.
func (w *World) Tag(ctx context.Context, sha string, tags ...string) error {
	return w.push(ctx, sha, nil, novaworld.Services, tags...)
}

// push pushes the images of a commit under tags.
func (w *World) push(ctx context.Context, sha string, misbehave map[string]string, services []string, tags ...string) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for _, s := range services {
		g.Go(func() error {
			image, err := serviceImage(w.layer, s, sha, misbehave[s])
			if err != nil {
				return err
			}
			return w.Registry.Push(ctx, "nova/"+s, image, tags...)
		})
	}
	return g.Wait()
}

// Now is an instant for as-of that is not before anything that has happened. It
// returns when that instant has come.
func Now() string {
	t := time.Now().UTC().Truncate(time.Second).Add(time.Second)
	time.Sleep(time.Until(t))
	return t.Format(time.RFC3339)
}
