package resolve

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/proerror77/nova-staging/plugin/ecr"
	"github.com/proerror77/nova-staging/plugin/policy"
)

// ErrScan is returned when the scan gate refuses a chosen image.
var ErrScan = errors.New("refused by the scan gate")

// Scan is what the gate went by for one image.
type Scan struct {
	// Refused is why the image is refused. Empty when it was let through.
	Refused string `json:"refused,omitempty"`
	// Images that were judged: the chosen one, or those that it lists as an index.
	Images []ScannedImage `json:"images"`
}

// ScannedImage is the scan of one image.
type ScannedImage struct {
	Digest string `json:"digest"`
	// Platform by the index that lists it.
	Platform string `json:"platform,omitempty"`
	// State of the scan: finished, unfinished, unsupported, expired, failed,
	// missing or unknown.
	State string `json:"state"`
	// Status and its description in ECR's words.
	Status      string `json:"status,omitempty"`
	Description string `json:"description,omitempty"`
	// Type is basic or enhanced. Empty without findings to tell by.
	Type string `json:"type,omitempty"`
	// Findings is how many there are of each severity.
	Findings map[string]int `json:"findings,omitempty"`
	// CompletedAt is when the last scan ended.
	CompletedAt *time.Time `json:"completedAt,omitempty"`
	// Refused is why this image is refused.
	Refused string `json:"refused,omitempty"`
}

// Text is the scan in a few words, for example "scan: 1 LOW".
func (s *Scan) Text() string {
	if s.Refused != "" {
		return "scan: " + s.Refused
	}
	all := map[string]int{}
	var without []string
	for _, i := range s.Images {
		if i.State != string(ecr.ScanFinished) {
			without = append(without, i.of(i.State+", which is allowed"))
		}
		for severity, n := range i.Findings {
			all[severity] = max(all[severity], n)
		}
	}
	if len(without) > 0 {
		return "scan: " + strings.Join(without, "; ")
	}
	text := "scan: " + policy.CountsText(all)
	if len(s.Images) > 1 {
		text += fmt.Sprintf(", in the worst of %d platforms", len(s.Images))
	}
	return text
}

func (i ScannedImage) of(text string) string {
	if i.Platform == "" {
		return text
	}
	return i.Platform + ": " + text
}

// Refused is the error of a group of which the gate refused images. It matches
// [ErrScan]. The images are those that the policy chooses, and no other: which
// ones they are does not depend on their scans.
type Refused struct {
	// Decisions of the whole group, with their scans.
	Decisions []Decision

	text string
}

func (r *Refused) Error() string { return r.text }

// Unwrap makes errors.Is match the sentinel.
func (r *Refused) Unwrap() error { return ErrScan }

// gate asks for the scans of what was chosen and refuses the group if one image
// is refused. It never makes another candidate win: scans change after the
// instant and pushes do not, so the same instant would be answered with other
// images tomorrow.
func (r *Resolver) gate(ctx context.Context, g Group, decisions []Decision, clock *ecr.Clock) error {
	failures := make([]error, len(decisions))
	ctx = ecr.WithClock(ctx, clock)
	var wg sync.WaitGroup
	for k, repo := range g.Repositories {
		wg.Go(func() {
			decisions[k].Scan, failures[k] = r.scan(ctx, g.Entry.Scan, repo, decisions[k])
		})
	}
	wg.Wait()
	if err := join(failures, len(decisions)); err != nil {
		return err
	}
	var refused []string
	for k, d := range decisions {
		if d.Scan.Refused != "" {
			refused = append(refused, fmt.Sprintf("%s:%s: %s", g.Repositories[k], d.Tag, d.Scan.Text()))
		}
	}
	if len(refused) > 0 {
		return r.refuse(g, decisions, refused)
	}
	if cache := r.cache(); cache != nil && r.passed(clock) {
		for k, repo := range g.Repositories {
			cache.pass(repo, g.Entry.Scan, r.AsOf, decisions[k])
		}
	}
	return nil
}

