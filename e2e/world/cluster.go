package world

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/e2e-framework/klient/conf"
	"sigs.k8s.io/e2e-framework/support/kind"

	"github.com/proerror77/nova-staging/internal/novaworld"
)

// registryAddress is the registry Service of manifests/lab.
const registryAddress = "10.96.100.100"

// cluster is a kind cluster of one node.
type cluster struct {
	settings Settings
	provider *kind.Cluster
	config   *rest.Config
	// kubeconfig is a file's path.
	kubeconfig string
	kubectl    string
}

// createCluster makes the cluster, or takes the one that an earlier run kept, if
// this one is to be kept as well. A
// cluster that could not be made leaves its logs in the artifacts folder.
func createCluster(ctx context.Context, s Settings) (*cluster, error) {
	c := &cluster{settings: s, provider: kind.NewCluster(s.Cluster)}
	c.provider.WithPath(s.Kind)
	// Retained, or there would be nothing left to read the logs of.
	args := []string{"--retain", "--wait", "120s"}
	if s.NodeImage != "" {
		args = append(args, "--image", s.NodeImage)
	}
	if s.KindConfig != "" {
		args = append(args, "--config", s.KindConfig)
	}
	// What a run that was killed has left, or one that was kept and whose machine
	// has restarted since, is no cluster to begin with.
	if !s.Keep || !c.answers(ctx) {
		if err := c.delete(ctx); err != nil {
			return nil, err
		}
	}
	var err error
	if c.kubeconfig, err = c.provider.Create(ctx, args...); err != nil {
		logs := c.exportLogs(ctx)
		return nil, errors.Join(fmt.Errorf("create the kind cluster %s, logs in %s: %w", s.Cluster, s.Artifacts, err), logs, c.delete(ctx))
	}
	if c.config, err = conf.New(c.kubeconfig); err != nil {
		return nil, err
	}
	if c.kubectl, err = c.findKubectl(ctx); err != nil {
		return nil, err
	}
	return c, c.mirrorRegistry(ctx, Account{ID: novaworld.Account}.Host())
}

// answers tells whether the node runs and its API server is ready.
func (c *cluster) answers(ctx context.Context) bool {
	_, err := c.exec(ctx, nil, "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "--request-timeout=10s", "get", "--raw=/readyz")
	return err == nil
}

func (c *cluster) node() string { return c.settings.Cluster + "-control-plane" }

// exec runs a command on the node.
func (c *cluster) exec(ctx context.Context, stdin []byte, args ...string) (string, error) {
	return command{name: "docker", args: append([]string{"exec", "-i", c.node()}, args...), stdin: stdin}.run(ctx)
}

// findKubectl takes the one that is installed, or the node's.
func (c *cluster) findKubectl(ctx context.Context) (string, error) {
	if c.settings.Kubectl != "" {
		return c.settings.Kubectl, nil
	}
	if path, err := exec.LookPath("kubectl"); err == nil {
		return path, nil
	}
	path := filepath.Join(c.settings.Artifacts, "kubectl")
	if err := os.MkdirAll(c.settings.Artifacts, 0o755); err != nil {
		return "", err
	}
	_, err := command{name: "docker", args: []string{"cp", "-L", c.node() + ":/usr/bin/kubectl", path}}.run(ctx)
	return path, err
}

// mirrorRegistry makes the node pull an ECR host's images from the emulator. It
// has no name or certificate for that host, so this is containerd's to know.
func (c *cluster) mirrorRegistry(ctx context.Context, host string) error {
	hosts := fmt.Sprintf("[host.\"http://%s\"]\n  capabilities = [\"pull\", \"resolve\"]\n", registryAddress)
	_, err := c.exec(ctx, []byte(hosts), "sh", "-ec", "mkdir -p /etc/containerd/certs.d/"+host+" && cat > /etc/containerd/certs.d/"+host+"/hosts.toml")
	return err
}

// load puts images of the container engine on the node, all that are not there.
func (c *cluster) load(ctx context.Context, images []string) error {
	for _, image := range images {
		if err := c.provider.LoadImage(ctx, image); err != nil {
			return err
		}
	}
	return nil
}

// kube runs kubectl against the cluster.
func (c *cluster) kube(ctx context.Context, args ...string) (string, error) {
	return command{name: c.kubectl, args: args, env: []string{"KUBECONFIG=" + c.kubeconfig}}.run(ctx)
}

func (c *cluster) exportLogs(ctx context.Context) error {
	if err := os.MkdirAll(c.settings.Artifacts, 0o755); err != nil {
		return err
	}
	return c.provider.ExportLogs(ctx, filepath.Join(c.settings.Artifacts, "kind"))
}

func (c *cluster) delete(ctx context.Context) error { return c.provider.Destroy(ctx) }
