// Package history reads the commits of a git repository from its files, with
// no git binary: it finds the repository, resolves revisions and lists the
// commits that lead to one.
package history
