package build

// RemoteRepository is for the comparison with kustomize.
var RemoteRepository = func(path string) bool { return remoteRepository(path) || remoteFile(path) }
