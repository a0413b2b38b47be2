package ecr

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go/middleware"
)

const (
	pageSize = 1000 // of DescribeImages, ECR's maximum
	// MaxBatch is how many images one BatchGetImage or DescribeImages may name.
	MaxBatch = 100
	// maxStalled is how often in a row a listing may make no progress.
	maxStalled = 5
)

// Clock is the earliest time that ECR's own clock showed in the answers to a
// set of calls. Whether an instant had passed when ECR was asked is a question
// to that clock, not to ours. Safe for concurrent use.
type Clock struct {
	mu  sync.Mutex
	min time.Time
}

// See notes one answer's time.
func (k *Clock) See(t time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.min.IsZero() || t.Before(k.min) {
		k.min = t
	}
}

// Min is the earliest time seen, zero when there was no answer.
func (k *Clock) Min() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.min
}

type clockKey struct{}

// WithClock has every call made under the returned context note ECR's time in k.
func WithClock(ctx context.Context, k *Clock) context.Context {
	return context.WithValue(ctx, clockKey{}, k)
}

// SeeClock notes the time of one answer in the [Clock] of ctx, if there is one.
func SeeClock(ctx context.Context, t time.Time) {
	if k, ok := ctx.Value(clockKey{}).(*Clock); ok {
		k.See(t)
	}
}

// askedAt is a time by ECR's own clock at which an attempt had not been answered
// yet: what was pushed by then is in the answer. The Date of the answer is later
// by at most as long as the attempt took. Without a Date it is our own clock's.
func askedAt(began time.Time, metadata middleware.Metadata) time.Time {
	date, ok := awsmiddleware.GetServerTime(metadata)
	if !ok || date.IsZero() {
		return began
	}
	return date.Add(-time.Since(began))
}

// Find asks which of at most [MaxBatch] tags exist, in one BatchGetImage. Tags
// that do not are absent from the result. Any other failure of one tag is an
// error, and so is a tag that the answer says nothing about: ranking the rest
// could choose an older image.
func (c *Client) Find(ctx context.Context, repo Repository, tags []string) (map[string]Manifest, error) {
	found := make(map[string]Manifest, len(tags))
	for open := tags; len(open) > 0; {
		ids := make([]types.ImageIdentifier, len(open))
		for i, tag := range open {
			ids[i] = types.ImageIdentifier{ImageTag: aws.String(tag)}
		}
		out, err := c.batchGet(ctx, repo, ids)
		if err != nil {
			return nil, err
		}
		answered := make(map[string]bool, len(open))
		for _, image := range out.Images {
			m := manifestOf(image)
			tag := tagOf(image.ImageId)
			if !slices.Contains(open, tag) || !digestRE.MatchString(m.Digest) {
				return nil, unusable("BatchGetImage", repo, "an image without the tag that was asked for, or without a valid digest")
			}
			if before, ok := found[tag]; ok && before.Digest != m.Digest {
				return nil, unusable("BatchGetImage", repo, fmt.Sprintf("tag %s has two digests, %s and %s", tag, before.Digest, m.Digest))
			}
			found[tag] = m
			answered[tag] = true
		}
		for _, f := range out.Failures {
			tag := tagOf(f.ImageId)
			if f.FailureCode == types.ImageFailureCodeImageInaccessible && slices.Contains(open, tag) {
				found[tag] = inaccessible(f)
			}
			answered[tag] = true
		}
		// Two tags of one manifest may be answered as one: ask for the other alone.
		rest := slices.DeleteFunc(slices.Clone(open), func(tag string) bool { return answered[tag] })
		if len(rest) == len(open) {
			return nil, unusable("BatchGetImage", repo, fmt.Sprintf("nothing is said about %d of %d tags, neither found nor failed", len(rest), len(tags)))
		}
		open = rest
	}
	return found, nil
}

var digestRE = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

func unusable(op string, repo Repository, detail string) error {
	return &Error{Op: op, Repository: repo, Kind: ErrResponse, Detail: detail}
}

