// Package command is the smoke program: its subcommands, flags and outputs.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/proerror77/nova-staging/internal/version"
	"github.com/proerror77/nova-staging/smoke/verdict"
)

// streams are what a program is connected to.
type streams struct {
	env    func(string) string
	in     io.Reader
	out    io.Writer
	err    io.Writer
	status int
}

// Run carries args out (without the program's name) and gives the exit code.
// When ctx ends, as after a signal, it reports what is known and returns.
func Run(ctx context.Context, args []string, env func(string) string, stdin io.Reader, stdout, stderr io.Writer) (status int) {
	s := &streams{env: env, in: stdin, out: stdout, err: stderr}
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(stderr, "smoke: internal error: %v\n", p)
			status = verdict.Internal.ExitCode()
		}
	}()
	root := newRoot(s)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(stderr, "smoke: "+err.Error())
		var failed *failure
		if errors.As(err, &failed) {
			return failed.class.ExitCode()
		}
		return verdict.Usage.ExitCode()
	}
	return s.status
}

// failure is an error whose exit code is not that of wrong usage.
type failure struct {
	class verdict.Class
	err   error
}

func (f *failure) Error() string { return f.err.Error() }

func (f *failure) Unwrap() error { return f.err }

func newRoot(s *streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "smoke",
		Short: "Proves that the new version is what runs and answers",
		Long: `smoke looks at the services of one namespace after a deployment: whether the
rollout is complete, whether the image that runs is the one that was released,
whether every Pod answers, and whether Redis Sentinel and Kafka are whole.

It is green only if every required check passed. What it could not look at is
inconclusive, never passed.

` + verdict.Help(),
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		Args:              cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return errors.New("which command? valid commands are: run, validate, version (see smoke --help)")
		},
	}
	root.AddCommand(newRun(s), newValidate(s), newVersion())
	return root
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Prints which build this is",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(c.OutOrStdout(), "smoke "+version.Get().String())
			return err
		},
	}
}
