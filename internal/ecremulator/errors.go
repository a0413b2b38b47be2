package ecremulator

import "errors"

// Errors of the Go API that fills the emulator. The wire protocols answer with
// ECR's own codes and messages instead.
var (
	// ErrInvalidName is returned for an account, region, repository name or
	// tag that ECR would not accept.
	ErrInvalidName = errors.New("invalid name")
	// ErrExists is returned when a registry or repository is created twice.
	ErrExists = errors.New("already exists")
	// ErrNotFound is returned when a digest or tag is not in the repository.
	ErrNotFound = errors.New("not found")
	// ErrTagImmutable is returned when a push would move a tag of a repository
	// whose tags are immutable.
	ErrTagImmutable = errors.New("tag is immutable")
	// ErrInvalidManifest is returned for a manifest that is not JSON, has a
	// media type ECR does not store, or lists no content.
	ErrInvalidManifest = errors.New("invalid manifest")
	// ErrMissingReference is returned when a manifest names an image or a blob
	// that is not in the repository.
	ErrMissingReference = errors.New("referenced content is missing")
	// ErrNotScanned is returned when an index is given a scan: ECR scans the
	// images that it lists.
	ErrNotScanned = errors.New("an index is not scanned")
	// ErrReferenced is returned when an image is deleted that an index in the
	// same repository still lists.
	ErrReferenced = errors.New("referenced by an index")
)

// Must returns v, and panics if err is not nil. It is for fixtures whose
// arguments are constants, as template.Must is.
func Must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
