package ecr

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	em "github.com/proerror77/nova-staging/internal/ecremulator"
)

func TestScansComeWithTheirState(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		scan   *em.Scan // nil for none
		limit  int      // of a page
		fault  *em.Fault
		state  ScanState
		counts map[string]int
		calls  int // default 1
	}{
		{name: "none", state: ScanMissing},
		{name: "basic", scan: &em.Scan{Status: em.ScanComplete, Findings: map[string]int{"HIGH": 2, "UNDEFINED": 1}}, state: ScanFinished, counts: map[string]int{"HIGH": 2, "UNDEFINED": 1}},
		{name: "basic without findings", scan: &em.Scan{Status: em.ScanComplete}, state: ScanFinished, counts: map[string]int{}},
		{name: "enhanced", scan: &em.Scan{Status: em.ScanActive, Enhanced: true, Findings: map[string]int{"UNTRIAGED": 1}}, state: ScanFinished, counts: map[string]int{"UNTRIAGED": 1}},
		{name: "enhanced without findings", scan: &em.Scan{Status: em.ScanActive, Enhanced: true}, state: ScanFinished, counts: map[string]int{}},
		{name: "under way", scan: &em.Scan{Status: em.ScanInProgress}, state: ScanUnfinished},
		{name: "waiting", scan: &em.Scan{Status: em.ScanPending, Enhanced: true}, state: ScanUnfinished},
		{name: "failed", scan: &em.Scan{Status: em.ScanFailed}, state: ScanFailed},
		{name: "over its quota", scan: &em.Scan{Status: em.ScanLimitExceeded}, state: ScanFailed},
		{name: "unsupported", scan: &em.Scan{Status: em.ScanUnsupportedImage}, state: ScanUnsupported},
		{name: "no longer watched", scan: &em.Scan{Status: em.ScanEligibilityExpired}, state: ScanExpired},
		{name: "without its findings", scan: &em.Scan{Status: em.ScanFindingsUnavailable}, state: ScanExpired},
		{name: "archived", scan: &em.Scan{Status: em.ScanImageArchived}, state: ScanUnknown},
		{name: "of a status to come", scan: &em.Scan{Status: "SCANNED"}, state: ScanUnknown},
		{
			name: "with more findings than a page, counted by ECR", limit: 2,
			scan: &em.Scan{Status: em.ScanComplete, Findings: map[string]int{"LOW": 5}}, state: ScanFinished, counts: map[string]int{"LOW": 5},
		},
		{
			name: "with findings that have to be counted over pages", limit: 2, calls: 4,
			scan: &em.Scan{Status: em.ScanComplete, Findings: map[string]int{"LOW": 5, "HIGH": 2}, WithoutCounts: true}, state: ScanFinished, counts: map[string]int{"LOW": 5, "HIGH": 2},
		},
		{
			name: "with an empty page that says to ask again", limit: 2, calls: 3, fault: &em.Fault{Kind: em.EmptyPage, Op: "DescribeImageScanFindings", Times: 1},
			scan: &em.Scan{Status: em.ScanActive, Enhanced: true, Findings: map[string]int{"LOW": 3}, WithoutCounts: true}, state: ScanFinished, counts: map[string]int{"LOW": 3},
		},
		{
			name: "after throttling", calls: 3, fault: &em.Fault{Kind: em.Throttle, Op: "DescribeImageScanFindings", Times: 2},
			scan: &em.Scan{Status: em.ScanComplete, Findings: map[string]int{"LOW": 3}}, state: ScanFinished, counts: map[string]int{"LOW": 3},
		},
		{
			name: "after an answer that says nothing", calls: 2, fault: &em.Fault{Kind: em.EmptyBody, Op: "DescribeImageScanFindings", Times: 1},
			scan: &em.Scan{Status: em.ScanComplete}, state: ScanFinished, counts: map[string]int{},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			digest := w.push(1)[0]
			if tt.scan != nil {
				if err := w.repository.SetScan(digest, *tt.scan); err != nil {
					t.Fatal(err)
				}
			}
			w.SetPageLimit(tt.limit)
			if tt.fault != nil {
				w.Inject(*tt.fault)
			}
			s, err := w.client(t).Scan(t.Context(), auth, digest)
			if err != nil {
				t.Fatal(err)
			}
			if s.State() != tt.state || tt.scan != nil && (s.Status != string(tt.scan.Status) || s.Reported && s.CompletedAt != noon) {
				t.Errorf("scan is %+v, state %s, want %s", s, s.State(), tt.state)
			}
			if diff := cmp.Diff(tt.counts, s.Counts); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
			if s.Reported && s.Enhanced != tt.scan.Enhanced {
				t.Errorf("enhanced is %v", s.Enhanced)
			}
			if got := w.Count("DescribeImageScanFindings", name); got != max(1, tt.calls) {
				t.Errorf("made %d calls, want %d", got, max(1, tt.calls))
			}
		})
	}
}

