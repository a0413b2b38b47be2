package ecremulator_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/proerror77/nova-staging/internal/ecremulator"
)

func TestDescribeImagesReportsEveryField(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	pushed := f.Now()
	digest := must(f.repository.Push(ecremulator.OCIImage("one"), "v1", "latest"))
	f.clock.Advance(time.Hour)
	if _, err := f.client().BatchGetImage(t.Context(), &ecr.BatchGetImageInput{RepositoryName: aws.String(repo), ImageIds: byTag("v1")}); err != nil {
		t.Fatal(err)
	}
	want := []types.ImageDetail{{
		RegistryId:             aws.String(account),
		RepositoryName:         aws.String(repo),
		ImageDigest:            &digest,
		ImageTags:              []string{"v1", "latest"},
		ImagePushedAt:          &pushed,
		ImageSizeInBytes:       aws.Int64(must(f.repository.Image(digest)).Size),
		ImageManifestMediaType: aws.String("application/vnd.oci.image.manifest.v1+json"),
		ArtifactMediaType:      aws.String("application/vnd.oci.image.config.v1+json"),
		LastRecordedPullTime:   aws.Time(pushed.Add(time.Hour)),
		ImageStatus:            types.ImageStatusActive,
	}}
	if diff := cmp.Diff(want, f.describe(t, byTag("latest")...), cmpopts.IgnoreUnexported(types.ImageDetail{})); diff != "" {
		t.Errorf("details differ (-want +got):\n%s", diff)
	}
}

func TestPushTimeBelongsToTheManifest(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first := f.Now()
	old := must(f.repository.Push(ecremulator.OCIImage("old"), "v1", "latest"))
	f.clock.Advance(24 * time.Hour)
	recent := must(f.repository.Push(ecremulator.OCIImage("recent"), "latest"))
	must(f.repository.Push(ecremulator.OCIImage("old"), "v1-again"))

	d := f.describe(t, byDigest(old)...)[0]
	if !d.ImagePushedAt.Equal(first) {
		t.Errorf("pushing the same manifest again moved its time from %v to %v", first, d.ImagePushedAt)
	}
	if diff := cmp.Diff([]string{"v1", "v1-again"}, d.ImageTags); diff != "" {
		t.Errorf("tags of the old image differ (-want +got):\n%s", diff)
	}
	if d := f.describe(t, byTag("latest")...)[0]; *d.ImageDigest != recent || !d.ImagePushedAt.Equal(f.Now()) {
		t.Errorf("latest is %s of %v, want %s of %v", *d.ImageDigest, d.ImagePushedAt, recent, f.Now())
	}
}

func TestDescribeImagesPages(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	start := f.Now()
	const n = 2500
	err := f.repository.SeedImages(n, func(i int) (string, time.Time) {
		if i%5 == 0 {
			return "", start.Add(time.Duration(i) * time.Minute)
		}
		return fmt.Sprintf("t%d", i), start.Add(time.Duration(i) * time.Minute)
	})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		filter *types.DescribeImagesFilter
		size   int32
		pages  int
		images int
	}{
		{"a hundred at a time by default", nil, 0, 25, n},
		{"a thousand at most", nil, 1000, 3, n},
		{"an even number of pages has no empty one", nil, 500, 5, n},
		{"tagged only", &types.DescribeImagesFilter{TagStatus: types.TagStatusTagged}, 1000, 2, n / 5 * 4},
		{"untagged only", &types.DescribeImagesFilter{TagStatus: types.TagStatusUntagged}, 1000, 1, n / 5},
		{"any", &types.DescribeImagesFilter{TagStatus: types.TagStatusAny, ImageStatus: types.ImageStatusFilterAny}, 1000, 3, n},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := &ecr.DescribeImagesInput{RepositoryName: aws.String(repo), Filter: tt.filter}
			if tt.size > 0 {
				in.MaxResults = &tt.size
			}
			p := ecr.NewDescribeImagesPaginator(f.client(), in)
			pages, seen, times := 0, map[string]bool{}, []time.Time(nil)
			for p.HasMorePages() {
				out, err := p.NextPage(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				pages++
				for _, d := range out.ImageDetails {
					seen[*d.ImageDigest] = true
					times = append(times, *d.ImagePushedAt)
				}
			}
			if pages != tt.pages || len(seen) != tt.images || len(times) != tt.images {
				t.Errorf("%d pages, %d images of which %d different; want %d and %d", pages, len(times), len(seen), tt.pages, tt.images)
			}
			if slices.IsSortedFunc(times, time.Time.Compare) {
				t.Error("images came in the order of their push times, which ECR does not promise")
			}
		})
	}
}

