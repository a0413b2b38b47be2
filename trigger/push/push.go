// Package push is what trigger waits for: that an image with a tag was pushed to
// ECR. Where it hears of it is a [Source]'s business.
package push

import (
	"context"
	"time"

	"github.com/proerror77/nova-staging/plugin/ecr"
)

// Repository is an ECR repository whichever of its hosts (FIPS, dual-stack) an
// image's name has.
type Repository struct {
	Account string // 12 digits
	Region  string
	Name    string // for example nova/auth-service
}

// String is account/region/name.
func (r Repository) String() string { return r.Account + "/" + r.Region + "/" + r.Name }

// RepositoryOf reads an image's reference or its name; false when it is in no
// private ECR registry.
func RepositoryOf(image string) (Repository, bool) {
	r, err := ecr.ParseRepository(nameOf(image))
	if err != nil {
		return Repository{}, false
	}
	return Repository{Account: r.Account, Region: r.Region, Name: r.Name}, true
}

// nameOf cuts tag and digest off a reference.
func nameOf(image string) string {
	for i := range len(image) {
		if image[i] == '@' {
			image = image[:i]
			break
		}
	}
	for i := len(image) - 1; i >= 0 && image[i] != '/'; i-- {
		if image[i] == ':' {
			return image[:i]
		}
	}
	return image
}

// Push is one tag that was pushed.
type Push struct {
	// ID is the same whenever the same push is heard of again in the same way;
	// [Push.Known] knows it in either.
	ID         string
	Repository Repository
	Tag        string
	Digest     string
	// Time of the push by ECR's clock, whole seconds.
	Time time.Time
	// First is when it was first heard of, by the source's clock. Optional.
	First time.Time
}

// Name is repository:tag, for people; a long tag is cut.
func (p Push) Name() string {
	tag := p.Tag
	if len(tag) > 12 && len(tag) >= 40 {
		tag = tag[:12]
	}
	return p.Repository.Name + ":" + tag
}

// Delivery is a push in the hands of whoever acts on it.
type Delivery struct {
	Push Push
	// Done is called once, when the push has taken effect for good or needs no
	// action: only then may the source forget it.
	Done func()
}

// Source hears of pushes and hands them over until ctx ends. It hands a push
// over again, after a restart too, until it is done.
type Source interface {
	Run(ctx context.Context, deliver func(Delivery)) error
}