func TestAScanThatCanNotBeHadIsAnError(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	digest := w.push(1)[0]
	c := w.client(t)
	if _, err := c.Scan(t.Context(), auth, "sha256:"+strings.Repeat("0", 64)); !errors.Is(err, ErrImageNotFound) {
		t.Errorf("an unknown image gives %v", err)
	}
	w.Inject(em.Fault{Kind: em.AccessDenied, Op: "DescribeImageScanFindings"})
	_, err := c.Scan(t.Context(), auth, digest)
	if !errors.Is(err, ErrDenied) || !strings.HasSuffix(err.Error(), "allow the role ecr:DescribeImageScanFindings on this repository (and, across accounts, in the repository's policy)") {
		t.Errorf("without the action: %v", err)
	}
}

// Scans that found nothing say so with an empty list.
func TestACompleteScanWithoutFindingsIsNotFinished(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"COMPLETE", "ACTIVE"} {
		s, err := answering(t, `{"imageScanStatus":{"status":"`+status+`"}}`).Scan(t.Context(), auth, digestOf("a"))
		if err != nil || s.State() != ScanUnfinished {
			t.Errorf("%s: %s, %v; want %s", status, s.State(), err, ScanUnfinished)
		}
	}
}

// What contradicts itself is never read as a clean scan.
func TestAScanThatContradictsItselfIsUnusable(t *testing.T) {
	t.Parallel()
	digest := "sha256:" + strings.Repeat("a", 64)
	other := "sha256:" + strings.Repeat("b", 64)
	tests := []struct {
		name    string
		answers []string // the last is repeated
		want    string   // in the error; "" for none
		counts  map[string]int
	}{
		{"another image's scan", []string{`{"imageId":{"imageDigest":"` + other + `"},"imageScanStatus":{"status":"COMPLETE"},"imageScanFindings":{"findings":[]}}`}, "the scan of another image", nil},
		{"no status", []string{`{"imageScanFindings":{"findings":[]}}`}, "lacks the lists", nil},
		{"a page offered twice", []string{`{"imageScanStatus":{"status":"COMPLETE"},"imageScanFindings":{"findings":[{"severity":"LOW"}]},"nextToken":"x"}`}, "the same page was offered twice", nil},
		{"a status without its name", []string{`{"imageScanStatus":{},"imageScanFindings":{"findings":[]}}`}, "lacks the lists", nil},
		{"a page offered twice, and then the last", []string{
			`{"imageScanStatus":{"status":"COMPLETE"},"imageScanFindings":{"findings":[{"severity":"LOW"}]},"nextToken":"x"}`,
			`{"imageScanStatus":{"status":"COMPLETE"},"imageScanFindings":{"findings":[{"severity":"LOW"}]},"nextToken":"x"}`,
			`{"imageScanStatus":{"status":"COMPLETE"},"imageScanFindings":{"findings":[{"severity":"LOW"}]}}`,
		}, "the same page was offered twice", nil},
		{"a status that changes between pages", []string{
			`{"imageScanStatus":{"status":"COMPLETE"},"imageScanFindings":{"findings":[{"severity":"LOW"}]},"nextToken":"x"}`,
			`{"imageScanStatus":{"status":"IN_PROGRESS"}}`,
		}, "went from COMPLETE to IN_PROGRESS between two pages", nil},
		{
			"fewer counted than listed",
			[]string{`{"imageScanStatus":{"status":"COMPLETE"},"imageScanFindings":{"findings":[{"severity":"HIGH"},{"severity":"HIGH"}],"findingSeverityCounts":{"HIGH":1,"LOW":4}}}`},
			"",
			map[string]int{"HIGH": 2, "LOW": 4},
		},
		{
			"nothing counted and some listed, with more on the next page",
			[]string{
				`{"imageScanStatus":{"status":"ACTIVE"},"imageScanFindings":{"enhancedFindings":[{"severity":"LOW"}],"findingSeverityCounts":{}},"nextToken":"x"}`,
				`{"imageScanStatus":{"status":"ACTIVE"},"imageScanFindings":{"enhancedFindings":[{"severity":"CRITICAL"}]}}`,
			},
			"",
			map[string]int{"LOW": 1, "CRITICAL": 1},
		},
		{
			"counts that only a later page has",
			[]string{
				`{"imageScanStatus":{"status":"COMPLETE"},"imageScanFindings":{"findings":[{"severity":"LOW"}]},"nextToken":"x"}`,
				`{"imageScanStatus":{"status":"COMPLETE"},"imageScanFindings":{"findings":[{"severity":"LOW"}],"findingSeverityCounts":{"LOW":1}},"nextToken":"y"}`,
				`{"imageScanStatus":{"status":"COMPLETE"},"imageScanFindings":{"findings":[{"severity":"CRITICAL"}]}}`,
			},
			"",
			map[string]int{"LOW": 2, "CRITICAL": 1},
		},
		{
			"findings of no severity at all",
			[]string{`{"imageScanStatus":{"status":"ACTIVE"},"imageScanFindings":{"enhancedFindings":[{"title":"x"}]}}`},
			"",
			map[string]int{"": 1},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := answering(t, tt.answers...).Scan(t.Context(), auth, digest)
			if tt.want == "" {
				if diff := cmp.Diff(tt.counts, s.Counts); err != nil || diff != "" {
					t.Errorf("error %v, counts (-want +got):\n%s", err, diff)
				}
				return
			}
			if !errors.Is(err, ErrResponse) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want %q", err, tt.want)
			}
		})
	}
}

