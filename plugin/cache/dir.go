// Package cache keeps JSON values in a folder, one file each.
//
// It is made for processes that come and go, several at once, any of which may
// be killed: a file appears whole or not at all, and one that is damaged counts
// as absent and is written anew. Nothing in it is worth an error: what can not
// be kept is computed again.
package cache

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
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
	// root is the folder that was checked, whatever its path leads to later.
	root *os.Root
	now  func() time.Time
}

// Open makes the folder, readable by its owner alone, and checks that it can be
// written to. It refuses a folder that others may write to: what they put there
// would be deployed. A folder below such a one is fine, as it is made for its
// owner alone: in a Pod, volumes are often open to all.
func Open(path string) (*Dir, error) {
	if path == "" {
		return nil, errors.New("open cache: no folder is named")
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	d := &Dir{root: root, now: time.Now}
	if err := d.check(path); err != nil {
		_ = root.Close()
		return nil, fmt.Errorf("open cache: %w", err)
	}
	return d, nil
}

// check refuses a folder that is not ours alone to write to.
func (d *Dir) check(path string) error {
	info, err := d.root.Stat(".")
	if err != nil {
		return err
	}
	const instead = "name a folder of your own, or one below it that does not exist yet"
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s may be written to by others (mode %v): %s", path, info.Mode().Perm(), instead)
	}
	if !ours(info) {
		return fmt.Errorf("%s belongs to another user: %s", path, instead)
	}
	probe, err := d.temp()
	if err != nil {
		return err
	}
	_ = probe.Close()
	return d.root.Remove(filepath.Base(probe.Name()))
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

// file is the name of a key's entry.
func file(key []byte) string {
	h := sha256.Sum256(key)
	return hex.EncodeToString(h[:]) + suffix
}

// Get reads the value of key into value, a pointer. False when there is none or
// when it can not be trusted.
func (d *Dir) Get(key, value any) bool {
	k, err := json.Marshal(key)
	if err != nil {
		return false
	}
	name := file(k)
	info, err := d.root.Lstat(name)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxEntry {
		return false
	}
	data, err := d.root.ReadFile(name)
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
		_ = d.root.Chtimes(name, now, now) // in use: do not sweep
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
	if err := d.write(file(k), data); err != nil {
		return
	}
	d.sweep()
}

// write puts the file in place by a rename, which is whole or not at all.
func (d *Dir) write(name string, data []byte) error {
	f, err := d.temp()
	if err != nil {
		return err
	}
	temp := filepath.Base(f.Name())
	_, err = f.Write(data)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = d.root.Rename(temp, name)
	}
	if err != nil {
		_ = d.root.Remove(temp)
	}
	return err
}

// temp makes a file that nobody else has open.
func (d *Dir) temp() (*os.File, error) {
	return d.root.OpenFile(tempPrefix+rand.Text(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// An entry's and an unfinished file's name. Nothing else is ever removed: the
// folder may be one that people keep other files in.
var (
	entryRE = regexp.MustCompile(`^[0-9a-f]{64}\` + suffix + `$`)
	tempRE  = regexp.MustCompile(`^\` + tempPrefix + `[A-Z0-9]+$`)
)

// sweep removes entries that nobody used for long and what killed writers left.
// At most once a day, whoever comes first.
func (d *Dir) sweep() {
	now := d.now()
	if info, err := d.root.Lstat(sweepMark); err == nil && age(now, info) < sweepEvery {
		return
	}
	if err := d.root.WriteFile(sweepMark, nil, 0o600); err != nil {
		return
	}
	_ = d.root.Chtimes(sweepMark, now, now)
	folder, err := d.root.Open(".")
	if err != nil {
		return
	}
	files, err := folder.ReadDir(-1)
	_ = folder.Close()
	if err != nil {
		return
	}
	for _, f := range files {
		info, err := d.root.Lstat(f.Name())
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		old := age(now, info)
		if entryRE.MatchString(f.Name()) && old > keep || tempRE.MatchString(f.Name()) && old > keepTemp {
			_ = d.root.Remove(f.Name())
		}
	}
}

// age of a file. One from the future is as old as one from as far in the past,
// or a clock that was once wrong would keep it for ever.
func age(now time.Time, info os.FileInfo) time.Duration { return now.Sub(info.ModTime()).Abs() }
