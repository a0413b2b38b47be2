package main

import (
	"errors"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestReapCollectsEveryChildThatHasEnded(t *testing.T) {
	var children []int
	for range 3 {
		pid, err := syscall.ForkExec("/bin/sh", []string{"sh", "-c", "exit 0"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		children = append(children, pid)
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		reap()
		gone := 0
		for _, pid := range children {
			// A child that has ended but was not reaped still has its number.
			if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
				gone++
			}
		}
		if gone == len(children) {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Error("children were left behind")
}

func TestPauseEndsWhenItIsTold(t *testing.T) {
	program := filepath.Join(t.TempDir(), "pause")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := exec.Command(program, "-check").Run(); err != nil {
		t.Errorf("-check: %v", err)
	}
	command := exec.Command(program)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	// The signal may come before the program listens for it, which ends it too.
	time.Sleep(50 * time.Millisecond)
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err != nil && command.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("got %v", err)
	}
}
