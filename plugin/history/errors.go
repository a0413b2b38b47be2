package history

import "errors"

var (
	// ErrNoRepository is returned by Open and FindRoot when neither the
	// directory nor one above it holds a git repository.
	ErrNoRepository = errors.New("no git repository")

	// ErrRevisionNotFound is returned by Resolve when nothing in the
	// repository has the given name.
	ErrRevisionNotFound = errors.New("revision not found")
)
