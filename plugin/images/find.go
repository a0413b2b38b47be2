package images

import (
	"fmt"

	"sigs.k8s.io/kustomize/api/filters/fsslice"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// Use is one place in the manifests that names an image.
type Use struct {
	Reference
	// Object that holds it, for example "Deployment nova/auth-service".
	Object string
	// Part of the object: the container's or volume's name, or "" in a field that
	// a configuration names.
	Part string

	resource *resource.Resource
	node     *yaml.Node
}

// volumeFields are kustomize's own field specs beyond the container lists.
var volumeFields = types.FsSlice{
	{Path: "spec/volumes[]/image/reference"},
	{Path: "spec/template/spec/volumes[]/image/reference"},
	{Path: "spec/jobTemplate/spec/template/spec/volumes[]/image/reference"},
}

// Find lists every use of an image in the objects of m, in their order. extra
// are the image field specs of the kustomizations' configurations. A field that
// does not hold an image reference is an error: nothing is left unlooked at.
func Find(m resmap.ResMap, extra types.FsSlice) ([]Use, error) {
	fields := append(append(types.FsSlice{}, volumeFields...), extra...)
	var uses []Use
	for _, r := range m.Resources() {
		if r.GetKind() == "CustomResourceDefinition" {
			continue
		}
		f := finder{resource: r, object: Object(r), seen: map[*yaml.Node]bool{}}
		if err := f.walk(r.YNode()); err != nil {
			return nil, err
		}
		set := func(n *yaml.RNode) error { return f.add(n.YNode(), "") }
		if _, err := (fsslice.Filter{FsSlice: fields, SetValue: set}).Filter(&r.RNode); err != nil {
			return nil, fmt.Errorf("find images in %s: %w", f.object, err)
		}
		uses = append(uses, f.uses...)
	}
	return uses, nil
}

// Object names an object for people: kind, namespace and name.
func Object(r *resource.Resource) string {
	if ns := r.GetNamespace(); ns != "" {
		return r.GetKind() + " " + ns + "/" + r.GetName()
	}
	return r.GetKind() + " " + r.GetName()
}

type finder struct {
	resource *resource.Resource
	object   string
	seen     map[*yaml.Node]bool // a node that both the lists and a field spec reach counts once
	uses     []Use
}

func (f *finder) walk(n *yaml.Node) error {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i].Value, n.Content[i+1]
			if (key == "containers" || key == "initContainers") && value.Kind == yaml.SequenceNode {
				if err := f.list(value); err != nil {
					return err
				}
			}
			if err := f.walk(value); err != nil {
				return err
			}
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			if err := f.walk(item); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *finder) list(containers *yaml.Node) error {
	for _, c := range containers.Content {
		if image := field(c, "image"); image != nil {
			if err := f.add(image, value(field(c, "name"))); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *finder) add(n *yaml.Node, part string) error {
	if n.Tag == yaml.NodeTagNull || f.seen[n] {
		return nil
	}
	if n.Kind != yaml.ScalarNode {
		return fmt.Errorf("find images in %s: an image field holds a list or a mapping, want name[:tag][@digest]", f.object)
	}
	if n.Value == "" {
		return nil
	}
	f.seen[n] = true
	ref, err := ParseReference(n.Value)
	if err != nil {
		return fmt.Errorf("find images in %s: %w", f.object, err)
	}
	f.uses = append(f.uses, Use{Reference: ref, Object: f.object, Part: part, resource: f.resource, node: n})
	return nil
}

func field(n *yaml.Node, name string) *yaml.Node {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

func value(n *yaml.Node) string {
	if n == nil {
		return ""
	}
	return n.Value
}

// Namespace of the object that holds the image, "" when it names none.
func (u Use) Namespace() string { return u.resource.GetNamespace() }
