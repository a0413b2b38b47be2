// Command smoke proves after a deployment that the new version is what runs and
// answers. See smoke/README.md.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/proerror77/nova-staging/smoke/command"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	return command.Run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
}
