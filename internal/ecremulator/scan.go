package ecremulator

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/types"
)

// ScanStatus is the state of an image's scan.
type ScanStatus string

// The states of a scan. Basic scans end as ScanComplete, enhanced ones, by
// Amazon Inspector, go on as ScanActive.
const (
	ScanInProgress          ScanStatus = "IN_PROGRESS"
	ScanComplete            ScanStatus = "COMPLETE"
	ScanFailed              ScanStatus = "FAILED"
	ScanUnsupportedImage    ScanStatus = "UNSUPPORTED_IMAGE"
	ScanActive              ScanStatus = "ACTIVE"
	ScanPending             ScanStatus = "PENDING"
	ScanEligibilityExpired  ScanStatus = "SCAN_ELIGIBILITY_EXPIRED"
	ScanFindingsUnavailable ScanStatus = "FINDINGS_UNAVAILABLE"
	ScanLimitExceeded       ScanStatus = "LIMIT_EXCEEDED"
	ScanImageArchived       ScanStatus = "IMAGE_ARCHIVED"
)

// severities of findings, worst first. Inspector says UNTRIAGED where basic
// scanning says UNDEFINED.
var severities = []string{"CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED", "UNTRIAGED"}

// Scan is the scan of one image.
type Scan struct {
	// Status of the scan. Required.
	Status ScanStatus
	// Description of the status. Optional.
	Description string
	// Enhanced makes it a scan by Amazon Inspector. Optional, default basic.
	Enhanced bool
	// Findings is how many there are of each severity, such as CRITICAL. Reported
	// for ScanComplete and ScanActive. Optional, default none.
	Findings map[string]int
	// CompletedAt is when the last scan ended. Optional, default the clock's time.
	CompletedAt time.Time
	// WithoutCounts leaves the summary by severity away, so that whoever wants to
	// know has to count the findings. Optional. ECR is not known to do it.
	WithoutCounts bool
}

func (s *Scan) reports() bool { return s.Status == ScanComplete || s.Status == ScanActive }

// SetScan gives an image, by digest, its scan. The error is ErrNotFound, or
// ErrNotScanned for an index: ECR scans the images that it lists.
func (r *Repository) SetScan(digest string, s Scan) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	i, ok := r.images[digest]
	switch {
	case !ok:
		return fmt.Errorf("set scan of %s: %w", digest, ErrNotFound)
	case i.isIndex():
		return fmt.Errorf("set scan of %s: %w", digest, ErrNotScanned)
	}
	r.setScan(i, s)
	return nil
}

// ScanImages gives every image that the repository holds now, and that has no
// scan, this one. Indexes get none.
func (r *Repository) ScanImages(s Scan) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, i := range r.order {
		if i.scan == nil && !i.isIndex() {
			r.setScan(i, s)
		}
	}
}

func (r *Repository) setScan(i *image, s Scan) {
	if s.CompletedAt.IsZero() {
		s.CompletedAt = r.registry.emulator.Now()
	}
	s.CompletedAt = stored(s.CompletedAt)
	counts := map[string]int{}
	for severity, n := range s.Findings {
		counts[severity] = n
	}
	s.Findings = counts
	i.scan = &s
}

func (i *image) isIndex() bool { return types.MediaType(i.mediaType).IsIndex() }

type scanStatus struct {
	Status      ScanStatus `json:"status"`
	Description string     `json:"description,omitempty"`
}

type scanSummary struct {
	CompletedAt     epoch          `json:"imageScanCompletedAt"`
	SourceUpdatedAt epoch          `json:"vulnerabilitySourceUpdatedAt"`
	Counts          map[string]int `json:"findingSeverityCounts"`
}

// summary is what DescribeImages tells of a scan: nothing of a basic one, since
// ECR's own scanner took over from the older one.
func (i *image) summary() (*scanStatus, *scanSummary) {
	if i.scan == nil || !i.scan.Enhanced {
		return nil, nil
	}
	status := &scanStatus{i.scan.Status, i.scan.Description}
	if !i.scan.reports() {
		return status, nil
	}
	at := epoch(i.scan.CompletedAt)
	return status, &scanSummary{at, at, i.scan.Findings}
}

type scanFindingsInput struct {
	RegistryID     string   `json:"registryId"`
	RepositoryName string   `json:"repositoryName"`
	ImageID        *imageID `json:"imageId"`
	MaxResults     *int     `json:"maxResults"`
	NextToken      *string  `json:"nextToken"`
}

type scanFindingsOutput struct {
	RegistryID     string        `json:"registryId"`
	RepositoryName string        `json:"repositoryName"`
	ImageID        imageID       `json:"imageId"`
	Status         scanStatus    `json:"imageScanStatus"`
	Findings       *scanFindings `json:"imageScanFindings,omitempty"`
	NextToken      *string       `json:"nextToken,omitempty"`
}

