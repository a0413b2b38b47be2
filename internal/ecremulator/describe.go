package ecremulator

import "fmt"

type imageID struct {
	Digest *string `json:"imageDigest,omitempty"`
	Tag    *string `json:"imageTag,omitempty"`
}

// String words an identifier as ECR does in messages.
func (id imageID) String() string {
	return fmt.Sprintf("{imageDigest:'%s', imageTag:'%s'}", orNull(id.Digest), orNull(id.Tag))
}

func orNull(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}

type describeImagesInput struct {
	RegistryID     string       `json:"registryId"`
	RepositoryName string       `json:"repositoryName"`
	ImageIDs       []imageID    `json:"imageIds"`
	Filter         *imageFilter `json:"filter"`
	MaxResults     *int         `json:"maxResults"`
	NextToken      *string      `json:"nextToken"`
}

type describeImagesOutput struct {
	ImageDetails []imageDetail `json:"imageDetails"`
	NextToken    *string       `json:"nextToken,omitempty"`
}

type imageDetail struct {
	RegistryID             string   `json:"registryId"`
	RepositoryName         string   `json:"repositoryName"`
	ImageDigest            string   `json:"imageDigest"`
	ImageTags              []string `json:"imageTags,omitempty"`
	ImageSizeInBytes       int64    `json:"imageSizeInBytes"`
	ImagePushedAt          epoch    `json:"imagePushedAt"`
	ImageManifestMediaType string   `json:"imageManifestMediaType,omitempty"`
	ArtifactMediaType      string   `json:"artifactMediaType,omitempty"`
	LastRecordedPullTime   *epoch   `json:"lastRecordedPullTime,omitempty"`
	SubjectManifestDigest  string   `json:"subjectManifestDigest,omitempty"`
	ImageStatus            Status   `json:"imageStatus,omitempty"`

	ImageScanStatus          *scanStatus  `json:"imageScanStatus,omitempty"`
	ImageScanFindingsSummary *scanSummary `json:"imageScanFindingsSummary,omitempty"`
}

func (r *Repository) detail(i *image) imageDetail {
	status, summary := i.summary()
	return imageDetail{
		RegistryID:             r.registry.account,
		RepositoryName:         r.name,
		ImageDigest:            i.digest,
		ImageTags:              i.tags, // replaced, never changed in place
		ImageSizeInBytes:       i.size,
		ImagePushedAt:          epoch(i.pushedAt),
		ImageManifestMediaType: i.mediaType,
		ArtifactMediaType:      i.artifactType,
		LastRecordedPullTime:   optional(i.pulledAt()),
		SubjectManifestDigest:  i.subject,
		ImageStatus:            i.status,

		ImageScanStatus:          status,
		ImageScanFindingsSummary: summary,
	}
}

