package plugin

import (
	"errors"
	"slices"

	"github.com/proerror77/nova-staging/plugin/explain"
	"github.com/proerror77/nova-staging/plugin/images"
	"github.com/proerror77/nova-staging/plugin/resolve"
)

// report tells of every image of the manifests, each name once and a pinned one
// once for each digest.
func (r *render) report() *explain.Report {
	report := &explain.Report{Kustomization: r.rel(r.o.Dir), AsOf: r.o.AsOf.UTC(), Warnings: r.warnings, Images: []explain.Image{}}
	if r.config.NeedsHistory() && r.past.err == nil {
		report.Revision = &explain.Revision{SHA: r.past.head.SHA, Subject: r.past.head.Subject}
	}
	at := map[string]int{}
	for _, u := range r.uses {
		key := u.Name
		if r.config.For(u.Name) == nil || u.Digest != "" {
			key = u.Reference.String()
		}
		i, ok := at[key]
		if !ok {
			i = len(report.Images)
			at[key] = i
			report.Images = append(report.Images, r.describe(u))
		}
		by := u.Object
		if u.Part != "" {
			by += " (" + u.Part + ")"
		}
		if !slices.Contains(report.Images[i].UsedBy, by) {
			report.Images[i].UsedBy = append(report.Images[i].UsedBy, by)
		}
	}
	return report
}

func (r *render) describe(u images.Use) explain.Image {
	image := explain.Image{Name: u.Name}
	entry := r.config.For(u.Name)
	switch {
	case entry == nil:
		image.Status, image.Tag, image.Digest = explain.Unmatched, u.Tag, u.Digest
		image.Why = "left as it is: no entry of images.yaml matches"
		return image
	case u.Digest != "":
		image.Status, image.Tag, image.Digest = explain.Pinned, u.Tag, u.Digest
		image.Entry = r.place(entry)
		image.Why = "left as it is: the manifests name a digest"
		return image
	}
	image.Policy, image.Rule, image.Entry = entry.Name(), entry.String(), r.place(entry)
	if entry.Scan != nil {
		image.Rule += ", " + entry.Scan.String()
	}
	for _, o := range r.outcomes {
		for k, repo := range o.Group.Repositories {
			if repo.String() == u.Name {
				fill(&image, o, k)
			}
		}
	}
	return image
}

func fill(image *explain.Image, o resolve.Outcome, k int) {
	if o.Err != nil {
		image.Status, image.Why = explain.Failed, o.Err.Error()
		var u *resolve.Unsatisfied
		if errors.As(o.Err, &u) && k < len(u.Candidates) {
			image.Candidates = u.Candidates[k]
		}
		var refused *resolve.Refused
		if errors.As(o.Err, &refused) {
			chosen(image, refused.Decisions[k])
		}
		return
	}
	d := o.Decisions[k]
	image.Status, image.Why = explain.Resolved, d.Why
	if d.Scan != nil {
		image.Why += "; " + d.Scan.Text()
	}
	chosen(image, d)
}

// chosen fills in what the policy chose, whether or not the gate let it through.
func chosen(image *explain.Image, d resolve.Decision) {
	pushed := d.PushedAt
	image.Tag, image.Digest, image.PushedAt = d.Tag, d.Digest, &pushed
	image.Commit, image.Subject, image.Scan = d.Commit, d.Subject, d.Scan
	image.Cached, image.Warnings, image.Candidates = d.Cached, d.Warnings, d.Candidates
}
