package ecremulator_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestCreateRepository(t *testing.T) {
	t.Parallel()
	filter := types.ImageTagMutabilityExclusionFilter{Filter: aws.String("latest"), FilterType: types.ImageTagMutabilityExclusionFilterTypeWildcard}
	tests := []struct {
		name string
		in   ecr.CreateRepositoryInput
		code string
		want types.ImageTagMutability
	}{
		{"a name only", ecr.CreateRepositoryInput{RepositoryName: aws.String("nova/new")}, "", types.ImageTagMutabilityMutable},
		{"immutable tags", ecr.CreateRepositoryInput{RepositoryName: aws.String("nova/new"), ImageTagMutability: types.ImageTagMutabilityImmutable}, "", types.ImageTagMutabilityImmutable},
		{
			"immutable tags but for one",
			ecr.CreateRepositoryInput{
				RepositoryName: aws.String("nova/new"), ImageTagMutability: types.ImageTagMutabilityImmutableWithExclusion,
				ImageTagMutabilityExclusionFilters: []types.ImageTagMutabilityExclusionFilter{filter},
			},
			"", types.ImageTagMutabilityImmutableWithExclusion,
		},
		{
			"scans on push",
			ecr.CreateRepositoryInput{RepositoryName: aws.String("nova/new"), ImageScanningConfiguration: &types.ImageScanningConfiguration{ScanOnPush: true}},
			"", types.ImageTagMutabilityMutable,
		},
		{"one that is there", ecr.CreateRepositoryInput{RepositoryName: aws.String(repo)}, "RepositoryAlreadyExistsException", ""},
		{"a name in capitals", ecr.CreateRepositoryInput{RepositoryName: aws.String("Nova")}, "InvalidParameterException", ""},
		{"an unknown mutability", ecr.CreateRepositoryInput{RepositoryName: aws.String("nova/new"), ImageTagMutability: "SOMETIMES"}, "InvalidParameterException", ""},
		{"another account's registry", ecr.CreateRepositoryInput{RepositoryName: aws.String("nova/new"), RegistryId: aws.String("111122223333")}, "AccessDeniedException", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			out, err := f.client().CreateRepository(t.Context(), &tt.in)
			wantCode(t, err, tt.code)
			if err != nil {
				return
			}
			if got := out.Repository.ImageTagMutability; got != tt.want {
				t.Errorf("the tags are %s, want %s", got, tt.want)
			}
			if scans := tt.in.ImageScanningConfiguration != nil; out.Repository.ImageScanningConfiguration.ScanOnPush != scans {
				t.Errorf("it scans on push is %t, want %t", !scans, scans)
			}
			described, err := f.client().DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{RepositoryNames: []string{"nova/new"}})
			wantCode(t, err, "")
			if diff := cmp.Diff(out.Repository, &described.Repositories[0], cmpopts.IgnoreUnexported(types.Repository{}, types.ImageScanningConfiguration{}, types.EncryptionConfiguration{}, types.ImageTagMutabilityExclusionFilter{})); diff != "" {
				t.Errorf("it is described otherwise than it was made (-made +described):\n%s", diff)
			}
			if f.registry.Repository("nova/new") == nil {
				t.Error("there is no such repository")
			}
		})
	}
}

func TestCreateRepositoryInAnAccountWithoutRegistry(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := must(f.CreateUser("111122223333", "admin"))
	out, err := f.client(as(user)).CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: aws.String("nova/new")})
	wantCode(t, err, "")
	if got, want := aws.ToString(out.Repository.RepositoryUri), "111122223333.dkr.ecr."+region+".amazonaws.com/nova/new"; got != want {
		t.Errorf("the repository is %s, want %s", got, want)
	}
}