func (e *Emulator) describeImages(r *request, in *describeImagesInput) (any, *apiError) {
	if in.ImageIDs != nil {
		if err := checkImageIDs(in.ImageIDs); err != nil {
			return nil, err
		}
		if in.MaxResults != nil {
			return nil, clientError("InvalidParameterException", "Invalid parameter: 'maxResults' cannot be used when 'imageIds' is specified")
		}
		if in.NextToken != nil {
			return nil, clientError("InvalidParameterException", "Invalid parameter: 'nextToken' cannot be used when 'imageIds' is specified")
		}
	}
	size, err := e.pageSize(in.MaxResults)
	if err != nil {
		return nil, err
	}
	if err := in.Filter.check(); err != nil {
		return nil, err
	}
	repo, err := e.lookup(r, in.RegistryID, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	if in.ImageIDs != nil {
		return repo.describeByID(in)
	}
	at := cursor{Operation: "DescribeImages", Account: repo.registry.account, Scope: repo.name, Filter: in.Filter}
	if in.NextToken != nil {
		if at, err = e.unseal(*in.NextToken, at); err != nil {
			return nil, err
		}
	}

	repo.mu.RLock()
	defer repo.mu.RUnlock()
	out := describeImagesOutput{ImageDetails: make([]imageDetail, 0, min(size, len(repo.order)))}
	if r.emptyPage {
		out.NextToken = e.seal(at)
		return out, nil
	}
	for _, i := range repo.order[after(repo.order, at.Last):] {
		if !in.Filter.admits(i) {
			continue
		}
		if len(out.ImageDetails) == size {
			out.NextToken = e.seal(at)
			break
		}
		out.ImageDetails = append(out.ImageDetails, repo.detail(i))
		at.Last = i.digest
	}
	return out, nil
}

// describeByID answers for images asked for one by one. A single unknown one
// fails the whole call. An image that was asked for twice comes once.
func (r *Repository) describeByID(in *describeImagesInput) (any, *apiError) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := describeImagesOutput{ImageDetails: []imageDetail{}}
	seen := map[*image]bool{}
	for _, id := range in.ImageIDs {
		if id.Digest == nil && id.Tag == nil {
			return nil, clientError("InvalidParameterException", "Invalid request parameters: both imageDigest and imageTag are null")
		}
		i, failure := r.resolve(id)
		if failure != nil {
			return nil, clientError("ImageNotFoundException",
				"The image with imageId %s does not exist within the repository with name '%s' in the registry with id '%s'",
				id, r.name, r.registry.account)
		}
		if !seen[i] && in.Filter.admits(i) {
			seen[i] = true
			out.ImageDetails = append(out.ImageDetails, r.detail(i))
		}
	}
	return out, nil
}

func checkImageIDs(ids []imageID) *apiError {
	if len(ids) < 1 {
		return constraint("imageIds", "Member must have length greater than or equal to 1")
	}
	if len(ids) > maxImageIDs {
		return constraint("imageIds", "Member must have length less than or equal to 100")
	}
	return nil
}

type listImagesInput struct {
	RegistryID     string       `json:"registryId"`
	RepositoryName string       `json:"repositoryName"`
	Filter         *imageFilter `json:"filter"`
	MaxResults     *int         `json:"maxResults"`
	NextToken      *string      `json:"nextToken"`
}

type listImagesOutput struct {
	ImageIDs  []imageID `json:"imageIds"`
	NextToken *string   `json:"nextToken,omitempty"`
}

// listImages answers with one identifier for each tag, and one without a tag
// for each image that has none.
func (e *Emulator) listImages(r *request, in *listImagesInput) (any, *apiError) {
	size, err := e.pageSize(in.MaxResults)
	if err != nil {
		return nil, err
	}
	if err := in.Filter.check(); err != nil {
		return nil, err
	}
	repo, err := e.lookup(r, in.RegistryID, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	at := cursor{Operation: "ListImages", Account: repo.registry.account, Scope: repo.name, Filter: in.Filter}
	if in.NextToken != nil {
		if at, err = e.unseal(*in.NextToken, at); err != nil {
			return nil, err
		}
	}

	repo.mu.RLock()
	defer repo.mu.RUnlock()
	out := listImagesOutput{ImageIDs: make([]imageID, 0, min(size, len(repo.tags)+1))}
	if r.emptyPage {
		out.NextToken = e.seal(at)
		return out, nil
	}
	start := after(repo.order, at.Last)
	if at.LastTag != "" && start > 0 {
		start-- // the page before may have ended amid the tags of one image
	}
	for _, i := range repo.order[start:] {
		if !in.Filter.admits(i) {
			continue
		}
		for _, id := range i.identifiers() {
			if i.digest == at.Last && (id.Tag == nil || *id.Tag <= at.LastTag) || i.digest < at.Last {
				continue
			}
			if len(out.ImageIDs) == size {
				out.NextToken = e.seal(at)
				return out, nil
			}
			out.ImageIDs = append(out.ImageIDs, id)
			at.Last, at.LastTag = i.digest, orEmpty(id.Tag)
		}
	}
	return out, nil
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
