package ecr

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// ScanState is what ECR's many scan statuses come to for a reader of findings.
type ScanState string

const (
	// ScanFinished: there are findings, or none.
	ScanFinished ScanState = "finished"
	// ScanUnfinished: the first scan is waiting or under way.
	ScanUnfinished ScanState = "unfinished"
	// ScanUnsupported: the scanner knows nothing that the image is made of, as
	// with one that is made of a single static binary.
	ScanUnsupported ScanState = "unsupported"
	// ScanExpired: Inspector no longer watches the image, or its findings are gone.
	ScanExpired ScanState = "expired"
	// ScanFailed: the scan failed, or was refused for a quota.
	ScanFailed ScanState = "failed"
	// ScanMissing: the image was never scanned.
	ScanMissing ScanState = "missing"
	// ScanUnknown: a status that this program does not know.
	ScanUnknown ScanState = "unknown"
)

// Scan is the scan of one image, basic or by Inspector.
type Scan struct {
	// Status as ECR says it, for example COMPLETE or ACTIVE. Empty when there is
	// no scan.
	Status string
	// Description of the status. May be empty.
	Description string
	// Enhanced is true when the findings are Inspector's.
	Enhanced bool
	// Reported is true when the answer had findings, be they none.
	Reported bool
	// Counts is how many findings there are of each severity, as ECR names it.
	Counts map[string]int
	// CompletedAt is when the last scan ended, in UTC. Zero when ECR did not say.
	CompletedAt time.Time
}

// State of the scan.
func (s Scan) State() ScanState {
	switch types.ScanStatus(s.Status) {
	case "":
		return ScanMissing
	case types.ScanStatusComplete, types.ScanStatusActive:
		if !s.Reported {
			return ScanUnfinished // nothing was found is said with an empty list
		}
		return ScanFinished
	case types.ScanStatusInProgress, types.ScanStatusPending:
		return ScanUnfinished
	case types.ScanStatusUnsupportedImage:
		return ScanUnsupported
	case types.ScanStatusScanEligibilityExpired, types.ScanStatusFindingsUnavailable:
		return ScanExpired
	case types.ScanStatusFailed, types.ScanStatusLimitExceeded:
		return ScanFailed
	}
	return ScanUnknown
}

// scanPage is how many findings are asked for at once. The counts by severity
// come with the first page, and the findings themselves are not needed.
const scanPage = 100

// Scan gives the scan of the image with this digest, in one
// DescribeImageScanFindings. DescribeImages has a summary too, but not of basic
// scans, and an outdated one where an older scanner has left it. A digest that is
// an index has no scan of its own: ask for what it lists.
func (c *Client) Scan(ctx context.Context, repo Repository, digest string) (Scan, error) {
	const op = "DescribeImageScanFindings"
	in := &ecr.DescribeImageScanFindingsInput{
		RegistryId: aws.String(repo.Account), RepositoryName: aws.String(repo.Name),
		ImageId: &types.ImageIdentifier{ImageDigest: aws.String(digest)}, MaxResults: aws.Int32(scanPage),
	}
	var scan Scan
	seen, stalled := map[string]bool{}, 0
	for number := 1; ; number++ {
		out, err := do(ctx, c, op, repo, number, func(ctx context.Context, api *ecr.Client) (*ecr.DescribeImageScanFindingsOutput, error) {
			return api.DescribeImageScanFindings(ctx, in)
		})
		if errors.Is(err, errScanNotFound) {
			return Scan{}, nil
		}
		if err != nil {
			return Scan{}, err
		}
		if got := digestIn(out.ImageId); got != "" && got != digest {
			return Scan{}, unusable(op, repo, "the scan of another image than "+digest)
		}
		status := clean(string(out.ImageScanStatus.Status), c.hide)
		if number > 1 && status != scan.Status {
			return Scan{}, unusable(op, repo, fmt.Sprintf("the scan of %s went from %s to %s between two pages", digest, scan.Status, status))
		}
		scan.Status, scan.Description = status, clean(aws.ToString(out.ImageScanStatus.Description), c.hide)
		whole := scan.add(out.ImageScanFindings, number == 1)
		token := aws.ToString(out.NextToken)
		if whole || token == "" {
			return scan, nil
		}
		switch {
		case !seen[token]:
			seen[token], stalled = true, 0
		case token == aws.ToString(in.NextToken) && findings(out.ImageScanFindings) == 0 && stalled < maxStalled:
			stalled++
		default:
			return Scan{}, unusable(op, repo, "the same page was offered twice")
		}
		in.NextToken = aws.String(token)
	}
}

// add takes in one page. whole is true when no other is needed: the first page
// has counts, which are those of the whole image. Whichever is the higher of what
// is counted and what is listed is believed.
func (s *Scan) add(f *types.ImageScanFindings, first bool) (whole bool) {
	if f == nil {
		return false
	}
	s.Reported = true
	s.Enhanced = s.Enhanced || f.EnhancedFindings != nil
	if f.ImageScanCompletedAt != nil {
		s.CompletedAt = f.ImageScanCompletedAt.UTC()
	}
	if s.Counts == nil {
		s.Counts = map[string]int{}
	}
	for _, x := range f.Findings {
		s.Counts[clean(string(x.Severity), nil)]++
	}
	for _, x := range f.EnhancedFindings {
		s.Counts[clean(aws.ToString(x.Severity), nil)]++
	}
	if !first || f.FindingSeverityCounts == nil || len(f.FindingSeverityCounts) == 0 && findings(f) > 0 {
		return false
	}
	for severity, n := range f.FindingSeverityCounts {
		if key := clean(severity, nil); int(n) > s.Counts[key] {
			s.Counts[key] = int(n)
		}
	}
	return true
}

func findings(f *types.ImageScanFindings) int {
	if f == nil {
		return 0
	}
	return len(f.Findings) + len(f.EnhancedFindings)
}

func digestIn(id *types.ImageIdentifier) string {
	if id == nil {
		return ""
	}
	return aws.ToString(id.ImageDigest)
}
