// Package world is what the e2e tests happen in: a kind cluster with a stock Argo
// CD and the generate sidecar, an ECR emulator that the node pulls from, a git
// server, and Nova's staging as an Application.
//
// A test moves the world as people do (commit, push images, set as-of) and looks
// at what Argo CD and the Pods say.
package world
