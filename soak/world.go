package soak

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/proerror77/nova-staging/internal/ecremulator"
)

// Start of every world's time, long past by any clock.
var epoch = time.Date(2024, 5, 6, 8, 0, 0, 0, time.UTC)

const region = "eu-central-1"

// stored is one manifest of the model.
type stored struct {
	digest  string
	at      time.Time
	runs    bool // is an image, and active
	parts   []string
	content ecremulator.Content
}

// repository is the model of one repository, beside the emulated one.
type repository struct {
	name     string
	tags     map[string]*stored
	emulated *ecremulator.Repository
}

// World is a random git repository with a kustomization, and a registry.
type World struct {
	// Seed that everything follows from.
	Seed uint64
	// Account of its registry, which no other world has.
	Account string
	// Dir of the kustomization.
	Dir string

	rng      *rand.Rand
	history  history
	registry *ecremulator.Registry
	repos    []*repository
	scans    map[string]ecremulator.Scan // by digest
	policy   policy
	end      time.Time // of the pushes
	n        int
	env      []string // of renders
}

// New makes the world of a seed: its files below root and its registry, of an
// account of its own, in e.
func New(seed uint64, root string, e *ecremulator.Server) (*World, error) {
	w := &World{
		Seed: seed, Account: fmt.Sprintf("%012d", 100_000_000_000+seed%900_000_000_000), Dir: filepath.Join(root, "deploy"),
		rng: rand.New(rand.NewPCG(seed, 1)), scans: map[string]ecremulator.Scan{},
	}
	for name, value := range e.Env() {
		w.env = append(w.env, name+"="+value)
	}
	w.history = randomHistory(w.rng)
	if err := w.history.write(root, fmt.Sprintf("world %d", seed), epoch); err != nil {
		return nil, err
	}
	var err error
	if w.registry, err = e.CreateRegistry(w.Account, region); err != nil {
		return nil, err
	}
	for i := range 1 + w.rng.IntN(4) {
		r := &repository{name: fmt.Sprintf("soak/app-%d", i), tags: map[string]*stored{}}
		if r.emulated, err = w.registry.CreateRepository(r.name); err != nil {
			return nil, err
		}
		w.repos = append(w.repos, r)
	}
	w.policy = randomPolicy(w.rng)
	if err := w.push(); err != nil {
		return nil, err
	}
	return w, w.write()
}

// push plays CI and everybody else who pushes.
func (w *World) push() error {
	at := epoch
	tick := func() time.Time {
		at = at.Add(time.Duration(1+w.rng.IntN(600_000)) * time.Millisecond)
		return at
	}
	var failures []error
	for c, sha := range w.history.shas {
		everywhere := w.rng.IntN(3) == 0
		for _, r := range w.repos {
			if !everywhere && w.rng.IntN(3) == 0 {
				continue // built for some services only
			}
			tags := []string{w.policy.tagFor(sha)}
			if w.rng.IntN(2) == 0 {
				tags = append(tags, "latest")
			}
			if w.rng.IntN(2) == 0 {
				tags = append(tags, w.version(c))
			}
			failures = append(failures, w.put(r, tick(), w.content(), tags...))
			for range w.rng.IntN(3) {
				failures = append(failures, w.clutter(r, tick(), sha))
			}
		}
	}
	w.end = at
	return errors.Join(failures...)
}

func (w *World) version(c int) string {
	v := fmt.Sprintf("v%d.%d.%d", w.rng.IntN(4), w.rng.IntN(12), c)
	if w.rng.IntN(4) == 0 {
		v += fmt.Sprintf("-rc.%d", w.rng.IntN(12))
	}
	return v
}

// seed is a text that no other image of the world is made from.
func (w *World) seed() string {
	w.n++
	return fmt.Sprintf("%d %d", w.Seed, w.n)
}

func (w *World) content() ecremulator.Content {
	switch w.rng.IntN(4) {
	case 0:
		return ecremulator.DockerImage(w.seed())
	case 1:
		return ecremulator.MultiArch(w.seed(), "linux/amd64", "linux/arm64")
	case 2:
		return ecremulator.BuildxIndex(w.seed(), "linux/amd64")
	}
	return ecremulator.OCIImage(w.seed())
}

// clutter pushes what is no image, moves tags, or archives.
func (w *World) clutter(r *repository, at time.Time, sha string) error {
	own := w.policy.tagFor(sha)
	switch w.rng.IntN(9) {
	case 0:
		return w.put(r, at, ecremulator.BuildCache(w.seed()), "buildcache")
	case 1: // a cache that carries a commit's tag
		return w.put(r, at, ecremulator.BuildCache(w.seed()), own)
	case 2:
		return w.put(r, at, ecremulator.BuildCacheIndex(w.seed()), "cache-index", w.version(90))
	case 3:
		return w.put(r, at, ecremulator.HelmChart(w.seed(), "1.0.0"), w.version(91))
	case 4:
		s := ecremulator.OCIImage(w.seed())
		return w.put(r, at, ecremulator.CosignSignature(s), ecremulator.CosignTag(s.Digest(), "sig"))
	case 5: // built anew: the commit's tag moves
		return w.put(r, at, w.content(), own)
	case 6: // an old image is pushed again under other tags: its time stays
		if s := r.tags[own]; s != nil {
			return w.put(r, at, s.content, w.version(92), "again")
		}
	case 7:
		if s := r.tags[own]; s != nil && w.rng.IntN(2) == 0 {
			s.runs = false
			return r.emulated.SetStatus(s.digest, ecremulator.StatusArchived)
		}
	}
	return w.put(r, at, w.content(), "feature-"+sha[:9])
}

