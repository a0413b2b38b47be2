// Package soak renders random worlds under random faults, and holds every
// answer against an oracle that computes the right one from the world's model:
// it knows what was pushed when, and never asks ECR nor reads git.
//
// A [World] is a random history with merges and a random registry: partial
// builds, moved tags, tags that share an image, build caches, signatures, charts,
// archived images, scans. [World.Render] runs the generate program on it,
// under the [Faults] that were injected, and [World.Check] says what is wrong
// with the outcome: anything but the oracle's images to the last one, or an error
// with nothing beside it.
//
// The tests also run smoke against clusters that lie, and trigger in stagings where
// everything fails, each held against what it must and must not do.
//
// Everything follows from one seed, so that a failure can be had again.
package soak
