package ecremulator

import (
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Repository holds images by digest, each with any number of tags.
type Repository struct {
	registry  *Registry
	name      string
	createdAt time.Time
	transfer  http.Handler // of blobs

	immutable   bool
	mutableTags []string // patterns that immutable leaves out
	scanOnPush  bool

	mu      sync.RWMutex
	images  map[string]*image
	tags    map[string]*image
	order   []*image       // by digest: stable, and unrelated to time
	parents map[string]int // how many indexes list a digest
	blobs   map[string][]byte
	seeded  int // images made by SeedImages, so that none is made twice
}

// Name returns the repository's name, such as nova/auth-service.
func (r *Repository) Name() string { return r.name }

// Registry returns the registry the repository is in.
func (r *Repository) Registry() *Registry { return r.registry }

// URI returns the name of its images without tag or digest, such as
// 025434362120.dkr.ecr.ap-northeast-1.amazonaws.com/nova/auth-service.
func (r *Repository) URI() string { return r.registry.Host() + "/" + r.name }

// Push stores c and puts tags on it, at the clock's time, and returns its
// digest. See [Repository.PushAt].
func (r *Repository) Push(c Content, tags ...string) (string, error) {
	return r.PushAt(r.registry.emulator.Now(), c, tags...)
}

// PushAt stores c as if pushed at t and puts tags on it. As in ECR the time is
// the manifest's: pushing one that is already there keeps its first time, and
// only moves tags. What an index lists is stored first, untagged. The error is
// ErrInvalidName, ErrTagImmutable, ErrInvalidManifest or ErrMissingReference.
func (r *Repository) PushAt(t time.Time, c Content, tags ...string) (string, error) {
	for _, tag := range tags {
		if err := checkTag(tag); err != nil {
			return "", err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	img, err := r.store(t, c)
	if err != nil {
		return "", fmt.Errorf("push to %s: %w", r.name, err)
	}
	for _, tag := range tags {
		if err := r.tag(img, tag); err != nil && !errors.Is(err, ErrExists) {
			return "", fmt.Errorf("push to %s: %w", r.name, err)
		}
	}
	r.emit(t, img, tags...)
	return img.digest, nil
}

func (r *Repository) store(t time.Time, c Content) (*image, error) {
	for _, child := range c.children {
		known := r.images[child.Digest()] != nil
		img, err := r.store(t, child)
		if err != nil {
			return nil, err
		}
		if !known {
			r.emit(t, img) // as pushed by its digest
		}
	}
	for digest, b := range c.blobs {
		r.blobs[digest] = b
	}
	img, _, err := r.put(t, c.manifest, c.mediaType, false)
	return img, err
}

// put stores a manifest and reports whether it is new. With strict, what it
// names must be in the repository, as it must be for the API and the OCI
// registry; the Go API may leave things out. The caller holds the lock.
func (r *Repository) put(t time.Time, manifest []byte, mediaType string, strict bool) (*image, bool, error) {
	digest := digestOf(manifest)
	if img, ok := r.images[digest]; ok {
		return img, false, nil
	}
	f, err := parseManifest(manifest, mediaType)
	if err != nil {
		return nil, false, err
	}
	if strict {
		if len(f.children) < f.listed {
			return nil, false, errCacheIndex
		}
		if err := r.checkReferences(f); err != nil {
			return nil, false, err
		}
	}
	img := &image{
		digest:       digest,
		manifest:     slices.Clone(manifest),
		mediaType:    f.mediaType,
		artifactType: f.artifactType,
		subject:      f.subject,
		children:     f.children,
		size:         f.size,
		pushedAt:     stored(t),
		status:       StatusActive,
	}
	for _, child := range f.children {
		r.parents[child]++
		// An index is as large as the largest image in it.
		if c := r.images[child]; c != nil && c.size > img.size {
			img.size = c.size
		}
	}
	r.images[digest] = img
	at, _ := slices.BinarySearchFunc(r.order, digest, compareDigest)
	r.order = slices.Insert(r.order, at, img)
	return img, true, nil
}

func (r *Repository) checkReferences(f facts) error {
	for _, child := range f.children {
		if _, ok := r.images[child]; !ok {
			return fmt.Errorf("find image %s: %w", child, ErrMissingReference)
		}
	}
	for _, blob := range f.blobs {
		if _, ok := r.blobs[blob]; !ok {
			return fmt.Errorf("find layer %s: %w", blob, ErrMissingReference)
		}
	}
	return nil
}

// tag puts a tag on img, taking it from whichever image had it. The error is
// ErrTagImmutable, or ErrExists if img already has it.
func (r *Repository) tag(img *image, tag string) error {
	old := r.tags[tag]
	switch {
	case old == img:
		return ErrExists
	case old != nil && r.fixed(tag):
		return fmt.Errorf("tag %q: %w", tag, ErrTagImmutable)
	case old != nil:
		old.dropTag(tag)
	}
	r.tags[tag] = img
	img.tags = append(slices.Clone(img.tags), tag)
	return nil
}

// fixed tells whether the repository refuses to move a tag.
func (r *Repository) fixed(tag string) bool {
	return r.immutable && !slices.ContainsFunc(r.mutableTags, func(pattern string) bool {
		ok, err := path.Match(pattern, tag) // tags hold no slash, so * matches as ECR's does
		return err == nil && ok
	})
}

// Tag puts a tag on the image with that digest, moving it from another image
// if need be. Its push time stays. The error is ErrNotFound, ErrInvalidName or
// ErrTagImmutable.
func (r *Repository) Tag(digest, tag string) error {
	if err := checkTag(tag); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	img, ok := r.images[digest]
	if !ok {
		return fmt.Errorf("tag %s: %w", digest, ErrNotFound)
	}
	if err := r.tag(img, tag); err != nil && !errors.Is(err, ErrExists) {
		return err
	}
	r.emit(r.registry.emulator.Now(), img, tag)
	return nil
}

// Image returns the image that ref, a digest or a tag, points at. The error is
// ErrNotFound.
func (r *Repository) Image(ref string) (Image, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	img := r.find(ref)
	if img == nil {
		return Image{}, fmt.Errorf("find %s in %s: %w", ref, r.name, ErrNotFound)
	}
	return img.copy(), nil
}

func (r *Repository) find(ref string) *image {
	if strings.Contains(ref, ":") {
		return r.images[ref]
	}
	return r.tags[ref]
}

// Len returns how many images, not tags, the repository holds.
func (r *Repository) Len() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.images)
}

// SetStatus moves an image between storage classes. The error is ErrNotFound.
func (r *Repository) SetStatus(digest string, s Status) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	img, ok := r.images[digest]
	if !ok {
		return fmt.Errorf("set status of %s: %w", digest, ErrNotFound)
	}
	img.status = s
	return nil
}

