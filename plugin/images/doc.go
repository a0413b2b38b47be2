// Package images finds the container images in rendered manifests and pins them.
//
// It looks where kustomize's image transformer looks: in every containers and
// initContainers list of any object but a CustomResourceDefinition, in image
// volumes, and in the fields that the kustomizations' own configurations name.
//
// Manifests may hold what is no image: the placeholder of a tool that fills it in
// later, or a mapping that only some operator reads. kustomize leaves those as
// they are. They are listed with the reason, and it is for the caller to refuse
// one that a policy matches: then an image would go out unpinned that was meant to
// be resolved. Where no policy matches nothing is lost, and refusing would keep
// people from rendering manifests that have nothing to do with it.
package images
