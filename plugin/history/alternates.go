package history

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// maxBorrow is how long a chain of alternates may be, as in git.
const maxBorrow = 5

// objectDirs returns the object directory of a repository and all those it
// borrows from, directly or through another, and the ones that are not there.
func objectDirs(common string) (dirs, lost []string, err error) {
	var visit func(dir string, depth int) error
	visit = func(dir string, depth int) error {
		real, err := filepath.EvalSymlinks(dir)
		if err == nil {
			var fi fs.FileInfo
			if fi, err = os.Stat(real); err == nil && !fi.IsDir() {
				err = fs.ErrNotExist
			}
		}
		switch {
		case absent(err) && depth > 0:
			lost = append(lost, dir)
			return nil
		case err != nil:
			return fmt.Errorf("open object directory %s: %w", dir, err)
		case slices.Contains(dirs, real):
			return nil
		}
		dirs = append(dirs, real)
		data, err := readFile(real, "info/alternates", maxListFile)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if depth == maxBorrow {
			return fmt.Errorf("%w: more than %d alternates in a row at %s", ErrCorrupt, maxBorrow, real)
		}
		for _, next := range parseAlternates(string(data)) {
			if !filepath.IsAbs(next) {
				next = filepath.Join(real, next)
			}
			if err := visit(next, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	err = visit(filepath.Join(common, "objects"), 0)
	return dirs, lost, err
}

// parseAlternates returns the paths in info/alternates: one a line, comments
// with #, quoted as in C when a path begins with a quote.
func parseAlternates(text string) []string {
	var paths []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] == '"' {
			if unquoted, err := strconv.Unquote(line); err == nil {
				line = unquoted
			}
		}
		if line != "" && !strings.ContainsRune(line, 0) {
			paths = append(paths, line)
		}
	}
	return paths
}
