package plugin

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/proerror77/nova-staging/internal/release"
	"github.com/proerror77/nova-staging/plugin/build"
	"github.com/proerror77/nova-staging/plugin/ecr"
	"github.com/proerror77/nova-staging/plugin/explain"
	"github.com/proerror77/nova-staging/plugin/history"
	"github.com/proerror77/nova-staging/plugin/images"
	"github.com/proerror77/nova-staging/plugin/policy"
	"github.com/proerror77/nova-staging/plugin/resolve"
)

// MaxSkew is how far an instant may lie in the future: the clocks of whoever
// sets it and of this machine differ a little.
const MaxSkew = time.Minute

var (
	// ErrFuture is returned for an instant beyond [MaxSkew].
	ErrFuture = errors.New("the instant is in the future")
	// ErrNotECR is returned when a policy matches an image outside ECR.
	ErrNotECR = errors.New("policy for an image outside ECR")
	// ErrInvalidImage is returned when a policy matches what is no valid image.
	ErrInvalidImage = errors.New("policy for an invalid image")
)

// Options of a render.
type Options struct {
	// Dir holds the kustomization and its images.yaml. Required.
	Dir string
	// AsOf is the instant. Required.
	AsOf time.Time
	// Revision is the commit to start from: a SHA, tag or branch. Optional,
	// default HEAD.
	Revision string
	// Root of the repository, which confines what is read. Optional, default the
	// git repository that encloses Dir.
	Root string
	// AllowRemote lets kustomize fetch remote resources.
	AllowRemote bool
	// Registry answers for ECR. Required.
	Registry resolve.Registry
	// Store keeps final decisions. Optional.
	Store resolve.Store
	// Endpoint that replaces ECR's, as part of the cache's key. Optional.
	Endpoint string
	// Candidates keeps every candidate for the report. Such a render asks ECR
	// anew.
	Candidates bool
	// Now is the time by this machine. Optional, default time.Now.
	Now func() time.Time
}

// Rendering is a whole render.
type Rendering struct {
	// Manifests in YAML, with every image of a policy pinned.
	Manifests []byte
	// Report says what was chosen and why.
	Report *explain.Report
}

// Render renders the kustomization. It returns manifests in which every image
// that a policy matches is pinned, or an error; never a part.
func Render(ctx context.Context, o Options) (*Rendering, error) {
	r, err := survey(ctx, o)
	if err != nil {
		return nil, err
	}
	decisions, err := resolve.Decisions(r.outcomes)
	if err != nil {
		return nil, interrupted(ctx, err)
	}
	manifests, err := r.pin(decisions)
	if err != nil {
		return nil, err
	}
	return &Rendering{Manifests: manifests, Report: r.report()}, nil
}

// Explain resolves like [Render] and reports on each image, also when some can
// not be resolved. The error is then that of the render, beside the report.
func Explain(ctx context.Context, o Options) (*explain.Report, error) {
	r, err := survey(ctx, o)
	if err != nil {
		return nil, err
	}
	report := r.report()
	decisions, err := resolve.Decisions(r.outcomes)
	if err != nil {
		return report, interrupted(ctx, err)
	}
	_, err = r.pin(decisions) // the render can still fail here
	return report, err
}

// render is the state of one render.
type render struct {
	o        Options
	config   *policy.Config
	built    *build.Result
	past     past
	root     string // of the repository, symlinks resolved; "" when unknown
	uses     []images.Use
	outcomes []resolve.Outcome
	warnings []string
}

// survey does all that comes before pinning.
func survey(ctx context.Context, o Options) (*render, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if ahead := o.AsOf.Sub(o.Now()); ahead > MaxSkew {
		return nil, fmt.Errorf("%w: %s, and this machine's clock says %s; clocks may differ by %s: check the instant and the clock",
			ErrFuture, o.AsOf.UTC().Format(time.RFC3339), o.Now().UTC().Format(time.RFC3339), MaxSkew)
	}
	r := &render{o: o, root: o.Root}
	if r.root == "" {
		// No repository is no error yet: only the commit policy needs one.
		r.root, _ = history.FindRoot(o.Dir)
	}
	if real, err := filepath.EvalSymlinks(r.root); err == nil && r.root != "" {
		r.root = real
	}
	config, policyErr := policy.Load(o.Dir, r.root)
	if policyErr != nil {
		if err := build.Check(o.Dir); err != nil {
			return nil, err
		}
		return nil, policyErr
	}
	r.config = config
	var wg sync.WaitGroup
	var buildErr error
	if config.NeedsHistory() {
		wg.Go(func() { r.past = openPast(o.Dir, o.Revision) })
	}
	r.built, buildErr = build.Run(ctx, build.Options{Dir: o.Dir, Root: r.root, AllowRemote: o.AllowRemote})
	wg.Wait()
	if buildErr != nil {
		return nil, interrupted(ctx, buildErr)
	}
	r.warnings = append(r.warnings, r.built.Warnings...)
	r.uses = images.Find(r.built.Objects, r.built.ImageFields)
	groups, err := r.groups()
	if err != nil {
		return nil, err
	}
	r.mentions()
	resolver := resolve.Resolver{Registry: o.Registry, AsOf: o.AsOf, Commits: r.past.line(), Candidates: o.Candidates}
	// Without the revision's SHA a decision has no key that would hold tomorrow.
	if o.Store != nil && (!config.NeedsHistory() || r.past.err == nil) {
		resolver.Cache = &resolve.Cache{Store: o.Store, Revision: r.past.head.SHA, Endpoint: o.Endpoint}
	}
	r.outcomes = resolver.Resolve(ctx, groups)
	return r, nil
}

