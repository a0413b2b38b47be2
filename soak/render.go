package soak

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/proerror77/nova-staging/plugin/command"
)

// Outcome is what one run of generate left.
type Outcome struct {
	Status         int
	Stdout, Stderr string
}

// asGenerate in the environment makes a program that calls [Generate] first run
// generate and nothing else.
const asGenerate = "SOAK_AS_GENERATE"

// Generate turns this process into generate when [World.Render] started it, and
// else returns. Renders can not share a process: kustomize's warnings are caught
// by putting something in place of the process's standard error.
func Generate() {
	if os.Getenv(asGenerate) != "" {
		os.Exit(command.Run(context.Background(), command.Program{Args: os.Args[1:], Env: os.Environ(), Stdout: os.Stdout, Stderr: os.Stderr}))
	}
}

// Render runs generate on the world, in a process of its own as in Argo CD: this
// very program, which has to call [Generate] at its start. cache is a folder, ""
// for none.
func (w *World) Render(ctx context.Context, asOf time.Time, cache string, timeout time.Duration) (Outcome, error) {
	args := []string{"--as-of", asOf.Format(time.RFC3339Nano), "--timeout", timeout.String(), "--cache-dir", cache, w.Dir}
	if cache == "" {
		args = []string{"--as-of", asOf.Format(time.RFC3339Nano), "--timeout", timeout.String(), "--no-cache", w.Dir}
	}
	self, err := os.Executable()
	if err != nil {
		return Outcome{}, fmt.Errorf("find this program: %w", err)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	// With the race detector a program sleeps at its end, unless told otherwise.
	cmd.Env = append(w.env, asGenerate+"=1", "GORACE=atexit_sleep_ms=0", "HOME="+w.Dir)
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		return Outcome{}, fmt.Errorf("run generate: %w", err)
	}
	return Outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}, nil
}

var imageRE = regexp.MustCompile(`(?m)^\s+(?:- )?image: (\S+)$`)

// Check says what is wrong with an outcome, "" when nothing is. With faults that
// a render may give up on, an error of another status than the answer's is fine;
// an image never is.
func (w *World) Check(want Answer, got Outcome, mayFail bool) string {
	if got.Status != 0 {
		errors := 0
		for line := range strings.SplitSeq(got.Stderr, "\n") {
			if strings.HasPrefix(line, "generate: ") && !strings.HasPrefix(line, "generate: warning: ") {
				errors++
			}
		}
		switch {
		case got.Stdout != "":
			return fmt.Sprintf("exit status %d with %d bytes on standard output", got.Status, len(got.Stdout))
		case errors != 1:
			return fmt.Sprintf("exit status %d with %d errors on standard error", got.Status, errors)
		case got.Status != want.Status && !mayFail:
			return fmt.Sprintf("exit status %d, want %d", got.Status, want.Status)
		}
		return ""
	}
	if want.Status != 0 {
		return fmt.Sprintf("a render, want exit status %d", want.Status)
	}
	left := map[string]int{"envoyproxy/envoy:v1.30": len(w.repos)}
	for _, image := range want.Images {
		left[image] = 2 // an init container and a container
	}
	for _, m := range imageRE.FindAllStringSubmatch(got.Stdout, -1) {
		left[m[1]]--
	}
	for _, image := range slices.Sorted(maps.Keys(left)) {
		if left[image] != 0 {
			return fmt.Sprintf("image %s is there %d times too few", image, left[image])
		}
	}
	if n := strings.Count(got.Stdout, "kind: Deployment\n"); n != len(w.repos) {
		return fmt.Sprintf("%d Deployments, want %d", n, len(w.repos))
	}
	if n := strings.Count(got.Stdout, "kind: ConfigMap\n"); n != 1 {
		return fmt.Sprintf("%d release ConfigMaps, want 1", n)
	}
	return ""
}
