package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

var (
	// ErrNoKustomization is returned when the folder holds no kustomization file.
	ErrNoKustomization = errors.New("no kustomization")
	// ErrOutside is returned when the kustomization reaches outside its repository.
	ErrOutside = errors.New("outside the repository")
	// ErrRemote is returned when the kustomization names something to fetch.
	ErrRemote = errors.New("remote resource")
	// ErrTooLarge is returned for a file that is, or unfolds into, far more than
	// any manifest.
	ErrTooLarge = errors.New("too large")
	// ErrBuild is returned for everything else that kustomize refuses.
	ErrBuild = errors.New("kustomize build")
)

// Options of a build.
type Options struct {
	// Dir holds the kustomization. Required.
	Dir string
	// Root is the repository's folder: nothing outside it is read. Optional; when
	// empty, only kustomize's own restriction holds (files within each
	// kustomization's folder, other kustomizations anywhere).
	Root string
	// AllowRemote lets kustomize fetch resources over HTTP and with git.
	AllowRemote bool
}

// Result of a build.
type Result struct {
	// Objects that kustomize rendered, in the order of the kustomize CLI.
	Objects resmap.ResMap
	// ImageFields are the image field specs of all configurations: files that the
	// kustomizations read.
	ImageFields types.FsSlice
	// Warnings that kustomize printed, for example about deprecated fields.
	Warnings []string
}

// kustomize keeps its OpenAPI schema in global state and prints to os.Stderr.
var serial sync.Mutex

// Run builds the kustomization. kustomize can not be interrupted: when ctx ends,
// Run returns and leaves the build behind, for a process that is about to end.
func Run(ctx context.Context, o Options) (*Result, error) {
	type outcome struct {
		result *Result
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		r, err := run(o)
		done <- outcome{r, err}
	}()
	select {
	case out := <-done:
		return out.result, out.err
	case <-ctx.Done():
		return nil, fmt.Errorf("%w of %s: %w", ErrBuild, o.Dir, ctx.Err())
	}
}

func run(o Options) (_ *Result, err error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", o.Dir, err)
	}
	if err := Check(dir); err != nil {
		return nil, err
	}
	fs, err := newGuarded(filesys.MakeFsOnDisk(), dir, o.Root, o.AllowRemote)
	if err != nil {
		return nil, err
	}
	serial.Lock()
	defer serial.Unlock()
	// kustomize panics on some malformed input.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w of %s: it panicked: %v", ErrBuild, o.Dir, p)
		}
	}()
	var objects resmap.ResMap
	var buildErr error
	warnings := captureStderr(func() {
		defer blockHTTP(o.AllowRemote)()
		objects, buildErr = krusty.MakeKustomizer(options()).Run(fs, dir)
	})
	// A refused read often surfaces in kustomize as "not found": what the guard
	// saw is the reason.
	if guardErr := fs.err(); guardErr != nil {
		return nil, guardErr
	}
	if buildErr != nil {
		return nil, explainFailure(o.Dir, buildErr)
	}
	if objects.Size() == 0 {
		return nil, fmt.Errorf("%w of %s: it renders no object; an empty render would have Argo CD delete everything", ErrBuild, o.Dir)
	}
	return &Result{Objects: objects, ImageFields: fs.imageFields, Warnings: warnings}, nil
}

// options are those of the kustomize CLI's build without flags.
func options() *krusty.Options {
	o := krusty.MakeDefaultOptions()
	o.Reorder = krusty.ReorderOptionUnspecified
	o.LoadRestrictions = types.LoadRestrictionsRootOnly
	o.PluginConfig = types.DisabledPluginConfig()
	return o
}

func explainFailure(dir string, err error) error {
	text := oneLine(err.Error())
	switch {
	case strings.Contains(text, "must specify --enable-helm"):
		text = "it uses helmCharts, and no Helm is run here: render the chart into the repository"
	case strings.Contains(text, "external plugins disabled"):
		text = "it uses an exec or container plugin, and none is run here: " + text
	}
	return fmt.Errorf("%w of %s: %s", ErrBuild, dir, text)
}

const maxText = 1500

func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > maxText {
		s = string(r[:maxText]) + "…"
	}
	return s
}

// Check says whether dir is a folder with a kustomization file.
func Check(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrNoKustomization, dir, unwrapPath(err))
	}
	if !info.IsDir() {
		return fmt.Errorf("%w: %s is a file, want the folder of a kustomization", ErrNoKustomization, dir)
	}
	for _, name := range konfig.RecognizedKustomizationFileNames() {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%w in %s: want a kustomization.yaml there", ErrNoKustomization, dir)
}
