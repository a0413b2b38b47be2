// Package docs_test holds the pages of this folder and the README to the programs:
// what they link to, name and show exists.
package docs_test

import (
	"os"
	"path/filepath"
)

// pages is this folder, also after a test has gone elsewhere.
var pages = func() string {
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	return filepath.Clean(dir)
}()
