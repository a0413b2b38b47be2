package build

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// watchMemory reports, once, that the process holds more memory than it may:
// small files can make kustomize double something many times over, for example
// by replacements of a value in itself.
func watchMemory() (bloated <-chan uint64, stop func()) {
	most := mayHold(debug.SetMemoryLimit(-1), containerLimit("/sys/fs/cgroup"))
	// Go collects harder near its limit, which slows down what doubles: without, it
	// was faster than the watch.
	debug.SetMemoryLimit(int64(most))
	found, done := make(chan uint64, 1), make(chan struct{})
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				metrics.Read(sample)
				if sample[0].Value.Kind() == metrics.KindUint64 && sample[0].Value.Uint64() > most {
					found <- most
					return
				}
			}
		}
	}()
	return found, sync.OnceFunc(func() { close(done) })
}

// clones is the folder that kustomize clones into: the only one outside the
// repository that a build with remote resources may read, and its own, so that
// it sees nothing else of the temporary folder.
type clones struct {
	mu     sync.Mutex
	folder string
	before string // TMPDIR
	set    bool
}

func (c *clones) make() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	folder, err := os.MkdirTemp("", "generate-")
	if err != nil {
		return err
	}
	if c.folder, err = filepath.EvalSymlinks(folder); err != nil {
		return err
	}
	c.before, c.set = os.LookupEnv("TMPDIR")
	return os.Setenv("TMPDIR", c.folder)
}

func (c *clones) path() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.folder
}

// remove may be called twice: when the caller stops waiting, and when the build
// that was left behind ends.
func (c *clones) remove() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.folder == "" {
		return
	}
	if c.set {
		_ = os.Setenv("TMPDIR", c.before)
	} else {
		_ = os.Unsetenv("TMPDIR")
	}
	_ = os.RemoveAll(c.folder)
}