// scan judges one chosen image. What was let through once at this instant is let
// through again, whatever was found since.
func (r *Resolver) scan(ctx context.Context, gate *policy.Scan, repo ecr.Repository, d Decision) (*Scan, error) {
	if cache := r.cache(); cache != nil {
		if s, ok := cache.passed(repo, gate, r.AsOf, d); ok {
			return s, nil
		}
	}
	parts, err := d.manifest.Parts()
	if err != nil {
		return &Scan{Refused: "which images it consists of is not certain: " + err.Error(), Images: []ScannedImage{}}, nil
	}
	s := &Scan{Images: make([]ScannedImage, len(parts))}
	failures := make([]error, len(parts))
	var wg sync.WaitGroup
	for i, part := range parts {
		wg.Go(func() {
			found, err := r.Registry.Scan(ctx, repo, part.Digest)
			if errors.Is(err, ecr.ErrImageNotFound) && part.Platform != "" {
				// An index may outlive what it lists, and can not be pulled then.
				found, err = ecr.Scan{Description: "the index lists it and the repository does not hold it"}, nil
			}
			s.Images[i], failures[i] = judged(gate, part, found), err
		})
	}
	wg.Wait()
	if err := join(failures, len(parts)); err != nil {
		return nil, err
	}
	var why []string
	for _, i := range s.Images {
		if i.Refused != "" {
			why = append(why, i.of(i.Refused))
		}
	}
	s.Refused = strings.Join(why, "; ")
	return s, nil
}

func judged(gate *policy.Scan, part ecr.Part, found ecr.Scan) ScannedImage {
	i := ScannedImage{
		Digest: part.Digest, Platform: part.Platform, State: string(found.State()),
		Status: found.Status, Description: found.Description,
	}
	if found.State() == ecr.ScanFinished {
		i.Type, i.Findings = "basic", found.Counts
		if found.Enhanced {
			i.Type = "enhanced"
		}
		if !found.CompletedAt.IsZero() {
			i.CompletedAt = &found.CompletedAt
		}
		i.Refused = gate.Judge(found.Counts)
	} else if !gate.Allows(i.State) {
		i.Refused = without(found)
	}
	return i
}

// without says why there are no findings to judge by.
func without(s ecr.Scan) string {
	text := map[ecr.ScanState]string{
		ecr.ScanUnfinished:  "not finished",
		ecr.ScanUnsupported: "the scanner does not support the image",
		ecr.ScanExpired:     "no longer watched, so that its findings are out of date",
		ecr.ScanFailed:      "failed",
		ecr.ScanMissing:     "never scanned",
		ecr.ScanUnknown:     "in a state that is not known here",
	}[s.State()]
	if s.Status != "" {
		text += " (" + s.Status + ")"
	}
	if s.Description != "" {
		text += ": " + strings.TrimSuffix(s.Description, ".")
	}
	return text
}

// refuse makes the group's error. refused has a text for each image.
func (r *Resolver) refuse(g Group, decisions []Decision, refused []string) error {
	const most = 3
	var b strings.Builder
	if len(decisions) == 1 {
		fmt.Fprintf(&b, "%s: %s", ErrScan, refused[0])
	} else {
		fmt.Fprintf(&b, "%s: %d of %d images of commit %s: %s", ErrScan, len(refused), len(decisions), short(decisions[0].Commit), strings.Join(refused[:min(most, len(refused))], "; "))
		if len(refused) > most {
			fmt.Fprintf(&b, "; and %d more", len(refused)-most)
		}
	}
	fmt.Fprintf(&b, "; %s", remedy(decisions))
	for k := range decisions {
		explainRefusal(&decisions[k], g)
	}
	return &Refused{Decisions: decisions, text: b.String()}
}

// remedy for the first refused image.
func remedy(decisions []Decision) string {
	for _, d := range decisions {
		for _, i := range d.Scan.Images {
			switch {
			case i.Refused == "":
			case i.State == string(ecr.ScanFinished):
				return "push an image without these findings, or change scan in images.yaml"
			case i.State == string(ecr.ScanUnfinished):
				return "it passes by itself once the scan has finished without such findings"
			case i.State == string(ecr.ScanMissing):
				return "turn on scan on push for the repository, or list missing in scan.allow"
			case i.State == string(ecr.ScanUnknown):
				return "look at the image in ECR"
			default:
				return fmt.Sprintf("have it scanned again, or list %s in scan.allow", i.State)
			}
		}
	}
	return "push it again, or change scan in images.yaml"
}

// explainRefusal has the candidates say that the chosen one may not be used.
func explainRefusal(d *Decision, g Group) {
	why := d.Scan.Text()
	if d.Scan.Refused == "" {
		why = "together: another image of this commit is refused; " + why
		if len(g.Repositories) == 1 {
			return
		}
	}
	for i := range d.Candidates {
		if d.Candidates[i].Chosen {
			d.Candidates[i].Chosen, d.Candidates[i].Why = false, why
		}
	}
}
