package images

import (
	"fmt"
	"path"

	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/proerror77/nova-staging/internal/release"
)

// AnnotationPrefix begins the annotations that say where a container's image
// comes from: images.staging.nova/<container>.
const AnnotationPrefix = "images.staging.nova/"

const hookAnnotation = "argocd.argoproj.io/hook"

// Pin writes name:tag@digest into every use whose image is in chosen (keyed by
// name), and beside it, on the object that holds it, which commit and push that
// is. Both are functions of the chosen images alone: the annotations stand on
// the object and not on its Pod template, where they would cause a rollout.
func Pin(uses []Use, chosen map[string]release.Image) error {
	for _, u := range uses {
		image, ok := chosen[u.Name]
		if !ok || u.Digest != "" {
			continue
		}
		u.node.SetString(image.Ref())
		if err := annotate(&u.resource.RNode, AnnotationPrefix+annotationName(u), Provenance(image)); err != nil {
			return fmt.Errorf("annotate %s: %w", u.Object, err)
		}
	}
	return nil
}

// Provenance is the text of an image's annotation, for example
// "policy=commit,commit=4f2c…,pushed=2026-11-20T10:11:12Z". It has no spaces, at
// which YAML would fold it.
func Provenance(i release.Image) string {
	s := "policy=" + i.Policy
	if i.Commit != "" {
		s += ",commit=" + i.Commit
	}
	return s + ",pushed=" + i.PushedAt.UTC().Format("2006-01-02T15:04:05Z")
}

// annotationName must be a valid qualified name of at most 63 characters; the
// names of containers and volumes always are.
func annotationName(u Use) string {
	name := u.Part
	if name == "" {
		name = path.Base(u.Name)
	}
	if len(name) > 63 {
		name = name[:63]
	}
	return name
}

// MarkHooks puts the release's id on the Pod template of every Argo CD hook, so
// that a hook can tell whether the release record that it reads is that of its
// own render. Hooks are made anew for each sync, so that the changing value
// causes no rollout.
func MarkHooks(resources []*resource.Resource, id string) error {
	for _, r := range resources {
		if r.GetAnnotations()[hookAnnotation] == "" {
			continue
		}
		target := &r.RNode
		if r.GetKind() != "Pod" {
			template, err := r.Pipe(yaml.Lookup("spec", "template"))
			if err != nil {
				return fmt.Errorf("look up the Pod template of %s: %w", Object(r), err)
			}
			if template == nil || template.YNode().Kind != yaml.MappingNode {
				continue
			}
			target = template
		}
		if err := annotate(target, release.Annotation, id); err != nil {
			return fmt.Errorf("annotate %s: %w", Object(r), err)
		}
	}
	return nil
}

func annotate(n *yaml.RNode, key, value string) error {
	return n.PipeE(yaml.SetAnnotation(key, value))
}
