package history

import (
	"fmt"
	"io"
	"os"
)

const (
	maxSmallFile = 64 << 10 // a reference, a .git file
	maxListFile  = 16 << 20 // config, alternates, shallow
)

// open opens a regular file below dir for reading. Symbolic links are followed
// as long as they stay below dir; devices and pipes are refused unopened.
func open(dir, name string) (*os.File, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	fi, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, &os.PathError{Op: "open", Path: dir + "/" + name, Err: errNotRegular}
	}
	return root.Open(name)
}

// readFile reads a file below dir that holds at most limit bytes.
func readFile(dir, name string, limit int64) ([]byte, error) {
	f, err := open(dir, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("read %s/%s: %w: more than %d bytes", dir, name, ErrCorrupt, limit)
	}
	return data, nil
}
