// Package explain says in one look which images a render chose, and why.
package explain

import (
	"time"

	"github.com/proerror77/nova-staging/plugin/resolve"
)

// Report is what a render resolved. Its JSON and YAML forms have the same fields.
type Report struct {
	// Kustomization is the folder that was rendered, from the repository's root.
	Kustomization string `json:"kustomization"`
	// AsOf is the instant.
	AsOf time.Time `json:"asOf"`
	// Revision that the commit policy started from. Omitted when no policy needs it.
	Revision *Revision `json:"revision,omitempty"`
	// Images in the order in which the manifests name them.
	Images []Image `json:"images"`
	// Warnings about the whole render.
	Warnings []string `json:"warnings,omitempty"`
}

// Revision is a commit.
type Revision struct {
	SHA     string `json:"sha"`
	Subject string `json:"subject"`
}

// Status of an image.
type Status string

const (
	// Resolved by its policy.
	Resolved Status = "resolved"
	// Failed: its policy could not be satisfied, or ECR could not be asked.
	Failed Status = "failed"
	// Pinned by a digest in the manifests: no policy is applied.
	Pinned Status = "pinned"
	// Unmatched by any entry of images.yaml: it stays as it is.
	Unmatched Status = "unmatched"
)

// Image is one image of the manifests.
type Image struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	// Policy that decides: commit, newest, semver or tag. Empty when none does.
	Policy string `json:"policy,omitempty"`
	// Rule is the policy with its parameters, for example "commit (depth 200,
	// together)".
	Rule string `json:"rule,omitempty"`
	// Entry of images.yaml, as file:line.
	Entry string `json:"entry,omitempty"`
	// UsedBy lists the objects and containers that run it.
	UsedBy []string `json:"usedBy"`

	Tag      string     `json:"tag,omitempty"`
	Digest   string     `json:"digest,omitempty"`
	PushedAt *time.Time `json:"pushedAt,omitempty"`
	Commit   string     `json:"commit,omitempty"`
	Subject  string     `json:"subject,omitempty"`
	// Scan is what the scan gate went by. Omitted without a gate.
	Scan *resolve.Scan `json:"scan,omitempty"`
	// Why this one, or why none.
	Why string `json:"why"`
	// Cached is true when an earlier render made the decision.
	Cached   bool     `json:"cached,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	// Candidates that were looked at, best first; only when asked for.
	Candidates []resolve.Candidate `json:"candidates,omitempty"`
}
