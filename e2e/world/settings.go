package world

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// Settings come from the environment; e2e/run.sh sets what the machine needs.
type Settings struct {
	// Cluster is the kind cluster's name (E2E_CLUSTER). Default nova-e2e.
	Cluster string
	// Keep leaves the cluster for the next run (E2E_KEEP=1).
	Keep bool
	// Artifacts is the folder for logs of a failed run (E2E_ARTIFACTS). Default
	// artifacts/e2e below the repository's root.
	Artifacts string
	// Root is the repository's root.
	Root string
	// Kind, Ko, Kustomize and Kubectl are the programs (E2E_KIND, E2E_KO,
	// E2E_KUSTOMIZE, E2E_KUBECTL). Defaults: those on PATH. Kubectl may be absent,
	// the node has one.
	Kind, Ko, Kustomize, Kubectl string
	// NodeImage and KindConfig are for kind (E2E_NODE_IMAGE, E2E_KIND_CONFIG).
	// Default: kind's own.
	NodeImage, KindConfig string
	// ArgoCD is what installs Argo CD, an address or a file (E2E_ARGOCD_MANIFEST).
	// Default: what manifests/argocd/example names.
	ArgoCD string
	// Load are images of the container engine that the node can not pull
	// (E2E_LOAD_IMAGES, separated by spaces). Optional.
	Load []string
}

// FromEnv reads the settings.
func FromEnv() (Settings, error) {
	root, err := os.Getwd()
	if err != nil {
		return Settings{}, err
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		if filepath.Dir(root) == root {
			return Settings{}, errors.New("find the repository's root: no go.mod in this folder or above")
		}
		root = filepath.Dir(root)
	}
	env := func(name, otherwise string) string {
		if v := os.Getenv(name); v != "" {
			return v
		}
		return otherwise
	}
	return Settings{
		Cluster:    env("E2E_CLUSTER", "nova-e2e"),
		Keep:       env("E2E_KEEP", "0") != "0",
		Artifacts:  env("E2E_ARTIFACTS", filepath.Join(root, "artifacts", "e2e")),
		Root:       root,
		Kind:       env("E2E_KIND", "kind"),
		Ko:         env("E2E_KO", "ko"),
		Kustomize:  env("E2E_KUSTOMIZE", "kustomize"),
		Kubectl:    env("E2E_KUBECTL", ""),
		NodeImage:  env("E2E_NODE_IMAGE", ""),
		KindConfig: env("E2E_KIND_CONFIG", ""),
		ArgoCD:     env("E2E_ARGOCD_MANIFEST", ""),
		Load:       strings.Fields(os.Getenv("E2E_LOAD_IMAGES")),
	}, nil
}