type scanFindings struct {
	CompletedAt     epoch             `json:"imageScanCompletedAt"`
	SourceUpdatedAt epoch             `json:"vulnerabilitySourceUpdatedAt"`
	Counts          map[string]int    `json:"findingSeverityCounts,omitzero"`
	Findings        []finding         `json:"findings,omitzero"`
	Enhanced        []enhancedFinding `json:"enhancedFindings,omitzero"`
}

type finding struct {
	Name       string              `json:"name"`
	URI        string              `json:"uri"`
	Severity   string              `json:"severity"`
	Attributes []map[string]string `json:"attributes"`
}

type enhancedFinding struct {
	Account  string `json:"awsAccountId"`
	ARN      string `json:"findingArn"`
	Severity string `json:"severity"`
	Status   string `json:"status"`
	Title    string `json:"title"`
	Type     string `json:"type"`
}

func (e *Emulator) describeImageScanFindings(r *request, in *scanFindingsInput) (any, *apiError) {
	if in.ImageID == nil {
		return nil, constraint("imageId", "Member must not be null")
	}
	size, err := e.pageSize(in.MaxResults)
	if err != nil {
		return nil, err
	}
	repo, err := e.lookup(r, in.RegistryID, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	repo.mu.RLock()
	defer repo.mu.RUnlock()
	i, missing := repo.resolve(*in.ImageID)
	switch {
	case missing != nil:
		return nil, clientError("ImageNotFoundException",
			"The image with imageId %s does not exist within the repository with name '%s' in the registry with id '%s'",
			in.ImageID, repo.name, repo.registry.account)
	case i.scan == nil:
		return nil, clientError("ScanNotFoundException",
			"Image scan does not exist for the image with '%s' in the repository with name '%s' in the registry with id '%s'",
			in.ImageID, repo.name, repo.registry.account)
	}
	at := cursor{Operation: "DescribeImageScanFindings", Account: repo.registry.account, Scope: repo.name + "@" + i.digest}
	if in.NextToken != nil {
		if at, err = e.unseal(*in.NextToken, at); err != nil {
			return nil, err
		}
	}
	out := scanFindingsOutput{
		RegistryID: repo.registry.account, RepositoryName: repo.name,
		ImageID: imageID{Digest: &i.digest, Tag: in.ImageID.Tag},
		Status:  scanStatus{i.scan.Status, i.scan.Description},
	}
	if !i.scan.reports() {
		return out, nil
	}
	done := epoch(i.scan.CompletedAt)
	out.Findings = &scanFindings{CompletedAt: done, SourceUpdatedAt: done, Counts: i.scan.Findings}
	if i.scan.WithoutCounts {
		out.Findings.Counts = nil
	}
	if i.scan.Enhanced {
		out.Findings.Enhanced = []enhancedFinding{}
	} else {
		out.Findings.Findings = []finding{}
	}
	if r.emptyPage {
		out.NextToken = e.seal(at)
		return out, nil
	}
	from, _ := strconv.Atoi(at.Last) // sealed by this emulator; the first page has none
	all := i.scan.list()
	page := all[min(from, len(all)):min(from+size, len(all))]
	for n, severity := range page {
		out.Findings.add(i, repo, from+n, severity)
	}
	if from+size < len(all) {
		at.Last = strconv.Itoa(from + size)
		out.NextToken = e.seal(at)
	}
	return out, nil
}

// list gives the severity of each finding, worst first.
func (s *Scan) list() []string {
	var all []string
	for severity, n := range s.Findings {
		for range n {
			all = append(all, severity)
		}
	}
	slices.SortFunc(all, func(a, b string) int {
		return cmp.Or(cmp.Compare(slices.Index(severities, a), slices.Index(severities, b)), cmp.Compare(a, b))
	})
	return all
}

func (f *scanFindings) add(i *image, repo *Repository, n int, severity string) {
	name := fmt.Sprintf("CVE-2026-%05d", n+1)
	if i.scan.Enhanced {
		f.Enhanced = append(f.Enhanced, enhancedFinding{
			Account:  repo.registry.account,
			ARN:      fmt.Sprintf("arn:%s:inspector2:%s:%s:finding/%05d", partition(repo.registry.region), repo.registry.region, repo.registry.account, n+1),
			Severity: severity, Status: "ACTIVE", Title: name + " - libexample", Type: "PACKAGE_VULNERABILITY",
		})
		return
	}
	f.Findings = append(f.Findings, finding{
		Name: name, URI: "https://cve.example.com/" + name, Severity: severity,
		Attributes: []map[string]string{{"key": "package_name", "value": "libexample"}, {"key": "package_version", "value": "1.0"}},
	})
}
