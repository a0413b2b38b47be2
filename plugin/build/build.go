package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/openapi"
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
	// AllowRemote lets kustomize fetch resources over HTTP and with git. Then
	// TMPDIR is changed for the length of the build.
	AllowRemote bool
}

// Result of a build.
type Result struct {
	// Objects that kustomize rendered, in the order of the kustomize CLI.
	Objects resmap.ResMap
	// ImageFields are the image field specs of all configurations: files that the
	// kustomizations read, and of explicit image transformers.
	ImageFields types.FsSlice
	// Warnings that kustomize printed, for example about deprecated fields.
	Warnings []string
}

// kustomize keeps its OpenAPI schema in global state and prints to os.Stderr.
var serial sync.Mutex

// Run builds the kustomization. kustomize can not be interrupted: when ctx ends,
// or the build takes more memory than it may, Run returns and leaves the build
// behind, for a process that is about to end. Concurrent builds run one by one;
// each changes os.Stderr, http.DefaultTransport and package log's output while it
// lasts.
func Run(ctx context.Context, o Options) (*Result, error) {
	p, err := newPlace(o.Dir, o.Root)
	if err != nil {
		return nil, fmt.Errorf("%w: find %s: %w", ErrNoKustomization, o.Dir, unwrapPath(err))
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w of %s: %w", ErrBuild, p.name(), err)
	}
	type outcome struct {
		result *Result
		err    error
	}
	done := make(chan outcome, 1)
	clones := &clones{}
	go func() {
		r, err := run(ctx, p, o.AllowRemote, clones)
		done <- outcome{r, err}
	}()
	bloated, stop := watchMemory()
	defer stop()
	select {
	case out := <-done:
		return out.result, out.err
	case <-ctx.Done():
		clones.remove()
		return nil, fmt.Errorf("%w of %s: %w", ErrBuild, p.name(), ctx.Err())
	case most := <-bloated:
		clones.remove()
		return nil, fmt.Errorf("%w: the build of %s takes more than %d MB of memory. If it is to be so large, raise GOMEMLIMIT, and the container's limit to five times that", ErrTooLarge, p.name(), most>>20)
	}
}

func run(ctx context.Context, p place, allowRemote bool, clones *clones) (_ *Result, err error) {
	serial.Lock()
	defer serial.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err // Run has returned; another build took long
	}
	if allowRemote {
		if err := clones.make(); err != nil {
			return nil, fmt.Errorf("make a folder for clones: %w", err)
		}
		defer clones.remove()
	}
	fs := newGuarded(filesys.MakeFsOnDisk(), p, clones.path())
	if p.root != "" {
		if _, err := fs.inside(p.dir); err != nil {
			return nil, err
		}
	}
	if err := check(p.dir, p.name()); err != nil {
		return nil, err
	}
	defer func() {
		// kustomize panics on some malformed input.
		if v := recover(); v != nil {
			err = explainFailure(p, fs.last, fmt.Errorf("kustomize panicked: %v", v))
		}
		if fs.ownSchema {
			openapi.ResetOpenAPI() // or the next build would use this one's
		}
	}()
	var objects resmap.ResMap
	var buildErr error
	warnings := capture(func() {
		defer (&fence{guard: fs}).install()()
		objects, buildErr = krusty.MakeKustomizer(options()).Run(fs, p.dir)
	})
	// A refused read often surfaces in kustomize as "not found": what the guard
	// saw is the reason.
	if guardErr := fs.err(); guardErr != nil {
		return nil, guardErr
	}
	if buildErr != nil {
		return nil, explainFailure(p, fs.last, buildErr)
	}
	if objects.Size() == 0 {
		return nil, fmt.Errorf("%w of %s: it renders no object; an empty render would have Argo CD delete everything", ErrBuild, p.name())
	}
	for _, r := range objects.Resources() {
		if key := duplicateKey(r.YNode()); key != "" {
			return nil, fmt.Errorf("%w of %s: %s %s holds the key %q twice in one mapping", ErrBuild, p.name(), r.GetKind(), r.GetName(), key)
		}
	}
	if err := nameRelease(objects); err != nil {
		return nil, fmt.Errorf("%w of %s: %w", ErrBuild, p.name(), err)
	}
	for i, w := range warnings {
		warnings[i] = p.clean(w)
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

// Check says whether dir is a folder with a kustomization file.
func Check(dir string) error { return check(dir, dir) }

func check(dir, name string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrNoKustomization, name, unwrapPath(err))
	}
	if !info.IsDir() {
		return fmt.Errorf("%w: %s is a file, want the folder of a kustomization", ErrNoKustomization, name)
	}
	for _, file := range konfig.RecognizedKustomizationFileNames() {
		if _, err := os.Stat(filepath.Join(dir, file)); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%w in %s: want a kustomization.yaml there", ErrNoKustomization, name)
}
