package cache

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

type value struct {
	Tag string
	At  time.Time
}

func open(t testing.TB) *Dir {
	t.Helper()
	d, err := Open(filepath.Join(t.TempDir(), "cache"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *Dir) fileOf(t testing.TB, key any) string {
	t.Helper()
	k, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	return d.file(k)
}

func TestWhatIsPutIsGot(t *testing.T) {
	t.Parallel()
	d := open(t)
	want := value{"v1 <&>", time.Date(2026, 11, 20, 12, 0, 0, 5, time.UTC)}
	var got value
	if d.Get("k", &got) {
		t.Error("an empty cache has an answer")
	}
	d.Put("k", want)
	if !d.Get("k", &got) || got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	d.Put("k", value{Tag: "v2"})
	if !d.Get("k", &got) || got.Tag != "v2" {
		t.Errorf("got %+v after it was put anew", got)
	}
	if d.Get("other", &got) {
		t.Error("another key has an answer")
	}
	again, err := Open(d.path)
	if err != nil {
		t.Fatal(err)
	}
	if !again.Get("k", &got) || got.Tag != "v2" {
		t.Error("another process does not find it")
	}
}

func TestADamagedEntryIsAbsentAndWrittenAnew(t *testing.T) {
	t.Parallel()
	damage := map[string]func(t *testing.T, file string){
		"empty":     func(t *testing.T, file string) { write(t, file, nil) },
		"garbage":   func(t *testing.T, file string) { write(t, file, []byte("garbage")) },
		"truncated": func(t *testing.T, file string) { write(t, file, read(t, file)[:40]) },
		"one bit":   func(t *testing.T, file string) { data := read(t, file); data[len(data)/2] ^= 1; write(t, file, data) },
		"another value under the same sum": func(t *testing.T, file string) {
			write(t, file, []byte(strings.Replace(string(read(t, file)), "v1", "v9", 1)))
		},
		"another key's entry": func(t *testing.T, file string) {
			var e entry
			if err := json.Unmarshal(read(t, file), &e); err != nil {
				t.Fatal(err)
			}
			e.Key = json.RawMessage(`"other"`)
			e.Sum = sum(e.Key, e.Value)
			data, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			write(t, file, data)
		},
		"far too large": func(t *testing.T, file string) { write(t, file, make([]byte, maxEntry+1)) },
		"a folder": func(t *testing.T, file string) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(file, 0o700); err != nil {
				t.Fatal(err)
			}
		},
		"a link to elsewhere": func(t *testing.T, file string) {
			elsewhere := filepath.Join(t.TempDir(), "x")
			write(t, elsewhere, read(t, file))
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(elsewhere, file); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, spoil := range damage {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			d.Put("k", value{Tag: "v1"})
			spoil(t, d.fileOf(t, "k"))
			var got value
			if d.Get("k", &got) {
				t.Fatalf("the damaged entry was believed: %+v", got)
			}
			d.Put("k", value{Tag: "v2"})
			if name == "a folder" {
				return // nothing can take its place, and that is no failure
			}
			if !d.Get("k", &got) || got.Tag != "v2" {
				t.Errorf("it was not written anew: %+v", got)
			}
		})
	}
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t testing.TB, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAFolderThatCanNotBeUsedIsAnError(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	file := filepath.Join(base, "file")
	write(t, file, nil)
	shared := filepath.Join(base, "shared")
	if err := os.Mkdir(shared, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(shared, 0o777); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"": "no folder is named", file: "not a directory", filepath.Join(file, "x"): "not a directory", shared: "may be written to by others"} {
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%q) says %v, want %q", path, err, want)
		}
	}
	// The parent's mode does not matter: Argo CD's /tmp is open to all.
	d, err := Open(filepath.Join(shared, "own"))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(d.path); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the new folder has mode %v, %v", info.Mode(), err)
	}
}

func TestManyWritersAndReadersSeeWholeEntriesOnly(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cache")
	var wg sync.WaitGroup
	for w := range 4 {
		d, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for i := range 50 {
				d.Put("k", value{Tag: strings.Repeat(fmt.Sprint(w), 5000)})
				var got value
				if !d.Get("k", &got) {
					t.Errorf("writer %d, round %d: no whole entry", w, i)
				} else if strings.Trim(got.Tag, got.Tag[:1]) != "" {
					t.Errorf("writer %d, round %d: two entries in one", w, i)
				}
			}
		})
	}
	wg.Wait()
	if left := leftovers(t, path); left != 0 {
		t.Errorf("%d temporary files are left", left)
	}
}

func leftovers(t testing.TB, path string) int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(path, tempPrefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

const writerVariable = "CACHE_TEST_WRITER"

func TestMain(m *testing.M) {
	if path := os.Getenv(writerVariable); path != "" {
		writeForEver(path)
	}
	os.Exit(m.Run())
}

func writeForEver(path string) {
	d, err := Open(path)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for i := 0; ; i++ {
		d.Put("k", value{Tag: strings.Repeat(fmt.Sprint(i%10), 200_000)})
		if i == 0 {
			fmt.Println("writing")
		}
	}
}

func TestAKilledWriterLeavesWholeEntries(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cache")
	for round := range 8 {
		c := exec.CommandContext(t.Context(), os.Args[0])
		c.Env = append(os.Environ(), writerVariable+"="+path)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(out).ReadString('\n'); line != "writing\n" {
			t.Fatalf("the writer says %q, %v", line, err)
		}
		time.Sleep(time.Duration(round) * time.Millisecond)
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait()
		d, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		var got value
		if !d.Get("k", &got) || len(got.Tag) != 200_000 {
			t.Errorf("round %d: no whole entry", round)
		}
	}
}

func TestSweepRemovesWhatNobodyUses(t *testing.T) {
	t.Parallel()
	d := open(t)
	start := time.Now()
	d.Put("used", value{Tag: "u"})
	d.Put("unused", value{Tag: "n"})
	killed := filepath.Join(d.path, tempPrefix+"123")
	foreign := filepath.Join(d.path, "README")
	write(t, killed, []byte("half"))
	write(t, foreign, []byte("not ours"))
	var got value
	for day := 1; day <= 40; day++ {
		d.now = func() time.Time { return start.Add(time.Duration(day) * 24 * time.Hour) }
		if !d.Get("used", &got) {
			t.Fatalf("day %d: an entry in use is gone", day)
		}
		d.Put("daily", value{})
	}
	if d.Get("unused", &got) {
		t.Error("an entry unused for 40 days is still there")
	}
	if leftovers(t, d.path) != 0 {
		t.Error("what a killed writer left is still there")
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Errorf("a file that is not the cache's is gone: %v", err)
	}
}

func TestAFullDiskIsNoFailure(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.Put("k", value{Tag: "v1"})
	// A folder that is gone fails every write, as a full disk does.
	if err := os.RemoveAll(d.path); err != nil {
		t.Fatal(err)
	}
	d.Put("k", value{Tag: "v2"})
	var got value
	if d.Get("k", &got) {
		t.Error("there is an answer from nowhere")
	}
}

func FuzzGet(f *testing.F) {
	d := open(f)
	d.Put("k", value{Tag: "v1"})
	f.Add(read(f, d.fileOf(f, "k")))
	f.Add([]byte(`{"key":"k","value":{},"sum":""}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := open(t)
		write(t, d.fileOf(t, "k"), data)
		var got value
		if d.Get("k", &got) {
			var e entry
			if err := json.Unmarshal(data, &e); err != nil || string(e.Key) != `"k"` || e.Sum != sum(e.Key, e.Value) {
				t.Errorf("believed %q", data)
			}
		}
	})
}
