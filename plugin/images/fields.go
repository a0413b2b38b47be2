package images

import (
	"strings"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/resid"
	"sigs.k8s.io/kustomize/kyaml/utils"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// volumeFields are kustomize's own field specs beyond the container lists.
var volumeFields = types.FsSlice{
	{Path: "spec/volumes[]/image/reference"},
	{Path: "spec/template/spec/volumes[]/image/reference"},
	{Path: "spec/jobTemplate/spec/template/spec/volumes[]/image/reference"},
}

// eachField calls f with every value that a field spec names in an object. It
// walks as kustomize's own filter does, which gives up on an object with a text
// where the path goes on: spec.template is a text in many kinds.
func eachField(object *yaml.RNode, spec types.FieldSpec, f func(*yaml.Node)) {
	group, version := resid.ParseGroupVersion(object.GetApiVersion())
	if spec.Kind != "" && spec.Kind != object.GetKind() ||
		spec.Group != "" && spec.Group != group ||
		spec.Version != "" && spec.Version != version {
		return
	}
	follow(object.YNode(), utils.PathSplitter(spec.Path, "/"), f)
}

func follow(n *yaml.Node, path []string, f func(*yaml.Node)) {
	if len(path) == 0 {
		f(n)
		return
	}
	switch n.Kind {
	case yaml.SequenceNode: // the path has no part for its items
		for _, item := range n.Content {
			follow(item, path, f)
		}
	case yaml.MappingNode:
		if next := field(n, strings.TrimSuffix(path[0], "[]")); next != nil {
			follow(next, path[1:], f)
		}
	}
}
