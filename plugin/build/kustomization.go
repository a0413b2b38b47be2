package build

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"
)

// kustomization checks a kustomization file before kustomize acts on it, and
// notes what it configures. It parses as kustomize does: a laxer or stricter
// parser would see another file.
func (g *guarded) kustomization(name, folder string, data []byte) error {
	var k types.Kustomization
	if err := k.Unmarshal(data); err != nil {
		return nil // kustomize says what is wrong
	}
	k.FixKustomization()
	if len(k.OpenAPI) > 0 {
		g.ownSchema = true
	}
	for _, c := range k.Configurations {
		if remoteFile(c) {
			g.configurations[fetched] = true // redirected, it may come from anywhere
		}
		if real, err := resolve(filepath.Join(folder, c)); err == nil {
			g.configurations[real] = true
		}
	}
	for _, t := range k.Transformers {
		g.imageFields = append(g.imageFields, transformerFields([]byte(t))...)
	}
	for _, text := range inlineTexts(&k) {
		if err := checkYAML([]byte(text)); err != nil {
			return fmt.Errorf("%w: an inline patch or transformer in %s %w", ErrTooLarge, name, err)
		}
	}
	if g.allowRemote {
		return nil
	}
	for _, f := range pathFields(&k) {
		for _, p := range f.paths {
			if remoteFile(p) || f.cloned && remoteRepository(p) {
				return fmt.Errorf("%w: %s lists %s under %s, and nothing is fetched: copy it into the repository, or allow it with --allow-remote", ErrRemote, name, shown(p), f.name)
			}
		}
	}
	return nil
}

// inlineTexts are the texts of a kustomization that kustomize parses as YAML.
func inlineTexts(k *types.Kustomization) []string {
	var texts []string
	texts = append(texts, k.Generators...)
	texts = append(texts, k.Transformers...)
	texts = append(texts, k.Validators...)
	//lint:ignore SA1019 kustomize still reads it
	for _, p := range k.PatchesStrategicMerge {
		texts = append(texts, string(p))
	}
	//lint:ignore SA1019 kustomize still reads it
	for _, p := range k.PatchesJson6902 {
		texts = append(texts, p.Patch)
	}
	for _, p := range k.Patches {
		texts = append(texts, p.Patch)
	}
	return texts
}

// pathField is a field of a kustomization that holds paths.
type pathField struct {
	name   string
	cloned bool // kustomize takes a path for a git repository, too
	paths  []string
}

func pathFields(k *types.Kustomization) []pathField {
	fields := []pathField{
		{"resources", true, k.Resources}, // and bases
		{"components", true, k.Components},
		{"generators", true, k.Generators},
		{"transformers", true, k.Transformers},
		{"validators", true, k.Validators},
		{"configurations", false, k.Configurations},
		{"crds", false, k.Crds},
		{"openapi", false, []string{k.OpenAPI["path"]}},
	}
	for _, p := range k.Patches {
		fields = append(fields, pathField{"patches", false, []string{p.Path}})
	}
	//lint:ignore SA1019 kustomize still reads it
	for _, p := range k.PatchesJson6902 {
		fields = append(fields, pathField{"patchesJson6902", false, []string{p.Path}})
	}
	//lint:ignore SA1019 kustomize still reads it
	for _, p := range k.PatchesStrategicMerge {
		fields = append(fields, pathField{"patchesStrategicMerge", false, []string{string(p)}})
	}
	for _, r := range k.Replacements {
		fields = append(fields, pathField{"replacements", false, []string{r.Path}})
	}
	for _, c := range k.ConfigMapGenerator {
		fields = append(fields, sources("configMapGenerator", c.KvPairSources))
	}
	for _, s := range k.SecretGenerator {
		fields = append(fields, sources("secretGenerator", s.KvPairSources))
	}
	return fields
}

func sources(name string, s types.KvPairSources) pathField {
	f := pathField{name: name, paths: append([]string{}, s.EnvSources...)}
	for _, file := range s.FileSources {
		_, path, named := strings.Cut(file, "=")
		if !named {
			path = file
		}
		f.paths = append(f.paths, path)
	}
	return f
}

// imageFieldsOf reads the images section of a configurations: file.
func imageFieldsOf(data []byte) types.FsSlice {
	var c struct {
		Images types.FsSlice `json:"images"`
	}
	if err := yaml.Unmarshal(data, &c); err != nil {
		return nil // kustomize says what is wrong
	}
	return c.Images
}

// transformerFields reads the fields that an explicit ImageTagTransformer names.
func transformerFields(data []byte) types.FsSlice {
	const kind = "ImageTagTransformer"
	if !bytes.Contains(data, []byte(kind)) {
		return nil
	}
	var fields types.FsSlice
	for _, d := range documents(data) {
		var t struct {
			Kind       string        `json:"kind"`
			FieldSpecs types.FsSlice `json:"fieldSpecs"`
		}
		if err := yaml.Unmarshal(d, &t); err == nil && t.Kind == kind {
			fields = append(fields, t.FieldSpecs...)
		}
	}
	return fields
}
