package main

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"
)

func TestPauseReapsItsChildrenAndEndsWhenToldTo(t *testing.T) {
	end, dead, done := make(chan os.Signal), make(chan os.Signal), make(chan struct{})
	go func() {
		wait(end, dead)
		close(done)
	}()

	var left []int
	for range 3 {
		pid, err := syscall.ForkExec("/bin/sh", []string{"sh", "-c", "exit 0"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, pid)
	}
	for deadline := time.Now().Add(10 * time.Second); len(left) > 0; {
		if time.Now().After(deadline) {
			t.Fatalf("children %v were left behind", left)
		}
		dead <- syscall.SIGCHLD
		// One that has ended but was not reaped still has its number.
		if errors.Is(syscall.Kill(left[0], 0), syscall.ESRCH) {
			left = left[1:]
		}
	}

	select {
	case <-done:
		t.Fatal("ended without being told to")
	default:
	}
	end <- syscall.SIGTERM
	<-done
}
