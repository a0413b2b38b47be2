// Package plugin renders a kustomization with every image resolved from ECR as
// of an instant: one revision and one instant give the same bytes, whoever
// renders, whenever.
//
// [Render] goes through the parts in order, each a package of its own:
//
//	build     kustomize in process, confined to the repository
//	images    finds the images in the result, and pins them at the end
//	policy    images.yaml: how each image is chosen
//	history   the commits that lead to the revision, from .git
//	ecr       what ECR has, and when it was pushed
//	resolve   the choice; cache keeps it
//	explain   the same for people
//
// command is the program around it.
package plugin
