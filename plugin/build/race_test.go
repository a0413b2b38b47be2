//go:build race

package build_test

// slowdown is how much longer things may take under the race detector.
const slowdown = 8
