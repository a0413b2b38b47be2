// Command pause holds a Pod's namespaces open: it waits for a signal to end,
// and as the Pod's first process reaps what others leave behind.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// Asked for by engine.sh, which only wants to see that a program starts.
	if len(os.Args) > 1 && os.Args[1] == "-check" {
		return
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGINT, syscall.SIGTERM)
	dead := make(chan os.Signal, 1)
	signal.Notify(dead, syscall.SIGCHLD)
	wait(end, dead)
}

// wait returns when it is told to end, and until then reaps whenever a child is
// dead.
func wait(end, dead <-chan os.Signal) {
	for {
		select {
		case <-end:
			return
		case <-dead:
			reap()
		}
	}
}

// reap collects every child that has ended; signals do not queue, so one may
// stand for many.
func reap() {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
	}
}
