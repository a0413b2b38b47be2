// Package cache keeps JSON values in a folder, one file each.
//
// It is made for processes that come and go, several at once, any of which may
// be killed: a file appears whole or not at all, and one that is damaged counts
// as absent and is written anew. Nothing in it is worth an error: what can not
// be kept is computed again.
package cache

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	// keep is how long an entry stays after it was last used.
	keep = 30 * 24 * time.Hour
	// keepTemp is how long an unfinished file stays: far longer than a write.
	keepTemp = time.Hour
	// maxEntry bounds what is read back, in bytes.
	maxEntry = 4 << 20
	// sweepEvery is how often the folder is cleaned.
	sweepEvery = 24 * time.Hour

	suffix     = ".json"
	tempPrefix = ".tmp-"
	sweepMark  = ".swept"
)

// Dir is a folder of entries. Make it with [Open]. Safe for concurrent use by
// any number of processes.
type Dir struct {
	path string
	now  func() time.Time
}

// Open makes the folder, readable by its owner alone, and checks that it can be
// written to. It refuses a folder that others may write to: what they put there
// would be deployed.
func Open(path string) (*Dir, error) {
	if path == "" {
		return nil, errors.New("open cache: no folder is named")
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("open cache: %s may be written to by others (mode %v): use a folder of your own", path, info.Mode().Perm())
	}
	probe, err := os.CreateTemp(path, tempPrefix)
	if err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	_ = probe.Close()
	_ = os.Remove(probe.Name())
	return &Dir{path: path, now: time.Now}, nil
}

// entry is a file's content. The key is stored in full, so that two keys can
// never be taken for each other, and the sum covers key and value.
type entry struct {
	Key   json.RawMessage `json:"key"`
	Value json.RawMessage `json:"value"`
	Sum   string          `json:"sum"`
}

func sum(key, value []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "%d %d\n", len(key), len(value))
	h.Write(key)
	h.Write(value)
	return hex.EncodeToString(h.Sum(nil))
}

func (d *Dir) file(key []byte) string {
	h := sha256.Sum256(key)
	return filepath.Join(d.path, hex.EncodeToString(h[:])+suffix)
}

// Get reads the value of key into value, a pointer. False when there is none or
// when it can not be trusted.
func (d *Dir) Get(key, value any) bool {
	k, err := json.Marshal(key)
	if err != nil {
		return false
	}
	name := d.file(k)
	info, err := os.Lstat(name)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxEntry {
		return false
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return false
	}
	var e entry
	if json.Unmarshal(data, &e) != nil || !bytes.Equal(e.Key, k) || e.Sum != sum(e.Key, e.Value) {
		return false
	}
	if json.Unmarshal(e.Value, value) != nil {
		return false
	}
	if now := d.now(); now.Sub(info.ModTime()) > keep/10 {
		_ = os.Chtimes(name, now, now) // in use: do not sweep
	}
	return true
}

// Put keeps value under key, in place of what was there.
func (d *Dir) Put(key, value any) {
	k, err := json.Marshal(key)
	if err != nil {
		return
	}
	v, err := json.Marshal(value)
	if err != nil || len(k)+len(v) > maxEntry/2 {
		return
	}
	data, err := json.Marshal(entry{Key: k, Value: v, Sum: sum(k, v)})
	if err != nil {
		return
	}
	if err := d.write(d.file(k), data); err != nil {
		return
	}
	d.sweep()
}

// write puts the file in place by a rename, which is whole or not at all.
func (d *Dir) write(name string, data []byte) error {
	f, err := os.CreateTemp(d.path, tempPrefix)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// sweep removes entries that nobody used for long and what killed writers left.
// At most once a day, whoever comes first.
func (d *Dir) sweep() {
	mark := filepath.Join(d.path, sweepMark)
	now := d.now()
	if info, err := os.Stat(mark); err == nil && now.Sub(info.ModTime()) < sweepEvery {
		return
	}
	if err := os.WriteFile(mark, nil, 0o600); err != nil {
		return
	}
	_ = os.Chtimes(mark, now, now)
	files, err := os.ReadDir(d.path)
	if err != nil {
		return
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		age := now.Sub(info.ModTime())
		ours := strings.HasSuffix(f.Name(), suffix) && age > keep || strings.HasPrefix(f.Name(), tempPrefix) && age > keepTemp
		if ours {
			_ = os.Remove(filepath.Join(d.path, f.Name()))
		}
	}
}
