package plugin

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/provider"

	"github.com/proerror77/nova-staging/internal/release"
)

// ErrRelease is returned when the release ConfigMap can not be added.
var ErrRelease = errors.New("add the release ConfigMap")

// maxConfigMap is what Kubernetes takes as a ConfigMap's data, in bytes.
const maxConfigMap = 1 << 20

// addRelease adds the ConfigMap with the resolved set to the objects.
func (r *render) addRelease(record release.Release, chosen map[string]release.Image) error {
	name := r.config.Release.ConfigMap
	namespace, err := r.releaseNamespace(chosen)
	if err != nil {
		return err
	}
	for _, object := range r.built.Objects.Resources() {
		if object.GetKind() == "ConfigMap" && object.GetName() == name && object.GetNamespace() == namespace {
			return fmt.Errorf("%w: the kustomization already has a ConfigMap %s: give release.configMap in images.yaml another name", ErrRelease, name)
		}
	}
	data, err := record.Encode()
	if err != nil {
		return err
	}
	if len(data) > maxConfigMap {
		return fmt.Errorf("%w: the record of %d images is %d bytes and a ConfigMap takes %d: remove release from images.yaml", ErrRelease, len(record.Images), len(data), maxConfigMap)
	}
	metadata := map[string]any{"name": name}
	if namespace != "" {
		metadata["namespace"] = namespace
	}
	object, err := provider.NewDefaultDepProvider().GetResourceFactory().FromMap(map[string]any{
		"apiVersion": "v1",
		"kind":       "ConfigMap",
		"metadata":   metadata,
		"data":       map[string]any{release.DataKey: string(data)},
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRelease, err)
	}
	if err := r.built.Objects.Append(object); err != nil {
		return fmt.Errorf("%w: %w", ErrRelease, err)
	}
	return nil
}

// releaseNamespace is where the record goes: beside the objects that it is about.
func (r *render) releaseNamespace(chosen map[string]release.Image) (string, error) {
	if ns := r.config.Release.Namespace; ns != "" {
		return ns, nil
	}
	var found []string
	for _, u := range r.uses {
		if _, ok := chosen[u.Name]; !ok {
			continue
		}
		if ns := u.Namespace(); !slices.Contains(found, ns) {
			found = append(found, ns)
		}
	}
	if len(found) > 1 {
		slices.Sort(found)
		return "", fmt.Errorf("%w: the resolved images are used in several namespaces: set release.namespace in images.yaml, valid choices are: %s", ErrRelease, strings.Join(found, ", "))
	}
	if len(found) == 0 {
		return "", nil
	}
	return found[0], nil
}
