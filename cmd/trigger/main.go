// Command trigger makes a push to ECR a verified deployment: it moves the as-of
// parameter of Argo CD's Applications, and back when the sync fails.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/proerror77/nova-staging/trigger/command"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	return command.Run(ctx, command.Program{Args: os.Args[1:], Env: os.Getenv, Stdout: os.Stdout, Stderr: os.Stderr})
}