// Manifest gets one manifest by its digest, in one BatchGetImage.
func (c *Client) Manifest(ctx context.Context, repo Repository, digest string) (Manifest, error) {
	out, err := c.batchGet(ctx, repo, []types.ImageIdentifier{{ImageDigest: aws.String(digest)}})
	if err != nil {
		return Manifest{}, err
	}
	for _, image := range out.Images {
		if m := manifestOf(image); m.Digest == digest {
			return m, nil
		}
		return Manifest{}, unusable("BatchGetImage", repo, "another image than "+digest)
	}
	for _, f := range out.Failures {
		if f.FailureCode == types.ImageFailureCodeImageInaccessible {
			m := inaccessible(f)
			m.Digest = digest
			return m, nil
		}
	}
	if len(out.Failures) == 0 {
		return Manifest{}, unusable("BatchGetImage", repo, "nothing is said about "+digest+", neither found nor failed")
	}
	return Manifest{}, &Error{Op: "BatchGetImage", Repository: repo, Kind: ErrImageNotFound, Detail: digest}
}

func tagOf(id *types.ImageIdentifier) string {
	if id == nil {
		return ""
	}
	return aws.ToString(id.ImageTag)
}

// inaccessible is an image that exists and can not be pulled: ECR has archived it.
func inaccessible(f types.ImageFailure) Manifest {
	m := Manifest{Inaccessible: cmp.Or(clean(aws.ToString(f.FailureReason), nil), "archived")}
	if f.ImageId != nil {
		m.Digest = aws.ToString(f.ImageId.ImageDigest)
	}
	return m
}

func manifestOf(image types.Image) Manifest {
	m := Manifest{MediaType: aws.ToString(image.ImageManifestMediaType), Body: aws.ToString(image.ImageManifest)}
	if image.ImageId != nil {
		m.Digest = aws.ToString(image.ImageId.ImageDigest)
	}
	return m
}

