package ecremulator

import (
	"slices"
	"sync/atomic"
	"time"
)

// Status is an image's storage class as DescribeImages reports it.
type Status string

// The states of an image.
const (
	StatusActive     Status = "ACTIVE"
	StatusArchived   Status = "ARCHIVED"
	StatusActivating Status = "ACTIVATING"
)

// image is one stored manifest. All but lastPull are guarded by the
// repository's lock.
type image struct {
	digest       string
	manifest     []byte
	mediaType    string
	artifactType string
	subject      string
	children     []string
	size         int64
	pushedAt     time.Time
	status       Status
	tags         []string     // in the order they were put on
	scan         *Scan        // replaced, never changed in place; nil = none
	lastPull     atomic.Int64 // Unix milliseconds, 0 = never
}

// Image is a copy of what a repository holds under one digest.
type Image struct {
	Digest       string   // sha256:<hex>, of Manifest
	Tags         []string // in the order they were put on
	Manifest     []byte
	MediaType    string
	ArtifactType string // artifactType, else the config's media type; empty for an index
	Subject      string // digest of the image this one refers to, or empty
	Size         int64  // bytes; see ImageDetail.imageSizeInBytes
	PushedAt     time.Time
	LastPull     time.Time // zero if never pulled
	Status       Status
}

func (i *image) copy() Image {
	return Image{
		Digest:       i.digest,
		Tags:         slices.Clone(i.tags),
		Manifest:     slices.Clone(i.manifest),
		MediaType:    i.mediaType,
		ArtifactType: i.artifactType,
		Subject:      i.subject,
		Size:         i.size,
		PushedAt:     i.pushedAt,
		LastPull:     i.pulledAt(),
		Status:       i.status,
	}
}

func (i *image) pulledAt() time.Time {
	if ms := i.lastPull.Load(); ms != 0 {
		return time.UnixMilli(ms).UTC()
	}
	return time.Time{}
}

// recordPull notes a pull the way ECR does: at most once in 24 hours.
func (i *image) recordPull(now time.Time) {
	last := i.lastPull.Load()
	if ms := now.UnixMilli(); last == 0 || ms-last >= (24*time.Hour).Milliseconds() {
		i.lastPull.CompareAndSwap(last, ms)
	}
}

func (i *image) dropTag(tag string) {
	i.tags = slices.DeleteFunc(slices.Clone(i.tags), func(t string) bool { return t == tag })
}

func compareDigest(i *image, digest string) int {
	switch {
	case i.digest < digest:
		return -1
	case i.digest > digest:
		return 1
	}
	return 0
}
