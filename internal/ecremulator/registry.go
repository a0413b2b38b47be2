package ecremulator

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
)

// Registry is the ECR registry of one account in one region.
type Registry struct {
	emulator *Emulator
	account  string
	region   string

	mu      sync.RWMutex
	repos   map[string]*Repository
	names   []string // sorted
	allowed []string
}

// CreateRegistry adds the registry of account, twelve digits, in region. The
// first one created is also the one that /v2/ serves for hosts that name none.
// The error is ErrInvalidName or ErrExists.
func (e *Emulator) CreateRegistry(account, region string) (*Registry, error) {
	if !accountRE.MatchString(account) {
		return nil, fmt.Errorf("create registry: account %q is not twelve digits: %w", account, ErrInvalidName)
	}
	if !regionRE.MatchString(region) {
		return nil, fmt.Errorf("create registry: region %q does not look like us-east-1: %w", region, ErrInvalidName)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	key := registryKey{account, region}
	if _, ok := e.registries[key]; ok {
		return nil, fmt.Errorf("create registry %s in %s: %w", account, region, ErrExists)
	}
	r := &Registry{emulator: e, account: account, region: region, repos: map[string]*Repository{}}
	e.registries[key] = r
	if e.first == nil {
		e.first = r
	}
	return r, nil
}

func (e *Emulator) registry(account, region string) *Registry {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.registries[registryKey{account, region}]
}

// Account returns the registry's account, twelve digits.
func (r *Registry) Account() string { return r.account }

// Region returns the registry's region, such as ap-northeast-1.
func (r *Registry) Region() string { return r.region }

// Host returns the name that images of the registry begin with, such as
// 025434362120.dkr.ecr.ap-northeast-1.amazonaws.com.
func (r *Registry) Host() string {
	return r.account + ".dkr.ecr." + r.region + "." + dnsSuffix(r.region)
}

// dnsSuffix and partition differ in China, and the partition for GovCloud.
func dnsSuffix(region string) string {
	if strings.HasPrefix(region, "cn-") {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}

func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

func (r *Registry) arn(repository string) string {
	return "arn:" + partition(r.region) + ":ecr:" + r.region + ":" + r.account + ":repository/" + repository
}

// RepositoryOption changes how a repository is created.
type RepositoryOption func(*Repository)

// WithImmutableTags refuses to move a tag, but for those that a pattern of
// except matches, where * stands for any characters, such as "latest" or
// "cache-*". Optional; tags are mutable.
func WithImmutableTags(except ...string) RepositoryOption {
	return func(r *Repository) {
		r.immutable = true
		r.mutableTags = append(r.mutableTags, except...)
	}
}

// WithScanOnPush lets the repository say that it scans what is pushed. What a scan
// finds is set by [Repository.SetScan]. Optional; nothing is scanned.
func WithScanOnPush() RepositoryOption {
	return func(r *Repository) { r.scanOnPush = true }
}

// CreateRepository adds an empty repository. The error is ErrInvalidName or
// ErrExists.
func (r *Registry) CreateRepository(name string, opts ...RepositoryOption) (*Repository, error) {
	if !validRepository(name) {
		return nil, fmt.Errorf("create repository %q: %w", name, ErrInvalidName)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.repos[name]; ok {
		return nil, fmt.Errorf("create repository %q: %w", name, ErrExists)
	}
	repo := &Repository{
		registry:  r,
		name:      name,
		createdAt: stored(r.emulator.Now()),
		images:    map[string]*image{},
		tags:      map[string]*image{},
		parents:   map[string]int{},
		blobs:     map[string][]byte{},
	}
	repo.transfer = newTransfer(repo)
	for _, o := range opts {
		o(repo)
	}
	r.repos[name] = repo
	at, _ := slices.BinarySearch(r.names, name)
	r.names = slices.Insert(r.names, at, name)
	return repo, nil
}

// Repository returns a repository by name, or nil if there is none.
func (r *Registry) Repository(name string) *Repository {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.repos[name]
}

// DeleteRepository removes a repository with all its images. It reports
// whether there was one.
func (r *Registry) DeleteRepository(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.repos[name]; !ok {
		return false
	}
	delete(r.repos, name)
	at := sort.SearchStrings(r.names, name)
	r.names = slices.Delete(r.names, at, at+1)
	return true
}
