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
//	component, shipped,        manifests/argocd, its application
//	shipped-trigger            and its trigger
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

		"shipped-trigger":       filepath.Join(manifests, "trigger"),
		"admission":             filepath.Join(manifests, "admission"), // which that refers to
		"shipped-observability": filepath.Join(w.settings.Root, "manifests", "observability"),
	} {
		if err := os.CopyFS(filepath.Join(w.temp, to), os.DirFS(from)); err != nil {
			return err
		}
	}
	for folder, image := range map[string][2]string{
		"lab":     {"lab", built.lab},
		"trigger": {"ghcr.io/proerror77/nova-staging/trigger", built.trigger},
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
	return w.layOutInstall(filepath.Join(manifests, "example", "kustomization.yaml"), built.generate)
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
	componentAddress = regexp.MustCompile(`(?m)^- https://github\.com/proerror77/nova-staging//manifests/argocd(\S*)\?ref=main$`)
	exampleImage     = regexp.MustCompile(`(?m)^  newName: \S+\n  newTag: .+$`)
)

// layOutInstall takes the example that the README shows, and replaces addresses
// and image.
func (w *World) layOutInstall(example, generate string) error {
	b, err := os.ReadFile(example)
	if err != nil {
		return err
	}
	text := string(b)
	name, tag, _ := strings.Cut(generate, ":")
	replace := func(pattern *regexp.Regexp, lines int, by string) {
		if n := len(pattern.FindAllString(text, -1)); n != lines {
			err = fmt.Errorf("%s: want %d lines that match %s, found %d", example, lines, pattern, n)
		}
		text = pattern.ReplaceAllString(text, by)
	}
	replace(componentAddress, 2, "- ../component$1")
	replace(exampleImage, 1, "  newName: "+name+"\n  newTag: "+tag)
	dir := filepath.Join(w.temp, "install")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if w.settings.ArgoCD != "" {
		replace(installAddress, 1, "- argocd.yaml")
		install, err := os.ReadFile(w.settings.ArgoCD)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "argocd.yaml"), install, 0o644); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text), 0o644)
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
