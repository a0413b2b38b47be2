//go:build unix

package cache

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Volumes of a Pod are open to all, and with an fsGroup their group is inherited.
func TestAFolderIsMadeForItsOwnerAloneInAVolumeThatIsOpenToAll(t *testing.T) {
	t.Parallel()
	for _, mode := range []os.FileMode{0o777, os.ModeSticky | 0o777, os.ModeSetgid | 0o777, os.ModeSetgid | 0o775} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			volume := t.TempDir()
			if err := os.Chmod(volume, mode); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(volume); err == nil || !strings.Contains(err.Error(), "or one below it that does not exist yet") {
				t.Errorf("the volume itself: %v", err)
			}
			for range 2 { // made by the first, found by the second
				d, err := Open(filepath.Join(volume, "nova", "generate"))
				if err != nil {
					t.Fatal(err)
				}
				if info, err := d.root.Stat("."); err != nil || info.Mode().Perm() != 0o700 {
					t.Errorf("the folder has mode %v, %v", info.Mode(), err)
				}
			}
		})
	}
}

func TestAFolderOfItsOwnerThatOthersMayReadIsFine(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err != nil {
		t.Error(err)
	}
}

func TestAFolderOfAnotherUserIsRefused(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give a folder away")
	}
	path := t.TempDir()
	if err := os.Chown(path, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "belongs to another user") {
		t.Errorf("error is %v", err)
	}
}

func TestAFolderThatCanNotBeWrittenToIsAnError(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may write anywhere")
	}
	path := t.TempDir()
	if err := os.Chmod(path, 0o500); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("error is %v", err)
	}
}

// Whoever may write to the folder above could put another one in its place.
func TestAFolderThatTookThePlaceOfOursIsNotUsed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cache")
	theirs, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	theirs.Put("k", value{Tag: "theirs"})
	if err := os.Rename(path, path+".theirs"); err != nil {
		t.Fatal(err)
	}
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	d.Put("k", value{Tag: "ours"})
	if err := os.Rename(path, path+".ours"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path+".theirs", path); err != nil {
		t.Fatal(err)
	}
	var got value
	if !d.Get("k", &got) || got.Tag != "ours" {
		t.Errorf("got %+v", got)
	}
	d.Put("new", value{Tag: "ours"})
	if theirs.Get("new", &got) {
		t.Error("an entry was written to the other folder")
	}
}

const fullVariable = "CACHE_TEST_FULL"

func init() { children[fullVariable] = writeToAFullDisk }

// writeToAFullDisk writes what does not fit, under the limit that a disk has.
func writeToAFullDisk(path string) {
	signal.Ignore(syscall.SIGXFSZ)
	d, err := Open(path)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	d.Put("small", value{Tag: "v1"})
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 10_000, Max: 10_000}); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for range 5 {
		d.Put("small", value{Tag: strings.Repeat("x", 100_000)})
	}
	var got value
	fmt.Print(d.Get("small", &got), " ", got.Tag)
	os.Exit(0)
}

func TestAWriteThatIsCutShortLeavesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cache")
	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Env = append(os.Environ(), fullVariable+"="+path)
	out, err := c.CombinedOutput()
	if err != nil || string(out) != "true v1" {
		t.Errorf("the writer says %q, %v; want the entry that it wrote before", out, err)
	}
	if n := leftovers(t, path); n != 0 {
		t.Errorf("%d unfinished files are left", n)
	}
}

func TestManyProcessesShareAFolder(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cache")
	const writers = 4
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			c := exec.CommandContext(t.Context(), os.Args[0])
			c.Env = append(os.Environ(), writerVariable+"="+path)
			if err := c.Start(); err != nil {
				t.Error(err)
				return
			}
			time.Sleep(100 * time.Millisecond)
			_ = c.Process.Kill()
			_ = c.Wait()
		})
	}
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for found := false; ; {
		var got value
		ok := d.Get("k", &got)
		if found && !ok || ok && (len(got.Tag) != 200_000 || strings.Trim(got.Tag, got.Tag[:1]) != "") {
			t.Fatalf("found %v, %d bytes", ok, len(got.Tag))
		}
		found = found || ok
		select {
		case <-done:
			return
		default:
		}
	}
}

func TestAClockThatWasWrongOnceDoesNotStopTheSweep(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.Put("future", value{Tag: "v1"})
	future := time.Now().AddDate(50, 0, 0)
	for _, name := range []string{filepath.Base(d.fileOf(t, "future")), sweepMark} {
		if err := d.root.Chtimes(name, future, future); err != nil {
			t.Fatal(err)
		}
	}
	d.Put("k", value{})
	var got value
	if d.Get("future", &got) {
		t.Error("an entry from the future is kept for ever")
	}
	if !d.Get("k", &got) {
		t.Error("an entry of today is gone")
	}
}
