package images

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/kyaml/resid"
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
// the object and not on its Pod template, where they would cause a rollout. An
// image that has a digest stays as it is.
func Pin(uses []Use, chosen map[string]release.Image) error {
	type place struct {
		resource *resource.Resource
		key      string
	}
	written := map[place]string{}
	for _, u := range uses {
		image, ok := chosen[u.Name]
		if !ok || u.Digest != "" || u.Invalid != nil {
			continue
		}
		u.node.SetString(image.Ref())
		text := Provenance(image)
		for _, key := range annotationKeys(u) {
			at := place{u.resource, key}
			// Two parts of an object may have one name, in kinds with several Pods.
			if before, taken := written[at]; taken && before != text {
				continue
			}
			written[at] = text
			if err := annotate(&u.resource.RNode, key, text); err != nil {
				return fmt.Errorf("annotate %s: %w", u.Object, err)
			}
			break
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

// annotationKeys are the keys to try for a use: the container's name, or the last
// part of the image's name, then both.
func annotationKeys(u Use) []string {
	base := path.Base(u.Name)
	if u.Part == "" {
		return []string{AnnotationPrefix + qualified(base), AnnotationPrefix + qualified(u.Name)}
	}
	return []string{AnnotationPrefix + qualified(u.Part), AnnotationPrefix + qualified(u.Part+"."+base), AnnotationPrefix + qualified(u.Part+"."+u.Name)}
}

var unqualifiedRE = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// qualified makes a valid name of an annotation: at most 63 letters, digits, "-",
// "_" and ".", with a letter or digit at both ends. A Pod's containers are named
// so, those of other kinds need not be.
func qualified(name string) string {
	const most = 63
	name = strings.TrimLeft(unqualifiedRE.ReplaceAllString(name, "-"), "-_.")
	name = strings.TrimRight(name[:min(len(name), most)], "-_.")
	if name == "" {
		return "image"
	}
	return name
}

// MarkHooks puts the release's id on the Pods of every Argo CD hook, so that a
// hook can tell whether the release record that it reads is that of its own
// render. Hooks are made anew for each sync, so that the changing value causes no
// rollout.
func MarkHooks(resources []*resource.Resource, id string) error {
	for _, r := range resources {
		if r.GetAnnotations()[hookAnnotation] == "" {
			continue
		}
		path := podAnnotations(r)
		if path == nil {
			continue
		}
		n := r.YNode()
		for _, name := range path {
			n = mapping(n, name)
		}
		if err := yaml.NewRNode(n).PipeE(yaml.SetField(release.Annotation, yaml.NewStringRNode(id))); err != nil {
			return fmt.Errorf("annotate %s: %w", Object(r), err)
		}
	}
	return nil
}

// podAnnotations is the path of the annotations that an object's Pods get; nil
// when it has no Pods.
func podAnnotations(r *resource.Resource) []string {
	group, _ := resid.ParseGroupVersion(r.GetApiVersion())
	template := []string{"spec", "template"}
	switch {
	case r.GetKind() == "Pod" && group == "":
		return []string{"metadata", "annotations"}
	case r.GetKind() == "Workflow" && group == "argoproj.io":
		if spec := field(r.YNode(), "spec"); spec == nil || spec.Kind != yaml.MappingNode {
			return nil
		}
		return []string{"spec", "podMetadata", "annotations"}
	case r.GetKind() == "CronJob":
		template = []string{"spec", "jobTemplate", "spec", "template"}
	}
	// A template may be of something else, for example of a Secret.
	n := r.YNode()
	for _, name := range append(template, "spec", "containers") {
		if n = field(n, name); n == nil {
			return nil
		}
	}
	return append(template, "metadata", "annotations")
}

// mapping is the mapping under a key, made where there is none or null.
func mapping(n *yaml.Node, key string) *yaml.Node {
	found := field(n, key)
	if found == nil {
		found = &yaml.Node{}
		n.Content = append(n.Content, yaml.NewStringRNode(key).YNode(), found)
	}
	if found.Kind != yaml.MappingNode {
		*found = yaml.Node{Kind: yaml.MappingNode, Tag: yaml.NodeTagMap}
	}
	return found
}

func annotate(n *yaml.RNode, key, value string) error {
	return n.PipeE(yaml.SetAnnotation(key, value))
}
