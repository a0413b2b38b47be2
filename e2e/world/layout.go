package world

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// layOut lays out what is applied, in folders of the world's own, because
// kustomize reads nothing outside of them:
//
//	lab, argocd, application   e2e/manifests
//	install                    manifests/argocd/example, which argocd builds on
//	app-of-apps, trigger       e2e/manifests
//	install-trigger            manifests/argocd/trigger/example, which trigger builds on
//	component, shipped         manifests/argocd, and its application
//	shipped-observability      manifests/observability
//	monitoring                 e2e/manifests, with what Prometheus reads
func (w *World) layOut(built images) error {
	manifests := filepath.Join(w.settings.Root, "manifests", "argocd")
	for to, from := range map[string]string{
		"lab":         filepath.Join(w.settings.Root, "e2e", "manifests", "lab"),
		"argocd":      filepath.Join(w.settings.Root, "e2e", "manifests", "argocd"),
		"application": filepath.Join(w.settings.Root, "e2e", "manifests", "application"),
		"app-of-apps": filepath.Join(w.settings.Root, "e2e", "manifests", "app-of-apps"),
		"trigger":     filepath.Join(w.settings.Root, "e2e", "manifests", "trigger"),
		"monitoring":  filepath.Join(w.settings.Root, "e2e", "manifests", "monitoring"),
		"component":   manifests,
		"shipped":     filepath.Join(manifests, "application"),

		"shipped-observability": filepath.Join(w.settings.Root, "manifests", "observability"),
	} {
		if err := os.CopyFS(filepath.Join(w.temp, to), os.DirFS(from)); err != nil {
			return err
		}
	}
	for folder, image := range map[string][2]string{
		"lab": {"lab", built.lab},
	} {
		if err := appendFile(filepath.Join(w.temp, folder, "kustomization.yaml"), imageOverride(image[0], image[1])); err != nil {
			return err
		}
	}
	if err := shortenTimeout(filepath.Join(w.temp, "component", "plugin.yaml")); err != nil {
		return err
	}
	if err := w.layOutMonitoring(); err != nil {
		return err
	}
	if err := w.layOutTrigger(manifests, built.trigger); err != nil {
		return err
	}
	return w.layOutInstall(manifests, built.generate)
}

// shortenTimeout lets a render give up after 10 s instead of 45: there is no
// network here that is slow, and each failure is waited for.
func shortenTimeout(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	const args = "args: ["
	if strings.Count(string(b), args) != 1 {
		return fmt.Errorf("%s: want one line with %q", path, args)
	}
	return os.WriteFile(path, []byte(strings.Replace(string(b), args, args+"--timeout, 10s, ", 1)), 0o644)
}

var (
	installAddress   = regexp.MustCompile(`(?m)^- https://raw\.githubusercontent\.com/argoproj/argo-cd/\S+$`)
	componentAddress = regexp.MustCompile(`(?m)^- https://github\.com/proerror77/nova-staging//manifests/argocd(\S*)\?ref=[0-9a-f]{40}$`)
	exampleImage     = regexp.MustCompile(`(?m)^  newName: \S+\n  newTag: .+$`)
)

// example is a kustomization that the pages show.
type example struct {
	path, text string
	err        error
}

func readExample(path string) (*example, error) {
	b, err := os.ReadFile(path)
	return &example{path: path, text: string(b)}, err
}

// replace replaces lines; there must be so many.
func (e *example) replace(pattern *regexp.Regexp, lines int, by string) {
	if n := len(pattern.FindAllString(e.text, -1)); n != lines && e.err == nil {
		e.err = fmt.Errorf("%s: want %d lines that match %s, found %d", e.path, lines, pattern, n)
	}
	e.text = pattern.ReplaceAllString(e.text, by)
}

// image replaces the image that was built.
func (e *example) image(built string) {
	name, tag, _ := strings.Cut(built, ":")
	e.replace(exampleImage, 1, "  newName: "+name+"\n  newTag: "+tag)
}

// write writes it as the kustomization of a folder.
func (e *example) write(dir string) error {
	if e.err != nil {
		return e.err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(e.text), 0o644)
}

// layOutInstall takes the example that the README shows, and replaces addresses
// and image.
func (w *World) layOutInstall(manifests, generate string) error {
	e, err := readExample(filepath.Join(manifests, "example", "kustomization.yaml"))
	if err != nil {
		return err
	}
	e.replace(componentAddress, 2, "- ../component$1")
	e.image(generate)
	dir := filepath.Join(w.temp, "install")
	if w.settings.ArgoCD == "" {
		return e.write(dir)
	}
	e.replace(installAddress, 1, "- argocd.yaml")
	if err := e.write(dir); err != nil {
		return err
	}
	install, err := os.ReadFile(w.settings.ArgoCD)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "argocd.yaml"), install, 0o644)
}

// layOutTrigger does the same for trigger's example.
func (w *World) layOutTrigger(manifests, trigger string) error {
	e, err := readExample(filepath.Join(manifests, "trigger", "example", "kustomization.yaml"))
	if err != nil {
		return err
	}
	e.replace(componentAddress, 1, "- ../component$1")
	e.image(trigger)
	return e.write(filepath.Join(w.temp, "install-trigger"))
}

// copyNova fills the repository that Argo CD reads: Nova's manifests, and the
// suite's overlays beside staging with staging's policies.
func (w *World) copyNova(dir string) error {
	nova := filepath.Join(dir, "manifests", "nova")
	if err := os.CopyFS(nova, os.DirFS(filepath.Join(w.settings.Root, "manifests", "nova"))); err != nil {
		return err
	}
	policies, err := os.ReadFile(filepath.Join(nova, "overlays", "staging", "images.yaml"))
	if err != nil {
		return err
	}
	for _, name := range []string{"staging-small", "staging-stores"} {
		overlay := filepath.Join(nova, "overlays", name)
		if err := os.CopyFS(overlay, os.DirFS(filepath.Join(w.settings.Root, "e2e", "manifests", name))); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(overlay, "images.yaml"), policies, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func imageOverride(name, reference string) string {
	to, tag, _ := strings.Cut(reference, ":")
	return fmt.Sprintf("images:\n- name: %s\n  newName: %s\n  newTag: %s\n", name, to, tag)
}

func appendFile(path, text string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, text...), 0o644)
}
