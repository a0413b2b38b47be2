package resolve

import (
	"time"

	"github.com/proerror77/nova-staging/internal/release"
	"github.com/proerror77/nova-staging/plugin/ecr"
	"github.com/proerror77/nova-staging/plugin/policy"
)

// Group is a set of images that are decided at once.
type Group struct {
	// Entry is the policy that decides. Required.
	Entry *policy.Entry
	// Repositories of the images: exactly one, or any number for an entry that
	// says together. Required.
	Repositories []ecr.Repository
}

// Decision is what was chosen for one image, and why.
type Decision struct {
	release.Image
	// Why is one sentence about the choice.
	Why string `json:"why"`
	// Subject of the commit, for the commit policy.
	Subject string `json:"subject,omitempty"`
	// Warnings are doubts that do not stop the render.
	Warnings []string `json:"warnings,omitempty"`
	// Looked is how many candidates were compared: commits for the commit policy,
	// tags for the others.
	Looked int `json:"looked"`
	// Candidates are all of them, best first, when the resolver keeps them.
	Candidates []Candidate `json:"candidates,omitempty"`
	// Scan is what the scan gate went by. Nil without a gate.
	Scan *Scan `json:"scan,omitempty"`
	// Cached is true when the decision comes from an earlier render.
	Cached bool `json:"-"`

	manifest ecr.Manifest
}

// Candidate is one tag or commit that a policy looked at.
type Candidate struct {
	Tag      string     `json:"tag"`
	Digest   string     `json:"digest,omitempty"`
	Commit   string     `json:"commit,omitempty"`
	Subject  string     `json:"subject,omitempty"`
	PushedAt *time.Time `json:"pushedAt,omitempty"`
	Chosen   bool       `json:"chosen,omitempty"`
	// Why it was chosen or lost.
	Why string `json:"why"`
}