func (c *Client) batchGet(ctx context.Context, repo Repository, ids []types.ImageIdentifier) (*ecr.BatchGetImageOutput, error) {
	if len(ids) == 0 || len(ids) > MaxBatch {
		return nil, fmt.Errorf("BatchGetImage takes 1 to %d images, not %d", MaxBatch, len(ids))
	}
	out, err := do(ctx, c, "BatchGetImage", repo, 0, func(ctx context.Context, api *ecr.Client) (*ecr.BatchGetImageOutput, error) {
		return api.BatchGetImage(ctx, &ecr.BatchGetImageInput{
			RegistryId: aws.String(repo.Account), RepositoryName: aws.String(repo.Name),
			ImageIds: ids, AcceptedMediaTypes: acceptedMediaTypes,
		})
	})
	if err != nil {
		return nil, err
	}
	for _, f := range out.Failures {
		if err := c.perImage(repo, f); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// perImage gives the error of one image's failure, nil for one that tells all
// that is to be known of it.
func (c *Client) perImage(repo Repository, f types.ImageFailure) error {
	e := &Error{Op: "BatchGetImage", Repository: repo, Kind: ErrResponse}
	switch f.FailureCode {
	case types.ImageFailureCodeImageNotFound, types.ImageFailureCodeImageInaccessible:
		return nil
	case types.ImageFailureCodeKmsError, types.ImageFailureCodeUpstreamAccessDenied:
		e.Kind = ErrDenied
	case types.ImageFailureCodeUpstreamTooManyRequests, types.ImageFailureCodeUpstreamUnavailable:
		e.Kind = ErrUnavailable
	}
	which := "an image"
	if f.ImageId != nil {
		which = cmp.Or(aws.ToString(f.ImageId.ImageTag), aws.ToString(f.ImageId.ImageDigest))
	}
	e.Detail = clean(fmt.Sprintf("%s failed with %s: %s", which, f.FailureCode, aws.ToString(f.FailureReason)), c.hide)
	return e
}

// Describe gives the images with these digests (at most [MaxBatch]), in one
// DescribeImages. An unknown digest fails the whole call with [ErrImageNotFound].
func (c *Client) Describe(ctx context.Context, repo Repository, digests []string) (map[string]Image, error) {
	if len(digests) == 0 || len(digests) > MaxBatch {
		return nil, fmt.Errorf("DescribeImages takes 1 to %d images, not %d", MaxBatch, len(digests))
	}
	ids := make([]types.ImageIdentifier, len(digests))
	for i, d := range digests {
		ids[i] = types.ImageIdentifier{ImageDigest: aws.String(d)}
	}
	found := make(map[string]Image, len(digests))
	err := c.describe(ctx, repo, &ecr.DescribeImagesInput{ImageIds: ids}, func(images []Image) error {
		for _, i := range images {
			found[i.Digest] = i
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, d := range digests {
		if _, ok := found[d]; !ok {
			return nil, &Error{Op: "DescribeImages", Repository: repo, Kind: ErrImageNotFound, Detail: d + " is missing from the answer"}
		}
	}
	return found, nil
}

// DescribeTag gives the image that a tag points at now, in one DescribeImages.
// An unknown tag is [ErrImageNotFound].
func (c *Client) DescribeTag(ctx context.Context, repo Repository, tag string) (Image, error) {
	var found []Image
	err := c.describe(ctx, repo, &ecr.DescribeImagesInput{
		ImageIds: []types.ImageIdentifier{{ImageTag: aws.String(tag)}},
	}, func(images []Image) error {
		found = append(found, images...)
		return nil
	})
	if err != nil {
		return Image{}, err
	}
	if len(found) == 0 {
		// ECR shows active images only, unless asked for others.
		return Image{}, &Error{Op: "DescribeImages", Repository: repo, Kind: ErrImageNotFound, Detail: fmt.Sprintf("no active image has tag %q", tag)}
	}
	if len(found) != 1 || !slices.Contains(found[0].Tags, tag) {
		return Image{}, unusable("DescribeImages", repo, fmt.Sprintf("asked for tag %q, answered %d images, want the one with that tag", tag, len(found)))
	}
	return found[0], nil
}

// List gives every tagged image of the repository to each, page by page in
// ECR's order, which is none. It makes ⌈N/1000⌉ DescribeImages calls, at least
// one.
func (c *Client) List(ctx context.Context, repo Repository, each func([]Image) error) error {
	return c.describe(ctx, repo, &ecr.DescribeImagesInput{
		MaxResults: aws.Int32(pageSize),
		Filter:     &types.DescribeImagesFilter{TagStatus: types.TagStatusTagged},
	}, each)
}

func (c *Client) describe(ctx context.Context, repo Repository, in *ecr.DescribeImagesInput, each func([]Image) error) error {
	in.RegistryId, in.RepositoryName = aws.String(repo.Account), aws.String(repo.Name)
	seen, stalled := map[string]bool{}, 0
	for number := 1; ; number++ {
		out, err := do(ctx, c, "DescribeImages", repo, number, func(ctx context.Context, api *ecr.Client) (*ecr.DescribeImagesOutput, error) {
			return api.DescribeImages(ctx, in)
		})
		if err != nil {
			return err
		}
		page := make([]Image, len(out.ImageDetails))
		for i, d := range out.ImageDetails {
			if page[i], err = imageOf(repo, d); err != nil {
				return err
			}
		}
		if err := each(page); err != nil {
			return err
		}
		token := aws.ToString(out.NextToken)
		if token == "" {
			return nil
		}
		switch {
		case !seen[token]:
			seen[token], stalled = true, 0
		case len(page) == 0 && token == aws.ToString(in.NextToken) && stalled < maxStalled:
			stalled++ // an empty page that says to ask again
		default:
			return unusable("DescribeImages", repo, "the same page was offered twice")
		}
		in.NextToken = aws.String(token)
	}
}

func imageOf(repo Repository, d types.ImageDetail) (Image, error) {
	i := Image{
		Digest: aws.ToString(d.ImageDigest), Tags: d.ImageTags,
		MediaType: aws.ToString(d.ImageManifestMediaType), ArtifactType: aws.ToString(d.ArtifactMediaType),
		Subject: aws.ToString(d.SubjectManifestDigest), Status: string(d.ImageStatus),
	}
	if !digestRE.MatchString(i.Digest) || d.ImagePushedAt == nil {
		return Image{}, unusable("DescribeImages", repo, "an image without a valid digest or a push time")
	}
	i.PushedAt = d.ImagePushedAt.UTC()
	return i, nil
}
