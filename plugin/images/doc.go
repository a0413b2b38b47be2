// Package images finds the container images in rendered manifests and pins them.
//
// It looks where kustomize's image transformer looks: in every containers and
// initContainers list of any object but a CustomResourceDefinition, in image
// volumes, and in the fields that the kustomizations' own configurations name.
package images
