// Package command is the generate program: flags and environment in, manifests
// or one clear error out.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/proerror77/nova-staging/internal/version"
)

// Program is what the surroundings give a run. No code below reads the process's
// own arguments, environment or streams, except the AWS SDK its configuration.
type Program struct {
	Args   []string // without the program's name
	Env    []string // KEY=value
	Stdout io.Writer
	Stderr io.Writer
	// Terminal is true when Stderr is one: then long work shows progress there.
	Terminal bool
	// Now is the clock. Optional, default time.Now.
	Now func() time.Time
}

// Run runs the program and returns its exit status.
func Run(ctx context.Context, p Program) int {
	if p.Now == nil {
		p.Now = time.Now
	}
	root := p.root()
	root.SetArgs(p.Args)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	if err := root.ExecuteContext(ctx); err != nil {
		// Argo CD shows all of stderr as the reason, so there is nothing else on it.
		fmt.Fprintf(p.Stderr, "generate: %s\n", strings.TrimSpace(err.Error()))
		return exitStatus(err)
	}
	return 0
}

const long = `Render a kustomization with every image resolved from ECR as of an instant.

The folder (default: the current one) holds a kustomization and an images.yaml,
which says for each image how its tag is chosen. Manifests go to standard output
with images as name:tag@digest, or nothing goes there and one error says why.

The instant is --as-of, else the Argo CD parameter as-of (PARAM_AS_OF), else now.
The revision is --revision, else ARGOCD_APP_REVISION, else HEAD.
AWS is reached with the SDK's default configuration (IRSA, Pod Identity,
AWS_PROFILE, …); region and account come from each image's host.`

func (p Program) root() *cobra.Command {
	var f flags
	root := &cobra.Command{
		Use:           "generate [flags] [DIR]",
		Short:         "Render a kustomization with every image resolved from ECR as of an instant",
		Long:          long + "\n\n" + exitHelp(),
		Example:       "  generate manifests/nova/overlays/staging\n  generate --as-of 2026-11-20T12:00:00Z manifests/nova/overlays/staging | kubectl apply -f -\n  generate explain --all manifests/nova/overlays/staging",
		Args:          maxOneDir,
		Version:       version.Get().String(),
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.generate(cmd.Context(), f, args)
		},
		PersistentPreRun: func(cmd *cobra.Command, _ []string) { f.asOfSet = cmd.Flags().Changed("as-of") },
	}
	root.SetVersionTemplate("generate {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage("%s; see generate --help", err) })
	f.register(root.PersistentFlags())
	root.AddCommand(p.explain(&f), p.version())
	return root
}

func maxOneDir(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usage("%d folders given (%s), at most one is rendered; see generate --help", len(args), strings.Join(args, " "))
	}
	return nil
}

func (p Program) version() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "version",
		Short: "Print which build this is",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("version takes no argument, not %q; see generate version --help", args[0])
			}
			return nil
		},
		RunE: func(*cobra.Command, []string) error {
			switch output {
			case "text":
				_, err := fmt.Fprintf(p.Stdout, "generate %s\n", version.Get())
				return err
			case "json", "yaml":
				return encode(p.Stdout, output, version.Get())
			}
			return unknownOutput(output, "text", "json", "yaml")
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "text", "form: text, json or yaml")
	return c
}

func unknownOutput(got string, valid ...string) error {
	return usage("output %q is unknown, valid choices are: %s", got, strings.Join(valid, ", "))
}

// errUsage marks mistakes on the command line and in the environment.
var errUsage = errors.New("usage")

type usageError struct{ text string }

func (u *usageError) Error() string { return u.text }
func (u *usageError) Unwrap() error { return errUsage }

func usage(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }
