// Command smoke proves after a deployment that the new version is what runs and
// answers. See smoke/README.md.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/proerror77/nova-staging/smoke/command"
)

func main() {
	// A Job's memory is paid for by the quota: collect early, a run is short.
	debug.SetGCPercent(30)
	debug.SetMemoryLimit(40 << 20)
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	return command.Run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
}
