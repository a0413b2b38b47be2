//go:build !race

package build_test

const slowdown = 1
