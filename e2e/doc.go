// Package e2e tells the whole story on a real kind cluster with a real Argo CD:
// images are pushed to a registry that the node pulls from, as-of moves, Argo CD
// deploys, smoke verifies. Run it with `make e2e`.
//
// The scenarios are in the files with the build tag e2e. Each begins with a
// deployment that is verified, its own where the last one left none, so any can be
// run alone: make e2e RUN=TestTogether. What they happen in is package world.
package e2e
