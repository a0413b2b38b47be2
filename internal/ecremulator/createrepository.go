package ecremulator

import "errors"

type createRepositoryInput struct {
	RegistryID         string            `json:"registryId"`
	RepositoryName     string            `json:"repositoryName"`
	ImageTagMutability string            `json:"imageTagMutability"`
	ExclusionFilters   []exclusionFilter `json:"imageTagMutabilityExclusionFilters"`
	ImageScanning      struct {
		ScanOnPush bool `json:"scanOnPush"`
	} `json:"imageScanningConfiguration"`
}

type createRepositoryOutput struct {
	Repository repositoryDetail `json:"repository"`
}

func (e *Emulator) createRepository(r *request, in *createRepositoryInput) (any, *apiError) {
	account, refused := e.accountFor(r, in.RegistryID)
	if refused != nil {
		return nil, refused
	}
	if refused := e.authorize(r, account, in.RepositoryName); refused != nil {
		return nil, refused
	}
	var options []RepositoryOption
	switch in.ImageTagMutability {
	case "", "MUTABLE":
	case "IMMUTABLE":
		options = append(options, WithImmutableTags())
	case "IMMUTABLE_WITH_EXCLUSION":
		var except []string
		for _, f := range in.ExclusionFilters {
			except = append(except, f.Filter)
		}
		options = append(options, WithImmutableTags(except...))
	default:
		return nil, constraint("imageTagMutability", "Member must satisfy enum value set: [IMMUTABLE, IMMUTABLE_WITH_EXCLUSION, MUTABLE, MUTABLE_WITH_EXCLUSION]")
	}
	if in.ImageScanning.ScanOnPush {
		options = append(options, WithScanOnPush())
	}
	registry := e.registry(account, r.region)
	if registry == nil {
		// A real account has a registry in every region; here it is made at need.
		var err error
		if registry, err = e.CreateRegistry(account, r.region); errors.Is(err, ErrExists) {
			registry = e.registry(account, r.region)
		} else if err != nil {
			return nil, constraint("registryId", err.Error())
		}
	}
	repository, err := registry.CreateRepository(in.RepositoryName, options...)
	switch {
	case errors.Is(err, ErrExists):
		return nil, clientError("RepositoryAlreadyExistsException",
			"The repository with name '%s' already exists in the registry with id '%s'", in.RepositoryName, account)
	case err != nil:
		return nil, constraint("repositoryName", "must satisfy regular expression '"+repositoryPattern+"'")
	}
	return createRepositoryOutput{repository.describe()}, nil
}
