package main

import (
	"encoding/pem"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/proerror77/nova-staging/internal/ecremulator"
	"github.com/proerror77/nova-staging/internal/novaworld"
	"github.com/proerror77/nova-staging/plugin/ecr"
)

// TestMain puts the program into the PATH, built as for users: with the race detector
// each of the hundred renders here would take three times as long, and the soak has them
// with it.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "generate-")
	if err != nil {
		panic(err)
	}
	code := 1
	if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "generate"), ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build generate: %v\n%s", err, out)
	} else {
		os.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

var update = os.Getenv("UPDATE_SCRIPTS") != ""

// Scripts run the binary in the Nova repository against an ECR emulator. Their
// world, made by setup: three commits, of which $FIRST is built for all services
// and pushed by $T1, $DOCS has no images, and $LAST is built for all but
// streaming-service by $T2, and completed only by the command "complete", at $T3.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		Setup:               setup,
		UpdateScripts:       update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    exits,
			"fault":    fault,
			"calls":    calls,
			"complete": complete,
			"scan":     scan,
			"oneline":  oneline,
			"replace":  replace,
			"raw":      raw,
			"killed":   killed,
		},
	})
}

type stage struct {
	world *novaworld.World
	ecr   *ecremulator.Server
	last  string
}

type stageKey struct{}

const day = 24 * time.Hour

var monday = time.Date(2026, 11, 16, 9, 0, 0, 0, time.UTC)

func setup(env *testscript.Env) error {
	e := ecremulator.New()
	server, err := e.Serve()
	if err != nil {
		return err
	}
	env.Defer(server.Close)
	w, err := novaworld.Create(filepath.Join(env.WorkDir, "nova"), filepath.Join("..", "..", "manifests"), e, monday.Add(-day))
	if err != nil {
		return err
	}
	s := &stage{world: w, ecr: server}
	if err := s.history(env); err != nil {
		return err
	}
	for name, value := range server.Env() {
		env.Setenv(name, value)
	}
	env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
	env.Setenv("NOVA", w.Root)
	env.Setenv("STAGING", w.Overlay("staging"))
	env.Setenv("HOST", w.Registry.Host())
	env.Setenv("CA", filepath.Join(env.WorkDir, "ca.pem"))
	if err := writeCertificate(env.Getenv("CA")); err != nil {
		return err
	}
	env.Cd = w.Overlay("staging")
	env.Values[stageKey{}] = s
	return nil
}

// writeCertificate writes some valid certificate as PEM.
func writeCertificate(path string) error {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	block := &pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}
	return os.WriteFile(path, pem.EncodeToMemory(block), 0o644)
}

func (s *stage) history(env *testscript.Env) error {
	first, err := s.world.Commit(monday, "feat: first")
	if err != nil {
		return err
	}
	t1, err := s.world.Build(first, monday.Add(time.Hour))
	if err != nil {
		return err
	}
	docs, err := s.world.Commit(monday.Add(day), "docs: nothing built")
	if err != nil {
		return err
	}
	if s.last, err = s.world.Commit(monday.Add(2*day), "feat: last"); err != nil {
		return err
	}
	n := len(novaworld.Services)
	t2, err := s.world.Build(s.last, monday.Add(2*day+time.Hour), novaworld.Services[:n-1]...)
	if err != nil {
		return err
	}
	if err := s.world.PushSmoke(monday); err != nil {
		return err
	}
	if err := s.world.Release(first, "1.4.0"); err != nil {
		return err
	}
	env.Setenv("FIRST", first)
	env.Setenv("DOCS", docs)
	env.Setenv("LAST", s.last)
	env.Setenv("T1", t1.Format(time.RFC3339))
	env.Setenv("T2", t2.Format(time.RFC3339))
	env.Setenv("T3", t2.Add(time.Hour).Format(time.RFC3339))
	return s.world.Clutter(t2)
}

func stageOf(ts *testscript.TestScript) *stage { return ts.Value(stageKey{}).(*stage) }

// exits STATUS COMMAND…: run a command that must exit with that status.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND [ARG…]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("run %s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s exited with %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

var faults = map[string]ecremulator.FaultKind{
	"throttle": ecremulator.Throttle, "servererror": ecremulator.ServerError, "unavailable": ecremulator.Unavailable,
	"expired": ecremulator.ExpiredToken, "unknownkey": ecremulator.UnknownKey, "denied": ecremulator.AccessDenied,
	"hang": ecremulator.Hang, "cut": ecremulator.CutConnection, "cutbody": ecremulator.CutBody,
	"html": ecremulator.HTMLBody, "truncated": ecremulator.TruncatedJSON, "empty": ecremulator.EmptyBody,
}

// fault KIND [op=OP] [repo=REPOSITORY] [times=N] [after=N]: make calls fail.
// fault none: end all faults.
func fault(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: fault KIND|none [op=OP] [repo=NAME] [times=N] [after=N]")
	}
	if args[0] == "none" {
		stageOf(ts).ecr.ClearFaults()
		return
	}
	kind, ok := faults[args[0]]
	if !ok {
		ts.Fatalf("unknown fault %q", args[0])
	}
	f := ecremulator.Fault{Kind: kind}
	for _, a := range args[1:] {
		key, value, _ := strings.Cut(a, "=")
		switch key {
		case "op":
			f.Op = value
		case "repo":
			f.Repository = value
		case "times", "after":
			n, err := strconv.Atoi(value)
			ts.Check(err)
			if key == "times" {
				f.Times = n
			} else {
				f.After = n
			}
		default:
			ts.Fatalf("unknown option %q", a)
		}
	}
	stageOf(ts).ecr.Inject(f)
}

