package history

import "errors"

var (
	// ErrNoRepository is returned by Open and FindRoot when neither the
	// directory nor one above it holds a git repository, or when what it
	// holds lacks the parts that make it one.
	ErrNoRepository = errors.New("no git repository")

	// ErrUnsupported is returned by Open for a repository in a format that
	// is not read: SHA-256 objects, reftable references, a format version
	// above 1 or an unknown extension; and by Resolve and Next for a pack
	// index of an unknown version.
	ErrUnsupported = errors.New("unsupported repository format")

	// ErrNoCommits is returned by Resolve when HEAD names a branch that has
	// no commit yet. Such an error is an ErrRevisionNotFound too.
	ErrNoCommits = errors.New("no commits yet")

	// ErrRevisionNotFound is returned by Resolve when nothing in the
	// repository has the given name, or what has it is not a commit.
	ErrRevisionNotFound = errors.New("revision not found")

	// ErrAmbiguous is returned by Resolve when an abbreviated SHA fits more
	// than one commit.
	ErrAmbiguous = errors.New("ambiguous revision")

	// ErrIncomplete is returned by Resolve and Next when a commit that
	// others refer to is missing, although the repository does not say that
	// it is shallow.
	ErrIncomplete = errors.New("incomplete repository")

	// ErrCorrupt is returned by every function that reads the repository
	// when a file in it is not what git would have written.
	ErrCorrupt = errors.New("corrupt repository")
)

var (
	// errAbsent says that no object database has the object.
	errAbsent = errors.New("object not found")

	// errTooLarge says that an object or what it is made from is larger than
	// any commit.
	errTooLarge = errors.New("it takes more than 32 MiB, as no commit does")

	// errNotRegular says that a directory or a device is where a file was
	// to be read.
	errNotRegular = errors.New("not a regular file")
)
