// Package build runs kustomize in process, as the kustomize CLI would, within
// bounds: only files of the repository are read, nothing is fetched unless it is
// allowed, no plugin or Helm binary is started, and no file can blow up in
// memory.
package build