// calls N [OP]: that many ECR calls were made since the last "calls".
func calls(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: calls N [OP]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	op := ""
	if len(args) > 1 {
		op = args[1]
	}
	e := stageOf(ts).ecr
	if got := e.Count(op, ""); got != want {
		ts.Fatalf("%d calls of %q were made, want %d", got, op, want)
	}
	e.Reset()
}

// complete: push the image that $LAST lacks, at $T3.
func complete(ts *testscript.TestScript, _ bool, _ []string) {
	s := stageOf(ts)
	at, err := time.Parse(time.RFC3339, ts.Getenv("T3"))
	ts.Check(err)
	_, err = s.world.Build(s.last, at, novaworld.Services[len(novaworld.Services)-1])
	ts.Check(err)
}

// scan STATUS REPOSITORY TAG [SEVERITY=N…] [enhanced] [only=PLATFORM]: give the
// images of a tag this scan. TAG may be a digest, and REPOSITORY all.
func scan(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: scan STATUS REPOSITORY|all TAG [SEVERITY=N…] [enhanced] [only=PLATFORM]")
	}
	s := ecremulator.Scan{Status: ecremulator.ScanStatus(args[0]), Findings: map[string]int{}}
	only := ""
	for _, a := range args[3:] {
		key, value, _ := strings.Cut(a, "=")
		switch key {
		case "enhanced":
			s.Enhanced = true
		case "only":
			only = value
		default:
			n, err := strconv.Atoi(value)
			ts.Check(err)
			s.Findings[key] = n
		}
	}
	names := []string{args[1]}
	if args[1] == "all" {
		names = novaworld.Repositories()
	}
	for _, name := range names {
		ts.Check(scanTag(stageOf(ts).world.Registry.Repository(name), args[2], only, s))
	}
}

// scanTag gives a scan to an image, or to those that an index lists, for one
// platform or all.
func scanTag(r *ecremulator.Repository, ref, only string, s ecremulator.Scan) error {
	image, err := r.Image(ref)
	if err != nil {
		return err
	}
	parts, err := ecr.Manifest{Digest: image.Digest, MediaType: image.MediaType, Body: string(image.Manifest)}.Parts()
	if err != nil {
		return err
	}
	for _, p := range parts {
		if only == "" || p.Platform == only {
			err = errors.Join(err, r.SetScan(p.Digest, s))
		}
	}
	return err
}

// oneline: standard output was empty and standard error held exactly one line.
func oneline(ts *testscript.TestScript, neg bool, _ []string) {
	if neg {
		ts.Fatalf("oneline can not be negated")
	}
	if out := ts.ReadFile("stdout"); out != "" {
		ts.Fatalf("standard output is not empty: %q", out)
	}
	text := ts.ReadFile("stderr")
	if !strings.HasPrefix(text, "generate: ") || strings.Count(text, "\n") != 1 {
		ts.Fatalf("standard error is not one line from generate: %q", text)
	}
}

// replace FILE OLD NEW: change a file, in which OLD must be.
func replace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: replace FILE OLD NEW")
	}
	file := ts.MkAbs(args[0])
	data, err := os.ReadFile(file)
	ts.Check(err)
	if !strings.Contains(string(data), args[1]) {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(file, []byte(strings.ReplaceAll(string(data), args[1], args[2])), 0o644))
}

// raw COMMAND…: run a command of the machine, such as git, with its own PATH.
func raw(ts *testscript.TestScript, neg bool, args []string) {
	c := exec.Command(args[0], args[1:]...)
	c.Dir = ts.MkAbs(".")
	c.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull)
	out, err := c.CombinedOutput()
	if (err != nil) != neg {
		ts.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// killed SIGNAL STATUS COMMAND…: start a command, send it the signal once it has
// called ECR, and check its exit status. Its output is in files out and err.
func killed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: killed SIGNAL STATUS COMMAND…")
	}
	signal := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "KILL": syscall.SIGKILL}[args[0]]
	path, err := exec.LookPath(filepath.Join(strings.Split(ts.Getenv("PATH"), string(os.PathListSeparator))[0], args[2]))
	ts.Check(err)
	c := exec.Command(path, args[3:]...)
	c.Dir = ts.MkAbs(".")
	for _, name := range []string{"HOME", "AWS_ENDPOINT_URL_ECR", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "GORACE"} {
		c.Env = append(c.Env, name+"="+ts.Getenv(name))
	}
	var out, stderr strings.Builder
	c.Stdout, c.Stderr = &out, &stderr
	ts.Check(c.Start())
	e := stageOf(ts).ecr
	for deadline := time.Now().Add(20 * time.Second); e.MaxInFlight() == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			ts.Fatalf("%s did not call ECR; it said %s", args[2], stderr.String())
		}
	}
	ts.Check(c.Process.Signal(signal))
	_ = c.Wait()
	if got := fmt.Sprint(c.ProcessState.ExitCode()); got != args[1] {
		ts.Fatalf("exited with %s, want %s; it said %s", got, args[1], stderr.String())
	}
	ts.Check(os.WriteFile(ts.MkAbs("out"), []byte(out.String()), 0o644))
	ts.Check(os.WriteFile(ts.MkAbs("err"), []byte(stderr.String()), 0o644))
}
