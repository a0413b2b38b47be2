package resolve

import (
	"slices"
	"time"

	"github.com/proerror77/nova-staging/plugin/ecr"
	"github.com/proerror77/nova-staging/plugin/policy"
)

// Store keeps values under keys, both as JSON. A value that can not be read
// back is as good as absent. *cache.Dir implements it.
type Store interface {
	Get(key, value any) bool
	Put(key, value any)
}

// Cache keeps final decisions, so that rendering the same revision at the same
// instant again asks ECR nothing and gives the same bytes.
type Cache struct {
	// Store of the decisions. Required.
	Store Store
	// Revision is the SHA that the commit policy starts from.
	Revision string
	// Endpoint replaces ECR's own: the same image names mean something else there.
	// Optional.
	Endpoint string
}

// cacheKey is everything that a decision depends on.
type cacheKey struct {
	Format   int
	Endpoint string
	AsOf     time.Time
	Revision string
	Policy   cachePolicy
	Images   []string
}

type cachePolicy struct {
	Commit   *policy.Commit
	Newest   string
	SemVer   *policy.SemVer
	Tag      string
	Together bool
	Scan     *policy.Scan `json:",omitempty"`
}

// cacheFormat changes with the rules by which decisions are made.
const cacheFormat = 2

func (c *Cache) key(g Group, asOf time.Time) cacheKey {
	k := cacheKey{Format: cacheFormat, Endpoint: c.Endpoint, AsOf: asOf.UTC(), Policy: cachePolicy{
		Commit: g.Entry.Commit, SemVer: g.Entry.SemVer, Together: g.Entry.Together, Scan: g.Entry.Scan,
	}}
	if g.Entry.Commit != nil {
		k.Revision = c.Revision
	}
	if g.Entry.Newest != nil {
		k.Policy.Newest = g.Entry.Newest.Tags
	}
	if g.Entry.Tag != nil {
		k.Policy.Tag = g.Entry.Tag.Name
	}
	for _, repo := range g.Repositories {
		k.Images = append(k.Images, repo.String())
	}
	return k
}

func (c *Cache) get(g Group, asOf time.Time) ([]Decision, bool) {
	key := c.key(g, asOf)
	var decisions []Decision
	if !c.Store.Get(key, &decisions) {
		return nil, false
	}
	names := make([]string, len(decisions))
	for i := range decisions {
		decisions[i].Cached = true
		names[i] = decisions[i].Name
	}
	return decisions, slices.Equal(names, key.Images)
}

func (c *Cache) put(g Group, asOf time.Time, decisions []Decision) {
	kept := slices.Clone(decisions)
	for i := range kept {
		kept[i].Candidates = nil
	}
	c.Store.Put(c.key(g, asOf), kept)
}

// gateKey is everything that the gate's answer is kept by: an image that was let
// through at an instant stays so when another git revision chooses it too.
type gateKey struct {
	GateFormat int
	Endpoint   string
	AsOf       time.Time
	Image      string
	Digest     string
	Scan       *policy.Scan
}

// gateFormat changes with the rules by which the gate judges.
const gateFormat = 1

func (c *Cache) gateKey(repo ecr.Repository, gate *policy.Scan, asOf time.Time, d Decision) gateKey {
	return gateKey{gateFormat, c.Endpoint, asOf.UTC(), repo.String(), d.Digest, gate}
}

// passed gives the scan by which the gate let an image through at an instant.
func (c *Cache) passed(repo ecr.Repository, gate *policy.Scan, asOf time.Time, d Decision) (*Scan, bool) {
	var s Scan
	ok := c.Store.Get(c.gateKey(repo, gate, asOf, d), &s) && len(s.Images) > 0 && s.Refused == ""
	return &s, ok
}

func (c *Cache) pass(repo ecr.Repository, gate *policy.Scan, asOf time.Time, d Decision) {
	c.Store.Put(c.gateKey(repo, gate, asOf, d), d.Scan)
}
