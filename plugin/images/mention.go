package images

import (
	"fmt"
	"regexp"
	"strings"

	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// Mention is an ECR image in a place where no image field is: an environment
// variable, an argument, a ConfigMap, a field that only an operator knows.
type Mention struct {
	Reference
	// Object that holds it, for example "ConfigMap nova/runner".
	Object string
	// Path of the field in the object, for example
	// "spec.template.spec.containers[0].env[1].value".
	Path string
}

// mentionRE is an image in a private ECR registry within any text.
var mentionRE = regexp.MustCompile(`\b[0-9]{12}\.dkr[.-]ecr[a-z0-9.-]*/[a-z0-9][a-z0-9._/-]*[a-z0-9](?::[A-Za-z0-9_][A-Za-z0-9_.-]*)?(?:@sha256:[0-9a-f]{64})?`)

// Mentions lists the ECR images in the texts of the objects of m that are none of
// uses, each once an object. In the middle of a text only one with a tag or digest
// counts: what else looks like a name may be the beginning of one.
func Mentions(m resmap.ResMap, uses []Use) []Mention {
	used := map[*yaml.Node]bool{}
	for _, u := range uses {
		used[u.node] = true
	}
	var found []Mention
	for _, r := range m.Resources() {
		if r.GetKind() == "CustomResourceDefinition" {
			continue // examples and defaults of a schema
		}
		object, seen := Object(r), map[Reference]bool{}
		texts(r.YNode(), "", used, func(text, path string) {
			for _, s := range mentionRE.FindAllString(text, -1) {
				ref, err := ParseReference(s)
				if err != nil || seen[ref] || ref.Tag == "" && ref.Digest == "" && s != strings.TrimSpace(text) {
					continue
				}
				seen[ref] = true
				found = append(found, Mention{Reference: ref, Object: object, Path: path})
			}
		})
	}
	return found
}

// texts calls f with every text below n that may hold an ECR image, and its path.
func texts(n *yaml.Node, path string, used map[*yaml.Node]bool, f func(text, path string)) {
	switch {
	case used[n]:
	case n.Kind == yaml.ScalarNode:
		if strings.Contains(n.Value, ".dkr") {
			f(n.Value, path)
		}
	case n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			texts(n.Content[i+1], strings.TrimPrefix(path+"."+n.Content[i].Value, "."), used, f)
		}
	default:
		for i, child := range n.Content {
			texts(child, fmt.Sprintf("%s[%d]", path, i), used, f)
		}
	}
}
