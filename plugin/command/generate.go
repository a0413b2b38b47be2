package command

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/proerror77/nova-staging/internal/version"
	"github.com/proerror77/nova-staging/plugin"
	"github.com/proerror77/nova-staging/plugin/build"
	"github.com/proerror77/nova-staging/plugin/cache"
	"github.com/proerror77/nova-staging/plugin/ecr"
	"github.com/proerror77/nova-staging/plugin/history"
)

func (p Program) generate(ctx context.Context, f flags, args []string) error {
	return p.within(ctx, f, args, func(ctx context.Context, o plugin.Options, setup setup) error {
		r, err := plugin.Render(ctx, o)
		if err != nil {
			return err
		}
		warnings := append(setup.warnings, r.Report.Warnings...)
		for _, i := range r.Report.Images {
			warnings = append(warnings, i.Warnings...)
		}
		if _, inArgo := environment(p.Env).get("ARGOCD_APP_NAME"); inArgo && !setup.given {
			warnings = append(warnings, "the parameter as-of is not set: images are resolved as of now, and Argo CD runs no hooks for an image that changes by itself")
		}
		// The last moment at which the caller may have stopped listening.
		if err := late(ctx); err != nil {
			return err
		}
		if _, err := p.Stdout.Write(r.Manifests); err != nil {
			return fmt.Errorf("write manifests: %w", err)
		}
		for _, w := range warnings {
			fmt.Fprintf(p.Stderr, "generate: warning: %s\n", w)
		}
		return nil
	})
}

// late is the error of a render that was complete only after ctx had ended: by
// the deadline, or because the caller stopped it.
func late(ctx context.Context) error {
	switch {
	case ctx.Err() == nil:
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%w before anything was written", plugin.ErrDeadline)
	}
	return fmt.Errorf("%w before anything was written", plugin.ErrCancelled)
}

// setup is what a run's preparation has to say besides the options.
type setup struct {
	given    bool // the instant was given, and is not just now
	warnings []string
}

// within sets up a render from flags and environment and runs it under the
// deadline.
func (p Program) within(ctx context.Context, f flags, args []string, run func(context.Context, plugin.Options, setup) error) error {
	dir := "."
	if len(args) > 0 {
		dir = args[0]
	}
	asOf, given, err := p.instant(f)
	if err != nil {
		return err
	}
	if f.timeout <= 0 {
		return usage("--timeout is %s, want more than 0", f.timeout)
	}
	if f.concurrency < 1 {
		return usage("--concurrency is %d, want at least 1", f.concurrency)
	}
	repository, rootErr := history.FindRoot(dir)
	root, err := p.rootOf(f, dir, rootErr == nil)
	if err != nil {
		return err
	}
	if root == "" {
		root = repository
	}
	options := ecr.Options{Concurrency: f.concurrency, AppID: "nova-generate-" + version.Get().Version}
	for _, s := range f.roles {
		role, err := ecr.ParseRole(s)
		if err != nil {
			return usage("--assume-role: %s", err)
		}
		options.Roles = append(options.Roles, role)
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	client, err := ecr.New(ctx, options)
	if err != nil {
		return err
	}
	o := plugin.Options{
		Dir: dir, AsOf: asOf, Revision: p.revision(f), Root: root,
		AllowRemote: f.allowRemote, Registry: client, Endpoint: client.Endpoint(), Now: p.Now,
	}
	prepared := setup{given: given}
	if !given {
		f.noCache = true // now never comes again
	}
	if store, err := p.openCache(f); err != nil {
		prepared.warnings = append(prepared.warnings, fmt.Sprintf("going on without a cache: %s", err))
	} else if store != nil {
		o.Store = store
	}
	defer p.progress(ctx, client)()
	err = run(ctx, o, prepared)
	if errors.Is(err, plugin.ErrDeadline) {
		err = fmt.Errorf("after %s: %w", f.timeout, err)
	}
	return within(root, err)
}

// placed is an error whose text does not name the folder that the repository
// happens to be in: Argo CD renders in another one each time, and the same
// failure should read the same.
type placed struct {
	error
	text string
}

func (p *placed) Error() string { return p.text }
func (p *placed) Unwrap() error { return p.error }

func within(root string, err error) error {
	if err == nil || len(root) <= 1 {
		return err
	}
	return &placed{err, build.WithoutFolder(err.Error(), root, "the repository")}
}

// openCache opens the folder of decisions; nil when there is to be none. An
// error is only a warning: a render needs the cache for speed and for ECR's bad
// days, not for being right.
func (p Program) openCache(f flags) (*cache.Dir, error) {
	if f.noCache {
		return nil, nil
	}
	path := f.cacheDir
	if path == "" {
		base, err := p.userCache()
		if err != nil {
			return nil, err
		}
		path = filepath.Join(base, cacheFolder)
	}
	return cache.Open(path)
}

// userCache is os.UserCacheDir over the program's own environment.
func (p Program) userCache() (string, error) {
	env := environment(p.Env)
	if dir, ok := env.get("XDG_CACHE_HOME"); ok && filepath.IsAbs(dir) {
		return dir, nil
	}
	if home, ok := env.get("HOME"); ok && filepath.IsAbs(home) {
		return filepath.Join(home, ".cache"), nil
	}
	return "", errors.New("neither --cache-dir nor HOME is set")
}

// progress tells a terminal what takes long, every few seconds. It returns a
// function that ends it.
func (p Program) progress(ctx context.Context, client *ecr.Client) func() {
	if !p.Terminal {
		return func() {}
	}
	const every = 3 * time.Second
	done := make(chan struct{})
	ended := make(chan struct{})
	start := time.Now()
	go func() {
		defer close(ended)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-ctx.Done():
				return
			case <-tick.C:
				if under := client.Pending(); under != "" {
					fmt.Fprintf(p.Stderr, "generate: %s: waiting for %s\n", time.Since(start).Round(time.Second), under)
				}
			}
		}
	}()
	return func() { close(done); <-ended }
}
