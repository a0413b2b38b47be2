package resolve

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/proerror77/nova-staging/internal/release"
	"github.com/proerror77/nova-staging/plugin/ecr"
	"github.com/proerror77/nova-staging/plugin/policy"
)

// byTag follows a mutable tag. ECR keeps no history of tags: what the tag points
// at now is taken also for an earlier instant, and said when it must be wrong.
func (r *Resolver) byTag(ctx context.Context, e *policy.Entry, repo ecr.Repository) (Decision, error) {
	tag := e.Tag.Name
	image, err := r.Registry.DescribeTag(ctx, repo, tag)
	if errors.Is(err, ecr.ErrImageNotFound) {
		return Decision{}, fmt.Errorf("%w: %s has no image with tag %s: push one or correct images.yaml", ErrNoImage, repo, tag)
	}
	if err != nil {
		return Decision{}, err
	}
	why := cmp.Or(image.NotImage(), ecr.NotImageTag(tag))
	var m ecr.Manifest
	if why == "" {
		if m, why, err = r.verify(ctx, repo, image); err != nil {
			return Decision{}, err
		}
	}
	if why != "" {
		return Decision{}, fmt.Errorf("%w: tag %s of %s is not an image: %s", ErrNoImage, tag, repo, why)
	}
	d := Decision{
		Image: release.Image{
			Name: repo.String(), Tag: tag, Digest: image.Digest, Policy: e.Name(), PushedAt: image.PushedAt,
		},
		Why: "what the tag points at now", Looked: 1, manifest: m,
	}
	if image.PushedAt.After(r.AsOf) {
		d.Warnings = append(d.Warnings, fmt.Sprintf("%s:%s points at an image pushed %s after the instant %s: ECR keeps no history of tags, so what it pointed at then is unknown",
			repo, tag, duration(image.PushedAt.Sub(r.AsOf)), instant(r.AsOf)))
	}
	if r.Candidates {
		pushed := image.PushedAt
		d.Candidates = []Candidate{{Tag: tag, Digest: image.Digest, PushedAt: &pushed, Chosen: true, Why: "chosen"}}
	}
	return d, nil
}
