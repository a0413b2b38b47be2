package build

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	// maxMemory is how much a build may hold where nothing else says. A bundle of a
	// thousand CRDs takes half of it.
	maxMemory = 3 << 30
	// partOfContainer is what a build may hold of its container's memory, as a
	// divisor. What doubles is seen when it has doubled, next to its garbage: up to
	// three times of this was measured, and the container is for more than one process.
	partOfContainer = 5
)

// mayHold is how many bytes a build may hold: goLimit, which is GOMEMLIMIT or
// math.MaxInt64, or else a part of the container's.
func mayHold(goLimit int64, container uint64) uint64 {
	if goLimit < math.MaxInt64 {
		return uint64(goLimit)
	}
	return min(maxMemory, container/partOfContainer)
}

// containerLimit is the limit in bytes at which the kernel ends processes of this
// container, as its control group says below root (version 2, or else 1). Without
// one it is math.MaxUint64.
func containerLimit(root string) uint64 {
	for _, file := range []string{"memory.max", "memory/memory.limit_in_bytes"} {
		data, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			continue
		}
		// "max" is no number, and no limit.
		if n, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64); err == nil && n > 0 {
			return n
		}
	}
	return math.MaxUint64
}
