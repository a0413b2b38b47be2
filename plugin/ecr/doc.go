// Package ecr reads Amazon ECR with its own API (SigV4, JSON 1.1), never with
// the OCI registry API: there is no registry token to obtain or to expire, and
// only this API knows when an image was pushed.
//
// A [Repository] comes from an image's name, which holds the account, the region
// and the partition. A [Client] serves any number of repositories in any number
// of registries. It has one retry layer, bounded by the caller's deadline alone,
// and says through [Pending] what that deadline cut off.
package ecr
