package ecremulator

import "slices"

type failure struct {
	ImageID       imageID `json:"imageId"`
	FailureCode   string  `json:"failureCode"`
	FailureReason string  `json:"failureReason"`
}

type batchGetImageInput struct {
	RegistryID         string    `json:"registryId"`
	RepositoryName     string    `json:"repositoryName"`
	ImageIDs           []imageID `json:"imageIds"`
	AcceptedMediaTypes []string  `json:"acceptedMediaTypes"`
}

type batchGetImageOutput struct {
	Images   []imageOutput `json:"images"`
	Failures []failure     `json:"failures"`
}

type imageOutput struct {
	RegistryID             string  `json:"registryId"`
	RepositoryName         string  `json:"repositoryName"`
	ImageID                imageID `json:"imageId"`
	ImageManifest          string  `json:"imageManifest"`
	ImageManifestMediaType string  `json:"imageManifestMediaType,omitempty"`
}

func (e *Emulator) batchGetImage(r *request, in *batchGetImageInput) (any, *apiError) {
	if in.ImageIDs == nil {
		return nil, constraint("imageIds", "Member must not be null")
	}
	if err := checkImageIDs(in.ImageIDs); err != nil {
		return nil, err
	}
	if in.AcceptedMediaTypes != nil && len(in.AcceptedMediaTypes) == 0 {
		return nil, constraint("acceptedMediaTypes", "Member must have length greater than or equal to 1")
	}
	repo, err := e.lookup(r, in.RegistryID, in.RepositoryName)
	if err != nil {
		return nil, err
	}

	repo.mu.RLock()
	defer repo.mu.RUnlock()
	now := e.Now()
	out := batchGetImageOutput{Images: []imageOutput{}, Failures: []failure{}}
	for _, id := range in.ImageIDs {
		i, fail := repo.resolve(id)
		// No public record shows an image whose type was not accepted; that
		// it is as good as absent follows the OCI half, which answers 404.
		if fail == nil && len(in.AcceptedMediaTypes) > 0 && !slices.Contains(in.AcceptedMediaTypes, i.mediaType) {
			fail = notFound(id)
		}
		// A guess too: of the failure codes this is the one that fits.
		if fail == nil && i.status != StatusActive {
			fail = &failure{id, "ImageInaccessible", "Requested image is archived and cannot be retrieved"}
		}
		if fail != nil {
			out.Failures = append(out.Failures, *fail)
			continue
		}
		i.recordPull(now)
		out.Images = append(out.Images, imageOutput{
			RegistryID:             repo.registry.account,
			RepositoryName:         repo.name,
			ImageID:                imageID{Digest: &i.digest, Tag: id.Tag},
			ImageManifest:          string(i.manifest),
			ImageManifestMediaType: i.mediaType,
		})
	}
	return out, nil
}

func notFound(id imageID) *failure {
	return &failure{id, "ImageNotFound", "Requested image not found"}
}

// resolve finds the image that an identifier means, or says why there is none.
// The caller holds the lock.
func (r *Repository) resolve(id imageID) (*image, *failure) {
	switch {
	case id.Digest == nil && id.Tag == nil:
		return nil, &failure{id, "MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null"}
	case id.Digest != nil && !digestRE.MatchString(*id.Digest):
		return nil, &failure{
			id, "InvalidImageDigest",
			"Invalid request parameters: image digest should satisfy the regex '" + digestPattern + "'",
		}
	case id.Tag != nil && (len(*id.Tag) < 1 || len(*id.Tag) > 300):
		return nil, &failure{id, "InvalidImageTag", "Invalid request parameters: image tag should have length between 1 and 300"}
	}
	var byTag, byDigest *image
	if id.Tag != nil {
		if byTag = r.tags[*id.Tag]; byTag == nil {
			return nil, notFound(id)
		}
	}
	if id.Digest == nil {
		return byTag, nil
	}
	if byDigest = r.images[*id.Digest]; byDigest == nil {
		return nil, notFound(id)
	}
	if byTag != nil && byTag != byDigest {
		return nil, &failure{id, "ImageTagDoesNotMatchDigest", "Requested image tag does not match the image digest"}
	}
	return byDigest, nil
}

// identifiers lists an image as ListImages does: by tag, sorted so that a page
// can end between two of them.
func (i *image) identifiers() []imageID {
	if len(i.tags) == 0 {
		return []imageID{{Digest: &i.digest}}
	}
	tags := slices.Sorted(slices.Values(i.tags))
	ids := make([]imageID, len(tags))
	for n := range tags {
		ids[n] = imageID{Digest: &i.digest, Tag: &tags[n]}
	}
	return ids
}
