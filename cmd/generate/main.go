// Command generate renders a kustomization with every image resolved from ECR
// as of an instant. It is an Argo CD config management plugin.
package main

import (
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"golang.org/x/term"

	"github.com/proerror77/nova-staging/plugin/command"
)

func main() { os.Exit(run()) }

func run() int {
	// Libraries log here, net/http among them; errors reach people through Run.
	log.SetOutput(io.Discard)
	if os.Getenv("GOGC") == "" {
		// A process of a tenth of a second: fewer collections for a few MiB more.
		debug.SetGCPercent(200)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return command.Run(ctx, command.Program{
		Args:     os.Args[1:],
		Env:      os.Environ(),
		Stdout:   os.Stdout,
		Stderr:   os.Stderr,
		Terminal: term.IsTerminal(int(os.Stderr.Fd())),
	})
}
