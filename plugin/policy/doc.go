// Package policy reads images.yaml, which says for each image how its version
// is chosen, and holds the rules that compare candidates.
//
// The rules are pure: they see tags and push times, never a registry.
package policy