func TestPartsAreWhatCanBePulled(t *testing.T) {
	t.Parallel()
	amd, arm := em.OCIImage("a"), em.OCIImage("b", em.WithPlatform("linux/arm/v7"))
	many, most := make([]em.Content, maxParts+1), make([]Part, maxParts)
	for i := range many {
		many[i] = em.OCIImage(fmt.Sprint(i))
		if i < maxParts {
			most[i] = Part{many[i].Digest(), "linux/amd64"}
		}
	}
	tests := []struct {
		name    string
		content em.Content
		want    []Part
		fail    string
	}{
		{"an image is its own", amd, []Part{{Digest: amd.Digest()}}, ""},
		{"an index of two platforms", em.Index(amd, arm), []Part{{amd.Digest(), "linux/amd64"}, {arm.Digest(), "linux/arm/v7"}}, ""},
		{"a Docker manifest list", em.ManifestList(amd), []Part{{amd.Digest(), "linux/amd64"}}, ""},
		{"attestations left out", em.BuildxIndex("x", "linux/amd64"), []Part{{em.OCIImage("x linux/amd64").Digest(), "linux/amd64"}}, ""},
		{"referrers left out", em.Index(amd, em.Referrer(amd, em.ArtifactSPDX, nil)), []Part{{amd.Digest(), "linux/amd64"}}, ""},
		{"an index of indexes", em.Index(em.Index(amd)), nil, "the index lists another index"},
		{"an index of nothing", em.Index(), nil, "lists 0 images"},
		{"a build cache", em.BuildCacheIndex("c"), nil, "lists 0 images"},
		{"as many as there may be", em.Index(many[:maxParts]...), most, ""},
		{"too many", em.Index(many...), nil, "lists 65 images, want 1 to 64"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := Manifest{Digest: tt.content.Digest(), MediaType: tt.content.MediaType(), Body: string(tt.content.Manifest())}.Parts()
			if fmt.Sprint(err) != "<nil>" && (tt.fail == "" || !strings.Contains(err.Error(), tt.fail)) || tt.fail != "" && err == nil {
				t.Fatalf("error is %v, want %q", err, tt.fail)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("parts (-want +got):\n%s", diff)
			}
		})
	}
}

// A registry need not say the media type, nor an index its own.
func TestAnIndexWithoutAMediaTypeIsOne(t *testing.T) {
	t.Parallel()
	parts, err := Manifest{Digest: digestOf("a"), Body: fmt.Sprintf(`{"manifests":[{"digest":%q}]}`, digestOf("b"))}.Parts()
	if err != nil || len(parts) != 1 || parts[0].Digest != digestOf("b") {
		t.Errorf("parts are %v, %v; want what it lists", parts, err)
	}
}

// Whatever the manifest, its parts are valid digests or there is an error: an
// index that can not be read must not pass for an image without children.
func FuzzParts(f *testing.F) {
	f.Add(mediaOCIIndex, string(em.BuildxIndex("x", "linux/amd64", "linux/arm64").Manifest()))
	f.Add("", string(em.ManifestList(em.DockerImage("a")).Manifest()))
	f.Add(mediaOCIManifest, `{"manifests":[{"digest":"sha256:00"}]}`)
	f.Add(mediaOCIIndex, `{"manifests":{}}`)
	f.Fuzz(func(t *testing.T, mediaType, body string) {
		m := Manifest{Digest: "sha256:" + strings.Repeat("a", 64), MediaType: mediaType, Body: body}
		parts, err := m.Parts()
		if (err == nil) != (len(parts) > 0) {
			t.Fatalf("%d parts with error %v", len(parts), err)
		}
		for _, p := range parts {
			if !digestRE.MatchString(p.Digest) || strings.ContainsAny(p.Platform, "\n\r") {
				t.Errorf("part %+v", p)
			}
			if isIndex(mediaType) && p.Digest == m.Digest && p.Platform == "" {
				t.Error("an index was taken for an image")
			}
		}
	})
}
