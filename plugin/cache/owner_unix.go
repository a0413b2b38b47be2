//go:build unix

package cache

import (
	"os"
	"syscall"
)

// ours says whether this process's user owns a file.
func ours(info os.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(s.Uid) == os.Geteuid()
}