// put pushes to the registry and to the model.
func (w *World) put(r *repository, at time.Time, c ecremulator.Content, tags ...string) error {
	if _, err := r.emulated.PushAt(at, c, tags...); err != nil {
		return err
	}
	s := &stored{digest: c.Digest(), at: at, content: c}
	for _, old := range r.tags {
		if old.digest == s.digest {
			s = old
		}
	}
	if s.at.Equal(at) {
		s.runs, s.parts = runs(c)
		for _, digest := range s.parts {
			if scan := randomScan(w.rng); scan.Status != "" {
				w.scans[digest] = scan
				if err := r.emulated.SetScan(digest, scan); err != nil {
					return err
				}
			}
		}
	}
	for _, tag := range tags {
		r.tags[tag] = s
	}
	return nil
}

// runs says whether a content is an image, and which images it consists of. It
// goes by how the world made it.
func runs(c ecremulator.Content) (bool, []string) {
	manifest := string(c.Manifest())
	for _, sign := range []string{ecremulator.BuildCacheConfig, "helm", "cosign"} {
		if strings.Contains(manifest, sign) {
			return false, nil
		}
	}
	if len(c.Children()) == 0 {
		return true, []string{c.Digest()}
	}
	var parts []string
	for _, child := range c.Children() {
		if !strings.Contains(string(child.Manifest()), "in-toto") {
			parts = append(parts, child.Digest())
		}
	}
	return true, parts
}

func randomScan(rng *rand.Rand) ecremulator.Scan {
	s := ecremulator.Scan{Status: ecremulator.ScanComplete, Enhanced: rng.IntN(2) == 0, Findings: map[string]int{}, CompletedAt: epoch}
	if s.Enhanced {
		s.Status = ecremulator.ScanActive
	}
	switch rng.IntN(30) {
	case 0:
		s.Status = ecremulator.ScanInProgress
	case 1:
		s.Status = ecremulator.ScanUnsupportedImage
	case 2:
		s.Status = ""
	case 3:
		s.Findings["CRITICAL"] = 1 + rng.IntN(3)
	case 4:
		s.Findings["UNDEFINED"] = 1
	}
	s.Findings["LOW"] = rng.IntN(4)
	return s
}

// write writes the kustomization with one Deployment a repository.
func (w *World) write() error {
	var all strings.Builder
	for i, r := range w.repos {
		fmt.Fprintf(&all, "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app-%d, namespace: soak}\nspec:\n  selector: {matchLabels: {app: app-%d}}\n  template:\n    metadata: {labels: {app: app-%d}}\n    spec:\n      initContainers:\n      - {name: migrate, image: %s}\n      containers:\n      - {name: app, image: \"%s:old\"}\n      - {name: proxy, image: envoyproxy/envoy:v1.30}\n",
			i, i, i, r.emulated.URI(), r.emulated.URI())
	}
	files := map[string]string{
		"kustomization.yaml": "resources: [all.yaml]\n",
		"all.yaml":           all.String(),
		"images.yaml":        w.policy.yaml(w.registry.Host() + "/soak/*"),
	}
	if err := os.MkdirAll(w.Dir, 0o755); err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(w.Dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Instant gives a random one: mostly amid the pushes, often exactly at one.
func (w *World) Instant() time.Time {
	if w.rng.IntN(3) == 0 {
		r := w.repos[w.rng.IntN(len(w.repos))]
		var at time.Time
		for _, s := range r.tags { // the latest of a few: the order of a map is not the seed's
			if s.at.After(at) && s.at.Before(w.end) {
				at = s.at
			}
		}
		if !at.IsZero() {
			return at
		}
	}
	return epoch.Add(time.Duration(w.rng.Int64N(int64(w.end.Sub(epoch)) * 5 / 4))).Truncate(time.Millisecond)
}

// Advance lets time pass after an instant: newer images are pushed, their tags
// new, and scanners find something in everything. With move also old tags move.
func (w *World) Advance(move bool) error {
	var failures []error
	w.end = w.end.Add(w.end.Sub(epoch) / 2) // later than any instant that was asked for
	for _, r := range w.repos {
		w.end = w.end.Add(time.Hour)
		tags := []string{fmt.Sprintf("v9.%d.%d", w.n, w.rng.IntN(9)), fmt.Sprintf("%040x", w.n)}
		if move {
			tags = append(tags, "latest", w.policy.tagFor(w.history.shas[len(w.history.shas)-1]))
		}
		failures = append(failures, w.put(r, w.end, w.content(), tags...))
	}
	return errors.Join(failures...)
}

// Discover has every scan find something critical.
func (w *World) Discover() error {
	bad := ecremulator.Scan{Status: ecremulator.ScanActive, Enhanced: true, Findings: map[string]int{"CRITICAL": 7}}
	var failures []error
	for _, r := range w.repos {
		for _, s := range r.tags {
			for _, digest := range s.parts {
				w.scans[digest] = bad
				failures = append(failures, r.emulated.SetScan(digest, bad))
			}
		}
	}
	return errors.Join(failures...)
}
