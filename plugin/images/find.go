package images

import (
	"errors"
	"slices"
	"strings"

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
	// Part of the object: the container's name, or "" elsewhere.
	Part string
	// Invalid says why the field holds no image that could be pinned, for example
	// the placeholder of another tool. Then Name is what stands where the name
	// would. Such a field is an error only under a policy that matches it:
	// kustomize leaves it as it is, and so do manifests that others fill in.
	Invalid error

	resource *resource.Resource
	node     *yaml.Node
}

// Find lists every use of an image in the objects of m, in their order. extra
// are the image field specs of the kustomizations' configurations. Nothing is left
// unlooked at: a field that holds something else is listed with the reason.
func Find(m resmap.ResMap, extra types.FsSlice) []Use {
	fields := slices.Concat(volumeFields, extra)
	var uses []Use
	for _, r := range m.Resources() {
		if r.GetKind() == "CustomResourceDefinition" {
			continue // its schema may well have a property named containers
		}
		f := finder{resource: r, object: Object(r), seen: map[*yaml.Node]bool{}}
		f.walk(r.YNode())
		for _, spec := range fields {
			eachField(&r.RNode, spec, func(n *yaml.Node) { f.add(n, "") })
		}
		uses = append(uses, f.uses...)
	}
	return uses
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

func (f *finder) walk(n *yaml.Node) {
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode {
			if i%2 == 0 {
				continue
			}
			key := n.Content[i-1].Value
			if (key == "containers" || key == "initContainers") && child.Kind == yaml.SequenceNode {
				for _, c := range child.Content {
					if image := field(c, "image"); image != nil {
						f.add(image, value(field(c, "name")))
					}
				}
			}
		}
		f.walk(child)
	}
}

func (f *finder) add(n *yaml.Node, part string) {
	if n.Tag == yaml.NodeTagNull || f.seen[n] {
		return
	}
	f.seen[n] = true
	use := Use{Object: f.object, Part: part, resource: f.resource, node: n}
	if n.Kind != yaml.ScalarNode {
		// Perhaps {repository: …, tag: …}, of a kind that only its operator knows.
		for _, name := range leaves(n) {
			use.Reference = Reference{Name: name}
			use.Invalid = errors.New("the image is a list or a mapping, want name[:tag][@digest]")
			f.uses = append(f.uses, use)
		}
		return
	}
	if n.Value == "" {
		return
	}
	if use.Reference, use.Invalid = ParseReference(n.Value); use.Invalid != nil {
		r, _ := split(n.Value)
		use.Reference = Reference{Name: r.Name}
	}
	f.uses = append(f.uses, use)
}

// leaves are the texts below n that may be an image's name with its registry.
func leaves(n *yaml.Node) []string {
	if n.Kind == yaml.ScalarNode {
		if strings.Contains(n.Value, "/") {
			r, _ := split(n.Value)
			return []string{r.Name}
		}
		return nil
	}
	var names []string
	for i, child := range n.Content {
		if n.Kind != yaml.MappingNode || i%2 == 1 {
			names = append(names, leaves(child)...)
		}
	}
	return names
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
