package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// runnerArg makes this program the runner.
const runnerArg = "-as-runner"

// runner starts the measured processes from a small process of its own: a
// process inherits its parent's peak of memory, and this one holds emulators
// with 100,000 images.
type runner struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	to  *json.Encoder
	by  *json.Decoder
}

type job struct {
	Path string
	Args []string
	Dir  string
	Env  []string
}

type result struct {
	Wall time.Duration
	RSS  int64 // KiB
	Err  string
}

func startRunner(ctx context.Context) (*runner, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, runnerArg)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start runner: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start runner: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start runner: %w", err)
	}
	return &runner{cmd: cmd, in: in, to: json.NewEncoder(in), by: json.NewDecoder(out)}, nil
}

func (r *runner) stop() {
	_ = r.in.Close()
	_ = r.cmd.Wait()
}

// run has the runner run a command, which must print something.
func (r *runner) run(c *exec.Cmd) (time.Duration, int64, error) {
	if err := r.to.Encode(job{Path: c.Path, Args: c.Args, Dir: c.Dir, Env: c.Env}); err != nil {
		return 0, 0, fmt.Errorf("ask runner: %w", err)
	}
	var done result
	if err := r.by.Decode(&done); err != nil {
		return 0, 0, fmt.Errorf("hear from runner: %w", err)
	}
	if done.Err != "" {
		return 0, 0, errors.New(done.Err)
	}
	return done.Wall, done.RSS, nil
}

func serveRunner(in io.Reader, out io.Writer) error {
	jobs, results := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var j job
		if err := jobs.Decode(&j); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := results.Encode(j.run()); err != nil {
			return err
		}
	}
}

func (j job) run() result {
	var stderr strings.Builder
	cmd := &exec.Cmd{Path: j.Path, Args: j.Args, Dir: j.Dir, Env: j.Env, Stderr: &stderr}
	start := time.Now()
	out, err := cmd.Output()
	r := result{Wall: time.Since(start)}
	switch usage, ok := usageOf(cmd); {
	case err != nil:
		r.Err = fmt.Sprintf("%s\n%s", err, stderr.String())
	case len(out) == 0:
		r.Err = "it printed nothing"
	case !ok:
		r.Err = "this system does not report memory use"
	default:
		r.RSS = int64(usage.Maxrss)
	}
	return r
}

func usageOf(c *exec.Cmd) (*syscall.Rusage, bool) {
	if c.ProcessState == nil {
		return nil, false
	}
	usage, ok := c.ProcessState.SysUsage().(*syscall.Rusage)
	return usage, ok
}
