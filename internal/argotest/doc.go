// Package argotest is an API server with Argo CD's Applications, in memory and
// over real HTTP, and a stand-in for Argo CD's controller that does with them
// what the real one was measured to do. It is for tests and benchmarks.
//
// The server keeps what a writer can observe of a real one: resourceVersions, the
// tests of JSON patches (by the library that API servers use), conflicts, pages,
// watches with bookmarks and their end with 410, Leases, and Events.
package argotest
