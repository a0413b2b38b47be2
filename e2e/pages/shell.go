package pages

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Shell is a reader's terminal: bash, whose variables and folder last from one
// block to the next. A block ends at its first command that fails, where a reader
// would stop, too.
type Shell struct {
	// Env are variables that it begins with, as NAME=value, besides the process's.
	// Optional.
	Env []string

	state string // a file that bash reads first, and writes at the end
}

// NewShell makes a shell that begins in dir. Its state is kept in the folder temp.
func NewShell(temp, dir string, env ...string) (*Shell, error) {
	s := &Shell{Env: env, state: filepath.Join(temp, "shell-state")}
	if err := os.WriteFile(s.state, []byte("cd "+quote(dir)+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("make a shell: %w", err)
	}
	return s, nil
}

// allexport, so that the next block has what this one has set.
const frame = `. "$PAGES_STATE"
trap 'export -p >"$PAGES_STATE.new"; printf "cd %%q\n" "$PWD" >>"$PAGES_STATE.new"; mv "$PAGES_STATE.new" "$PAGES_STATE"' EXIT
set -aeo pipefail
%s
`

// Result is what a block has said, and how it ended.
type Result struct {
	Stdout, Stderr string
	// Status is the exit status of its last command, or of the one that failed.
	Status int
}

// Run runs a block. The error is that bash could not be run, or ctx ended; a
// command that fails is a Status.
func (s *Shell) Run(ctx context.Context, text string) (Result, error) {
	cmd := exec.CommandContext(ctx, "bash", "-c", fmt.Sprintf(frame, text))
	cmd.Env = append(append(os.Environ(), s.Env...), "PAGES_STATE="+s.state)
	// What a block starts ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 2 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	r := Result{Stdout: stdout.String(), Stderr: stderr.String(), Status: cmd.ProcessState.ExitCode()}
	var ended *exec.ExitError
	if ctx.Err() != nil {
		return r, fmt.Errorf("run a block: %w; it said:\n%s%s", context.Cause(ctx), r.Stdout, r.Stderr)
	}
	if err != nil && !errors.As(err, &ended) {
		return r, fmt.Errorf("run a block: %w", err)
	}
	return r, nil
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
