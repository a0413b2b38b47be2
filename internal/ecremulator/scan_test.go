package ecremulator_test

import (
	"errors"
	"fmt"
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

func (f *fixture) findings(t testing.TB, digest string, change ...func(*ecr.DescribeImageScanFindingsInput)) (*ecr.DescribeImageScanFindingsOutput, error) {
	t.Helper()
	in := &ecr.DescribeImageScanFindingsInput{RepositoryName: aws.String(repo), ImageId: &byDigest(digest)[0]}
	for _, c := range change {
		c(in)
	}
	return f.client().DescribeImageScanFindings(t.Context(), in)
}

func TestABasicScanIsReportedByItsOwnCallOnly(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	digest := must(f.repository.Push(ecremulator.OCIImage("one"), "v1"))
	done := f.Now().Add(-time.Minute)
	check(t, f.repository.SetScan(digest, ecremulator.Scan{
		Status: ecremulator.ScanComplete, Description: "The scan was completed successfully.",
		Findings: map[string]int{"LOW": 1, "CRITICAL": 2}, CompletedAt: done,
	}))
	out, err := f.findings(t, digest)
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, x := range out.ImageScanFindings.Findings {
		listed = append(listed, string(x.Severity))
	}
	if got := strings.Join(listed, " "); got != "CRITICAL CRITICAL LOW" {
		t.Errorf("findings are %q", got)
	}
	want := map[string]int32{"LOW": 1, "CRITICAL": 2}
	if diff := cmp.Diff(want, out.ImageScanFindings.FindingSeverityCounts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if at := out.ImageScanFindings.ImageScanCompletedAt; !at.Equal(done) || out.ImageScanStatus.Status != types.ScanStatusComplete || out.ImageScanFindings.EnhancedFindings != nil {
		t.Errorf("scan is %+v of %v", out.ImageScanStatus, at)
	}
	if d := f.describe(t, byTag("v1")...)[0]; d.ImageScanStatus != nil || d.ImageScanFindingsSummary != nil {
		t.Errorf("DescribeImages tells of a basic scan: %+v", d)
	}
}

func TestAnEnhancedScanIsReportedByDescribeImagesToo(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	digest := must(f.repository.Push(ecremulator.OCIImage("one"), "v1"))
	check(t, f.repository.SetScan(digest, ecremulator.Scan{Status: ecremulator.ScanActive, Enhanced: true, Findings: map[string]int{"UNTRIAGED": 1}}))
	out, err := f.findings(t, digest)
	if err != nil {
		t.Fatal(err)
	}
	if e := out.ImageScanFindings.EnhancedFindings; len(e) != 1 || *e[0].Severity != "UNTRIAGED" || out.ImageScanFindings.Findings != nil {
		t.Errorf("findings are %+v", out.ImageScanFindings)
	}
	d := f.describe(t, byTag("v1")...)[0]
	want := &types.ImageScanFindingsSummary{
		FindingSeverityCounts: map[string]int32{"UNTRIAGED": 1}, ImageScanCompletedAt: aws.Time(f.Now()), VulnerabilitySourceUpdatedAt: aws.Time(f.Now()),
	}
	if diff := cmp.Diff(want, d.ImageScanFindingsSummary, cmpopts.IgnoreUnexported(types.ImageScanFindingsSummary{})); diff != "" || d.ImageScanStatus.Status != types.ScanStatusActive {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
}

func TestScanFindingsPage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	digest := must(f.repository.Push(ecremulator.OCIImage("one")))
	check(t, f.repository.SetScan(digest, ecremulator.Scan{Status: ecremulator.ScanComplete, Findings: map[string]int{"LOW": 4, "HIGH": 3}}))
	for size := int32(1); size <= 8; size++ {
		p := ecr.NewDescribeImageScanFindingsPaginator(f.client(), &ecr.DescribeImageScanFindingsInput{
			RepositoryName: aws.String(repo), ImageId: &byDigest(digest)[0], MaxResults: &size,
		})
		seen := map[string]bool{}
		for p.HasMorePages() {
			out, err := p.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range out.ImageScanFindings.Findings {
				seen[*x.Name] = true
			}
			if out.ImageScanFindings.FindingSeverityCounts["LOW"] != 4 {
				t.Errorf("a page counts %v", out.ImageScanFindings.FindingSeverityCounts)
			}
		}
		if len(seen) != 7 {
			t.Errorf("pages of %d hold %d findings, want 7", size, len(seen))
		}
	}
}

func TestScanFindingsAreRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	index := ecremulator.BuildxIndex("app", "linux/amd64")
	top := must(f.repository.Push(index, "v1"))
	child := index.Children()[0].Digest()
	f.repository.ScanImages(ecremulator.Scan{Status: ecremulator.ScanInProgress})
	if out, err := f.findings(t, child); err != nil || out.ImageScanStatus.Status != types.ScanStatusInProgress || out.ImageScanFindings != nil {
		t.Errorf("the scan under way is %+v, %v", out, err)
	}
	if err := f.repository.SetScan(top, ecremulator.Scan{Status: ecremulator.ScanComplete}); !errors.Is(err, ecremulator.ErrNotScanned) {
		t.Errorf("an index took a scan: %v", err)
	}
	absent := "sha256:" + strings.Repeat("0", 64)
	if err := f.repository.SetScan(absent, ecremulator.Scan{}); !errors.Is(err, ecremulator.ErrNotFound) {
		t.Errorf("an unknown digest took a scan: %v", err)
	}
	tests := []struct {
		name, digest, code, message string
		change                      func(*ecr.DescribeImageScanFindingsInput)
	}{
		{name: "an index", digest: top, code: "ScanNotFoundException", message: fmt.Sprintf("Image scan does not exist for the image with '{imageDigest:'%s', imageTag:'null'}' in the repository with name 'nova/auth-service'", top)},
		{name: "an unknown image", digest: absent, code: "ImageNotFoundException", message: "does not exist within the repository"},
		{name: "too many at once", digest: child, code: "InvalidParameterException", change: func(i *ecr.DescribeImageScanFindingsInput) { i.MaxResults = aws.Int32(1001) }},
		{name: "a token that nobody gave", digest: child, code: "InvalidParameterException", change: func(i *ecr.DescribeImageScanFindingsInput) { i.NextToken = aws.String("eA==") }},
		{name: "an unknown repository", digest: child, code: "RepositoryNotFoundException", change: func(i *ecr.DescribeImageScanFindingsInput) { i.RepositoryName = aws.String("nova/none") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.change == nil {
				tt.change = func(*ecr.DescribeImageScanFindingsInput) {}
			}
			_, err := f.findings(t, tt.digest, tt.change)
			wantCode(t, err, tt.code)
			if err != nil && !strings.Contains(err.Error(), tt.message) {
				t.Errorf("error is %q, want it to hold %q", err, tt.message)
			}
		})
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
