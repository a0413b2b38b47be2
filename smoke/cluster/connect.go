package cluster

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/proerror77/nova-staging/internal/version"
)

// ServiceAccountDir is where the kubelet puts a Pod's credentials.
const ServiceAccountDir = "/var/run/secrets/kubernetes.io/serviceaccount"

// Access says how to come to the API server.
type Access struct {
	// Kubeconfig file. Optional, default: KUBECONFIG, else in a Pod the
	// ServiceAccount, else ~/.kube/config.
	Kubeconfig string
	// Context in the kubeconfig. Optional, default: its current one.
	Context string
	// Env gives the process's environment. Required.
	Env func(string) string
	// ServiceAccountDir replaces [ServiceAccountDir]. Optional.
	ServiceAccountDir string
}

// Connection is a way to the API server.
type Connection struct {
	Config *rest.Config
	// Namespace is the Pod's own or the context's.
	Namespace string
	// InCluster says that Pods can be dialled.
	InCluster bool
}

// Connect reads credentials; it does not talk to the server yet.
func Connect(a Access) (Connection, error) {
	if a.ServiceAccountDir == "" {
		a.ServiceAccountDir = ServiceAccountDir
	}
	var c Connection
	var err error
	if a.Kubeconfig == "" && a.Context == "" && a.Env("KUBECONFIG") == "" && a.Env("KUBERNETES_SERVICE_HOST") != "" {
		c, err = inCluster(a)
	} else {
		c, err = kubeconfig(a)
	}
	if err != nil {
		return Connection{}, err
	}
	c.Config.UserAgent = "nova-smoke/" + version.Get().Version
	// The checks bound their requests themselves; the client's own limiter of
	// five a second would make every run slow.
	c.Config.QPS = -1
	c.Config.ContentType = "application/json"
	c.Config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	c.Config.Dial = (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext
	c.Config.WarningHandler = rest.NoWarnings{}
	return c, nil
}

func inCluster(a Access) (Connection, error) {
	token := filepath.Join(a.ServiceAccountDir, "token")
	if _, err := os.Stat(token); err != nil {
		return Connection{}, fmt.Errorf("read the Pod's credentials: %w (is automountServiceAccountToken on?)", err)
	}
	ns, err := os.ReadFile(filepath.Join(a.ServiceAccountDir, "namespace"))
	if err != nil {
		return Connection{}, fmt.Errorf("read the Pod's namespace: %w", err)
	}
	host := net.JoinHostPort(a.Env("KUBERNETES_SERVICE_HOST"), a.Env("KUBERNETES_SERVICE_PORT"))
	return Connection{
		Config: &rest.Config{
			Host:            "https://" + host,
			BearerTokenFile: token,
			TLSClientConfig: rest.TLSClientConfig{CAFile: filepath.Join(a.ServiceAccountDir, "ca.crt")},
		},
		Namespace: strings.TrimSpace(string(ns)),
		InCluster: true,
	}, nil
}

func kubeconfig(a Access) (Connection, error) {
	rules := &clientcmd.ClientConfigLoadingRules{ExplicitPath: a.Kubeconfig}
	switch {
	case a.Kubeconfig != "":
	case a.Env("KUBECONFIG") != "":
		rules.Precedence = filepath.SplitList(a.Env("KUBECONFIG"))
	case a.Env("HOME") != "":
		rules.Precedence = []string{filepath.Join(a.Env("HOME"), ".kube", "config")}
	}
	loaded, err := rules.Load()
	if err != nil {
		return Connection{}, fmt.Errorf("read kubeconfig: %w", err)
	}
	if len(loaded.Clusters) == 0 {
		return Connection{}, errors.New("find a cluster: this is no Pod and no kubeconfig was found, give --kubeconfig")
	}
	if a.Context != "" && loaded.Contexts[a.Context] == nil {
		var names []string
		for name := range loaded.Contexts {
			names = append(names, name)
		}
		return Connection{}, fmt.Errorf("kubeconfig has no context %q, valid contexts are: %s", a.Context, strings.Join(names, ", "))
	}
	cc := clientcmd.NewNonInteractiveClientConfig(*loaded, a.Context, &clientcmd.ConfigOverrides{}, rules)
	cfg, err := cc.ClientConfig()
	if err != nil {
		return Connection{}, fmt.Errorf("read kubeconfig: %w", err)
	}
	ns, _, err := cc.Namespace()
	if err != nil {
		return Connection{}, fmt.Errorf("read kubeconfig: %w", err)
	}
	return Connection{Config: cfg, Namespace: ns}, nil
}
