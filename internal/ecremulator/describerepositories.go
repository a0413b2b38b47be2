package ecremulator

import "sort"

type describeRepositoriesInput struct {
	RegistryID      string   `json:"registryId"`
	RepositoryNames []string `json:"repositoryNames"`
	MaxResults      *int     `json:"maxResults"`
	NextToken       *string  `json:"nextToken"`
}

type describeRepositoriesOutput struct {
	Repositories []repositoryDetail `json:"repositories"`
	NextToken    *string            `json:"nextToken,omitempty"`
}

type repositoryDetail struct {
	RepositoryArn              string            `json:"repositoryArn"`
	RegistryID                 string            `json:"registryId"`
	RepositoryName             string            `json:"repositoryName"`
	RepositoryURI              string            `json:"repositoryUri"`
	CreatedAt                  epoch             `json:"createdAt"`
	ImageTagMutability         string            `json:"imageTagMutability"`
	ExclusionFilters           []exclusionFilter `json:"imageTagMutabilityExclusionFilters,omitempty"`
	ImageScanningConfiguration map[string]bool   `json:"imageScanningConfiguration"`
	EncryptionConfiguration    map[string]string `json:"encryptionConfiguration"`
}

type exclusionFilter struct {
	FilterType string `json:"filterType"`
	Filter     string `json:"filter"`
}

func (r *Repository) describe() repositoryDetail {
	mutability := "MUTABLE"
	if r.immutable {
		mutability = "IMMUTABLE"
	}
	var exclusions []exclusionFilter
	for _, pattern := range r.mutableTags {
		mutability = "IMMUTABLE_WITH_EXCLUSION"
		exclusions = append(exclusions, exclusionFilter{"WILDCARD", pattern})
	}
	return repositoryDetail{
		RepositoryArn:              r.registry.arn(r.name),
		RegistryID:                 r.registry.account,
		RepositoryName:             r.name,
		RepositoryURI:              r.URI(),
		CreatedAt:                  epoch(r.createdAt),
		ImageTagMutability:         mutability,
		ExclusionFilters:           exclusions,
		ImageScanningConfiguration: map[string]bool{"scanOnPush": r.scanOnPush},
		EncryptionConfiguration:    map[string]string{"encryptionType": "AES256"},
	}
}

func (e *Emulator) describeRepositories(r *request, in *describeRepositoriesInput) (any, *apiError) {
	if in.RepositoryNames != nil {
		if len(in.RepositoryNames) < 1 {
			return nil, constraint("repositoryNames", "Member must have length greater than or equal to 1")
		}
		if len(in.RepositoryNames) > 100 {
			return nil, constraint("repositoryNames", "Member must have length less than or equal to 100")
		}
		if in.MaxResults != nil || in.NextToken != nil {
			return nil, clientError("InvalidParameterException", "Invalid parameter: pagination cannot be used when 'repositoryNames' is specified")
		}
	}
	size, err := e.pageSize(in.MaxResults)
	if err != nil {
		return nil, err
	}
	out := describeRepositoriesOutput{Repositories: []repositoryDetail{}}
	if in.RepositoryNames != nil {
		for _, name := range in.RepositoryNames {
			repo, err := e.lookup(r, in.RegistryID, name)
			if err != nil {
				return nil, err
			}
			out.Repositories = append(out.Repositories, repo.describe())
		}
		return out, nil
	}
	account, err := e.accountFor(r, in.RegistryID)
	if err != nil {
		return nil, err
	}
	if err := e.authorize(r, account, ""); err != nil {
		return nil, err
	}
	at := cursor{Operation: "DescribeRepositories", Account: account}
	if in.NextToken != nil {
		if at, err = e.unseal(*in.NextToken, at); err != nil {
			return nil, err
		}
	}
	reg := e.registry(account, r.region)
	if reg == nil {
		return out, nil
	}
	reg.mu.RLock()
	defer reg.mu.RUnlock()
	start := sort.Search(len(reg.names), func(i int) bool { return reg.names[i] > at.Last })
	for _, name := range reg.names[start:] {
		if len(out.Repositories) == size {
			out.NextToken = e.seal(at)
			break
		}
		out.Repositories = append(out.Repositories, reg.repos[name].describe())
		at.Last = name
	}
	return out, nil
}