func TestPagesAreWholeWhileImagesComeAndGo(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var digests []string
	for i := range 20 {
		digests = append(digests, must(f.repository.Push(ecremulator.OCIImage(fmt.Sprint(i)))))
	}
	slices.Sort(digests)
	f.SetPageLimit(5)
	p := ecr.NewDescribeImagesPaginator(f.client(), &ecr.DescribeImagesInput{RepositoryName: aws.String(repo)})
	var got []string
	for i := 0; p.HasMorePages(); i++ {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range out.ImageDetails {
			got = append(got, *d.ImageDigest)
		}
		if i == 0 { // deleting what was seen must not shift what was not
			for _, d := range got {
				if err := f.repository.Delete(d); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if diff := cmp.Diff(digests, got); diff != "" {
		t.Errorf("images differ (-want +got):\n%s", diff)
	}
}

func TestDescribeImagesRefuses(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	digest := must(f.repository.Push(ecremulator.OCIImage("one"), "v1"))
	must(f.repository.Push(ecremulator.OCIImage("two"), "v2"))
	must(f.registry.CreateRepository("other"))
	in := func(change func(*ecr.DescribeImagesInput)) *ecr.DescribeImagesInput {
		i := &ecr.DescribeImagesInput{RepositoryName: aws.String(repo)}
		change(i)
		return i
	}
	page, err := f.client().DescribeImages(t.Context(), in(func(i *ecr.DescribeImagesInput) { i.MaxResults = aws.Int32(1) }))
	if err != nil || page.NextToken == nil {
		t.Fatalf("first page: %v, token %v", err, page.NextToken)
	}
	const invalid = "InvalidParameterException"
	tests := []struct {
		name    string
		in      *ecr.DescribeImagesInput
		code    string
		message string
	}{
		{
			"one unknown tag among known ones", in(func(i *ecr.DescribeImagesInput) { i.ImageIds = byTag("v1", "nope") }),
			"ImageNotFoundException", "The image with imageId {imageDigest:'null', imageTag:'nope'} does not exist within the repository with name 'nova/auth-service' in the registry with id '025434362120'",
		},
		{"a tag of another digest", in(func(i *ecr.DescribeImagesInput) {
			i.ImageIds = []types.ImageIdentifier{{ImageDigest: &digest, ImageTag: aws.String("v2")}}
		}), "ImageNotFoundException", "imageTag:'v2'"},
		{
			"an unknown repository", &ecr.DescribeImagesInput{RepositoryName: aws.String("nova/none")},
			"RepositoryNotFoundException", "The repository with name 'nova/none' does not exist in the registry with id '025434362120'",
		},
		{"a malformed repository", &ecr.DescribeImagesInput{RepositoryName: aws.String("Nova")}, invalid, "'repositoryName'"},
		{"a malformed registry", in(func(i *ecr.DescribeImagesInput) { i.RegistryId = aws.String("12") }), invalid, "'registryId'"},
		{
			"another account's registry", in(func(i *ecr.DescribeImagesInput) { i.RegistryId = aws.String("999999999999") }),
			"AccessDeniedException", "User: arn:aws:iam::025434362120:user/emulator is not authorized to perform: ecr:DescribeImages on resource: arn:aws:ecr:ap-northeast-1:999999999999:repository/nova/auth-service because no resource-based policy allows the ecr:DescribeImages action",
		},
		{
			"too large pages", in(func(i *ecr.DescribeImagesInput) { i.MaxResults = aws.Int32(1001) }), invalid,
			"Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must have value less than or equal to 1000'",
		},
		{"pages of nothing", in(func(i *ecr.DescribeImagesInput) { i.MaxResults = aws.Int32(0) }), invalid, "greater than or equal to 1"},
		{"pages of named images", in(func(i *ecr.DescribeImagesInput) { i.MaxResults = aws.Int32(1); i.ImageIds = byTag("v1") }), invalid, "'maxResults'"},
		{"a token with named images", in(func(i *ecr.DescribeImagesInput) { i.NextToken = page.NextToken; i.ImageIds = byTag("v1") }), invalid, "'nextToken'"},
		{"no ids in a list of ids", in(func(i *ecr.DescribeImagesInput) { i.ImageIds = byTag() }), invalid, "greater than or equal to 1"},
		{
			"more than a hundred ids", in(func(i *ecr.DescribeImagesInput) { i.ImageIds = byTag(make([]string, 101)...) }), invalid,
			"Invalid parameter at 'imageIds' failed to satisfy constraint: 'Member must have length less than or equal to 100'",
		},
		{"an id without tag and digest", in(func(i *ecr.DescribeImagesInput) { i.ImageIds = []types.ImageIdentifier{{}} }), invalid, "null"},
		{"a token that nobody gave", in(func(i *ecr.DescribeImagesInput) { i.NextToken = aws.String("bm9wZQ==") }), invalid, "'nextToken'"},
		{"a token of another repository", &ecr.DescribeImagesInput{RepositoryName: aws.String("other"), NextToken: page.NextToken}, invalid, "'nextToken'"},
		{"a token of another filter", in(func(i *ecr.DescribeImagesInput) {
			i.NextToken, i.Filter = page.NextToken, &types.DescribeImagesFilter{TagStatus: types.TagStatusTagged}
		}), invalid, "'nextToken'"},
		{"an unknown filter", in(func(i *ecr.DescribeImagesInput) { i.Filter = &types.DescribeImagesFilter{TagStatus: "SOME"} }), invalid, "tagStatus"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := f.client().DescribeImages(t.Context(), tt.in)
			wantCode(t, err, tt.code)
			if err != nil && !strings.Contains(err.Error(), tt.message) {
				t.Errorf("error is %q, want it to hold %q", err, tt.message)
			}
		})
	}
}

func TestOnlyActiveImagesAreListedUnlessAskedFor(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	must(f.repository.Push(ecremulator.OCIImage("one"), "v1"))
	if err := f.repository.SetStatus(must(f.repository.Push(ecremulator.OCIImage("two"), "v2")), ecremulator.StatusArchived); err != nil {
		t.Fatal(err)
	}
	for status, want := range map[types.ImageStatusFilter]int{"": 1, "ACTIVE": 1, "ARCHIVED": 1, "ACTIVATING": 0, "ANY": 2} {
		out, err := f.client().DescribeImages(t.Context(), &ecr.DescribeImagesInput{
			RepositoryName: aws.String(repo), Filter: &types.DescribeImagesFilter{ImageStatus: status},
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.ImageDetails) != want {
			t.Errorf("imageStatus %q lists %d images, want %d", status, len(out.ImageDetails), want)
		}
	}
}

func TestListImagesNamesEveryTag(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	want := map[string]bool{}
	for i := range 6 {
		tags := []string{}
		for j := range i {
			tags = append(tags, fmt.Sprintf("t%d-%d", i, j))
		}
		digest := must(f.repository.Push(ecremulator.OCIImage(fmt.Sprint(i)), tags...))
		for _, tag := range tags {
			want[digest+" "+tag] = true
		}
		if i == 0 {
			want[digest+" "] = true
		}
	}
	for size := int32(1); size <= 17; size++ { // pages end at every place, also amid one image's tags
		p := ecr.NewListImagesPaginator(f.client(), &ecr.ListImagesInput{RepositoryName: aws.String(repo), MaxResults: &size})
		got := map[string]bool{}
		for n := 0; p.HasMorePages(); n++ {
			out, err := p.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range out.ImageIds {
				key := *id.ImageDigest + " " + aws.ToString(id.ImageTag)
				if got[key] {
					t.Errorf("pages of %d name %s twice", size, key)
				}
				got[key] = true
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("pages of %d differ (-want +got):\n%s", size, diff)
		}
	}
}

func TestDescribeRepositories(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	must(f.registry.CreateRepository("nova/b", ecremulator.WithImmutableTags()))
	must(f.registry.CreateRepository("nova/c", ecremulator.WithImmutableTags("latest", "cache-*")))
	p := ecr.NewDescribeRepositoriesPaginator(f.client(), &ecr.DescribeRepositoriesInput{MaxResults: aws.Int32(2)})
	got := map[string]types.ImageTagMutability{}
	for p.HasMorePages() {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range out.Repositories {
			got[*r.RepositoryUri] = r.ImageTagMutability
		}
	}
	host := "025434362120.dkr.ecr.ap-northeast-1.amazonaws.com/"
	want := map[string]types.ImageTagMutability{
		host + repo: "MUTABLE", host + "nova/b": "IMMUTABLE", host + "nova/c": "IMMUTABLE_WITH_EXCLUSION",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("repositories differ (-want +got):\n%s", diff)
	}
	_, err := f.client().DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{RepositoryNames: []string{repo, "none"}})
	wantCode(t, err, "RepositoryNotFoundException")
}