// past is the history at the revision, or why there is none.
type past struct {
	repository *history.Repository
	head       history.Commit
	err        error
}

func openPast(dir, revision string) past {
	repository, err := history.Open(dir)
	if err != nil {
		return past{err: err}
	}
	if revision == "" {
		revision = "HEAD"
	}
	head, err := repository.Resolve(revision)
	return past{repository: repository, head: head, err: err}
}

// line gives each depth its own line of commits, shared by the groups of that
// depth.
func (p past) line() func(int) (*resolve.Line, error) {
	var mu sync.Mutex
	lines := map[int]*resolve.Line{}
	return func(depth int) (*resolve.Line, error) {
		if p.err != nil {
			return nil, p.err
		}
		mu.Lock()
		defer mu.Unlock()
		if lines[depth] == nil {
			lines[depth] = resolve.NewLine(p.repository.Log(p.head, depth))
		}
		return lines[depth], nil
	}
}

// groups puts each image that a policy matches into the group that decides it.
func (r *render) groups() ([]resolve.Group, error) {
	var groups []resolve.Group
	together := map[*policy.Entry]int{}
	known := map[string]bool{}
	matched := map[*policy.Entry]bool{}
	for _, u := range r.uses {
		entry := r.config.For(u.Name)
		if entry == nil {
			continue
		}
		matched[entry] = true
		if u.Invalid != nil {
			return nil, fmt.Errorf("%w: the entry at %s matches %s of %s: %w; narrow match in images.yaml or correct the image",
				ErrInvalidImage, r.place(entry), u.Name, u.Object, u.Invalid)
		}
		if known[u.Name] || u.Digest != "" {
			continue
		}
		known[u.Name] = true
		repo, err := ecr.ParseRepository(u.Name)
		if err != nil {
			return nil, fmt.Errorf("%w: the entry at %s matches %s of %s: %w; narrow match in images.yaml or correct the image",
				ErrNotECR, r.place(entry), u.Name, u.Object, err)
		}
		if i, ok := together[entry]; ok {
			groups[i].Repositories = append(groups[i].Repositories, repo)
			continue
		}
		if entry.Together {
			together[entry] = len(groups)
		}
		groups = append(groups, resolve.Group{Entry: entry, Repositories: []ecr.Repository{repo}})
	}
	for i := range r.config.Images {
		if e := &r.config.Images[i]; !matched[e] {
			r.warnings = append(r.warnings, fmt.Sprintf("the entry at %s matches no image of this kustomization: %s", r.place(e), e.Match))
		}
	}
	return groups, nil
}

// mentions warns of images that a policy matches in places where none is resolved:
// they would be deployed as they stand there.
func (r *render) mentions() {
	for _, m := range images.Mentions(r.built.Objects, r.uses) {
		if entry := r.config.For(m.Name); entry != nil && m.Digest == "" {
			r.warnings = append(r.warnings, fmt.Sprintf("%s of %s holds %s, which the entry at %s matches, and stays as it is: no image field is there; name the field under images in a file of configurations, or give the image a digest",
				m.Path, m.Object, m.Reference, r.place(entry)))
		}
	}
}

func (r *render) place(e *policy.Entry) string {
	return fmt.Sprintf("%s:%d", r.rel(filepath.Join(r.o.Dir, policy.FileName)), e.Line())
}

// rel names a path from the repository's root: Argo CD renders in a folder whose
// own name says nothing and changes each time.
func (r *render) rel(path string) string {
	if r.root == "" {
		return path
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(abs)); err == nil {
		abs = filepath.Join(dir, filepath.Base(abs))
	}
	rel, err := filepath.Rel(r.root, abs)
	if err != nil || strings.HasPrefix(rel, "..") {
		return path
	}
	return rel
}

// pin writes the decisions into the objects and gives the manifests.
func (r *render) pin(decisions []resolve.Decision) ([]byte, error) {
	chosen := map[string]release.Image{}
	list := make([]release.Image, 0, len(decisions))
	for _, d := range decisions {
		chosen[d.Name] = d.Image
		list = append(list, d.Image)
	}
	var pinned []string
	for _, u := range r.uses {
		if u.Digest != "" && u.Invalid == nil {
			pinned = append(pinned, u.Reference.String())
		}
	}
	if err := images.Pin(r.uses, chosen); err != nil {
		return nil, err
	}
	record := release.New(list, pinned...)
	if r.config.Release != nil {
		if err := r.addRelease(record, chosen); err != nil {
			return nil, err
		}
		if err := images.MarkHooks(r.built.Objects.Resources(), record.ID); err != nil {
			return nil, err
		}
	}
	manifests, err := r.built.Objects.AsYaml()
	if err != nil {
		return nil, fmt.Errorf("encode manifests: %w", err)
	}
	if len(strings.TrimSpace(string(manifests))) == 0 {
		return nil, fmt.Errorf("%w: the manifests are empty, and an empty render would have Argo CD delete everything", build.ErrBuild)
	}
	return manifests, nil
}
