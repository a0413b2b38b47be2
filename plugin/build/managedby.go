package build

import (
	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/provenance"
	"sigs.k8s.io/kustomize/api/resmap"
)

// Release is the kustomize release whose library this is, as its CLI calls itself.
const Release = "v5.8.2"

// nameRelease has the label of buildMetadata's managedByLabel name that release.
// kustomize takes the version of the program that it is part of: the label would
// change with each build of this one, and "(devel)" is no valid value of a label.
func nameRelease(objects resmap.ResMap) error {
	own := "kustomize-" + provenance.GetProvenance().Semver()
	for _, r := range objects.Resources() {
		labels := r.GetLabels()
		if labels[konfig.ManagedbyLabelKey] != own {
			continue
		}
		labels[konfig.ManagedbyLabelKey] = "kustomize-" + Release
		if err := r.SetLabels(labels); err != nil {
			return err
		}
	}
	return nil
}