// Delete removes an image by digest, with its tags. The error is ErrNotFound,
// or ErrReferenced while an index lists it.
func (r *Repository) Delete(digest string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	img, ok := r.images[digest]
	if !ok {
		return fmt.Errorf("delete %s: %w", digest, ErrNotFound)
	}
	if r.parents[digest] > 0 {
		return fmt.Errorf("delete %s: %w", digest, ErrReferenced)
	}
	r.remove(img)
	return nil
}

func (r *Repository) remove(img *image) {
	for _, tag := range img.tags {
		delete(r.tags, tag)
	}
	for _, child := range img.children {
		if r.parents[child]--; r.parents[child] == 0 {
			delete(r.parents, child)
		}
	}
	delete(r.images, img.digest)
	if at, ok := slices.BinarySearchFunc(r.order, img.digest, compareDigest); ok {
		r.order = slices.Delete(r.order, at, at+1)
	}
}

// SeedImages adds n images quickly. next gives the tag, or "" for none, and
// the push time of the i-th, from 0. Their manifests are valid, small and all
// different, but nothing that they name is stored: they can be described and
// not pulled. The error is ErrInvalidName or ErrTagImmutable.
func (r *Repository) SeedImages(n int, next func(i int) (tag string, pushedAt time.Time)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.order = slices.Grow(r.order, n)
	// Sorted once at the end: inserting each in its place is quadratic.
	defer func() {
		slices.SortFunc(r.order, func(a, b *image) int { return compareDigest(a, b.digest) })
	}()
	const head = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",` +
		`"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"` + emptyJSONDigest + `","size":2},` +
		`"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"` + emptyJSONDigest + `","size":2}],"annotations":{"seed":"`
	for i := range n {
		tag, at := next(i)
		manifest := []byte(head + r.name + "-" + strconv.Itoa(r.seeded) + `"}}`)
		r.seeded++
		img := &image{
			digest:       digestOf(manifest),
			manifest:     manifest,
			mediaType:    string(types.OCIManifestSchema1),
			artifactType: string(types.OCIConfigJSON),
			size:         int64(10_000_000 + i%1000),
			pushedAt:     stored(at),
			status:       StatusActive,
		}
		r.images[img.digest] = img
		r.order = append(r.order, img)
		if tag == "" {
			continue
		}
		if err := checkTag(tag); err != nil {
			return err
		}
		if err := r.tag(img, tag); err != nil {
			return fmt.Errorf("seed %s: %w", r.name, err)
		}
	}
	return nil
}
