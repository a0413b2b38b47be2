package ecremulator

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

type putImageInput struct {
	RegistryID             string  `json:"registryId"`
	RepositoryName         string  `json:"repositoryName"`
	ImageManifest          *string `json:"imageManifest"`
	ImageManifestMediaType string  `json:"imageManifestMediaType"`
	ImageTag               string  `json:"imageTag"`
	ImageDigest            string  `json:"imageDigest"`
}

type putImageOutput struct {
	Image imageOutput `json:"image"`
}

func (e *Emulator) putImage(r *request, in *putImageInput) (any, *apiError) {
	if in.ImageManifest == nil || *in.ImageManifest == "" {
		return nil, constraint("imageManifest", "Member must have length greater than or equal to 1")
	}
	if in.ImageTag != "" && !tagRE.MatchString(in.ImageTag) {
		return nil, constraint("imageTag", "must satisfy regular expression '"+tagPattern+"'")
	}
	repo, err := e.lookup(r, in.RegistryID, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	manifest := []byte(*in.ImageManifest)
	if in.ImageDigest != "" && in.ImageDigest != digestOf(manifest) {
		return nil, clientError("ImageDigestDoesNotMatchException",
			"The provided image digest '%s' does not match the digest of the manifest '%s'", in.ImageDigest, digestOf(manifest))
	}
	img, existed, err := repo.putTagged(e.Now(), manifest, in.ImageManifestMediaType, in.ImageTag)
	if err != nil {
		return nil, err
	}
	if existed {
		tag := ""
		if in.ImageTag != "" {
			tag = fmt.Sprintf(" and tag '%s'", in.ImageTag)
		}
		return nil, clientError("ImageAlreadyExistsException",
			"Image with digest '%s'%s already exists in the repository with name '%s' in registry with id '%s'",
			img.digest, tag, repo.name, repo.registry.account)
	}
	id := imageID{Digest: &img.digest}
	if in.ImageTag != "" {
		id.Tag = &in.ImageTag
	}
	return putImageOutput{imageOutput{repo.registry.account, repo.name, id, string(img.manifest), img.mediaType}}, nil
}

// putTagged stores a manifest that came over the wire and puts tag on it, if
// there is one. existed tells that nothing changed. Nothing is stored if the
// tag can not be moved.
func (r *Repository) putTagged(now time.Time, manifest []byte, mediaType, tag string) (img *image, existed bool, _ *apiError) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if tag != "" && r.fixed(tag) && r.tags[tag] != nil {
		return nil, false, clientError("ImageTagAlreadyExistsException",
			"The image tag '%s' already exists in the '%s' repository and cannot be overwritten because the repository is immutable.",
			tag, r.name)
	}
	img, created, err := r.put(now, manifest, mediaType, true)
	if err != nil {
		return nil, false, r.putError(err)
	}
	if tag == "" {
		if created {
			r.emit(now, img)
		}
		return img, !created, nil
	}
	err = r.tag(img, tag)
	if err == nil {
		r.emit(now, img, tag)
	}
	return img, errors.Is(err, ErrExists), nil
}

// cacheIndexRule stands for the words ECR has for an index of blobs, as BuildKit
// makes for caches without image-manifest=true. It is known to be refused, with
// 400 where other bad manifests are 405 on /v2/; its words are not.
const cacheIndexRule = "Manifest list may only reference images"

var errCacheIndex = errors.New("index lists blobs")

func (r *Repository) putError(err error) *apiError {
	if errors.Is(err, errCacheIndex) {
		return constraint("ImageManifest", cacheIndexRule)
	}
	if !errors.Is(err, ErrMissingReference) {
		return constraint("ImageManifest", "Invalid JSON syntax")
	}
	if strings.HasPrefix(err.Error(), "find image") {
		return clientError("ReferencedImagesNotFoundException",
			"The manifest list is referencing an image that does not exist in the repository with name '%s' in the registry with id '%s'",
			r.name, r.registry.account)
	}
	return clientError("LayersNotFoundException", "One or more layers do not exist within the repository with name '%s' in the registry with id '%s'",
		r.name, r.registry.account)
}

type batchDeleteImageInput struct {
	RegistryID     string    `json:"registryId"`
	RepositoryName string    `json:"repositoryName"`
	ImageIDs       []imageID `json:"imageIds"`
}

type batchDeleteImageOutput struct {
	ImageIDs []imageID `json:"imageIds"`
	Failures []failure `json:"failures"`
}

// batchDeleteImage removes images named by digest, and tags named by tag. An
// image goes with its last tag.
func (e *Emulator) batchDeleteImage(r *request, in *batchDeleteImageInput) (any, *apiError) {
	if in.ImageIDs == nil {
		return nil, constraint("imageIds", "Member must not be null")
	}
	if err := checkImageIDs(in.ImageIDs); err != nil {
		return nil, err
	}
	repo, err := e.lookup(r, in.RegistryID, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	repo.mu.Lock()
	defer repo.mu.Unlock()
	out := batchDeleteImageOutput{ImageIDs: []imageID{}, Failures: []failure{}}
	for _, id := range in.ImageIDs {
		gone, fail := repo.deleteByID(id)
		if fail != nil {
			out.Failures = append(out.Failures, *fail)
		}
		out.ImageIDs = append(out.ImageIDs, gone...)
	}
	return out, nil
}

func (r *Repository) deleteByID(id imageID) ([]imageID, *failure) {
	img, fail := r.resolve(id)
	if fail != nil {
		return nil, fail
	}
	if id.Tag != nil && len(img.tags) > 1 {
		img.dropTag(*id.Tag)
		delete(r.tags, *id.Tag)
		return []imageID{{Digest: &img.digest, Tag: id.Tag}}, nil
	}
	if r.parents[img.digest] > 0 {
		return nil, &failure{
			id, "ImageReferencedByManifestList",
			"Requested image referenced by manifest list: [" + strings.Join(r.parentsOf(img.digest), ", ") + "]",
		}
	}
	gone := img.identifiers()
	r.remove(img)
	return gone, nil
}

func (r *Repository) parentsOf(digest string) []string {
	var found []string
	for _, i := range r.order {
		if slices.Contains(i.children, digest) {
			found = append(found, i.digest)
		}
	}
	return found
}
