// Package history reads the commits of a git repository from its files, with
// no git binary: [Open] finds the repository as git does, [Repository.Resolve]
// turns a name into a commit, and [Repository.Log] lists the commits that lead
// to it, lazily and in an order made for choosing a release.
//
// Only commits, tags and references are read, never a tree or a file of the
// work tree. Loose and packed objects, alternates, shallow and partial clones,
// worktrees, submodules and bare repositories are understood. Pack indexes are
// searched where they lie, so a pack of any size costs a few kilobytes. Packed
// entries and deltas are decoded by go-git; what go-git's own storage can not
// do (alternates with relative paths, large indexes, cyclic deltas) is here.
//
// Nothing is ever written, and no file stays open between calls: a Repository
// needs no closing. It may be used by several goroutines at once.
//
// Unlike git, the package
//   - reads no environment variable and no configuration but the repository's
//     own, of which only the format version and the extensions count (includes
//     are not followed, core.worktree is ignored),
//   - does not mind who owns the files: there is no safe.directory,
//   - ignores refs/replace and info/grafts: history is what the commits say,
//   - prefers an enclosing .git to a bare repository, so that a bare repository
//     committed into a work tree can not pass for its history,
//   - understands names only, not expressions such as main~3 or v1^{}.
package history
