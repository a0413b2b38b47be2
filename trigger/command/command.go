// Package command is the trigger program: its subcommands, flags and outputs.
package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/proerror77/nova-staging/internal/version"
	"github.com/proerror77/nova-staging/trigger/cluster"
)

// Program is what the surroundings give a run. Nothing below reads the process's own
// arguments or streams; of its environment only the libraries read what theirs is:
// KUBECONFIG and a Pod's ServiceAccount, and the SDK's configuration where AWS
// says nothing else.
type Program struct {
	Args []string // without the program's name
	// Env looks a variable up; empty when it is not set. Required.
	Env func(string) string
	// AWS replaces parts of the SDK's default configuration. Optional.
	AWS    []func(*config.LoadOptions) error
	Stdout io.Writer
	Stderr io.Writer
}

// program is a run.
type program struct {
	Program
	access cluster.Access
	output string
}

// Run runs the program and gives its exit status.
func Run(ctx context.Context, surroundings Program) int {
	p := &program{Program: surroundings}
	root := p.root()
	root.SetArgs(p.Args)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	err := root.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintf(p.Stderr, "trigger: %s\n", strings.TrimSpace(err.Error()))
	}
	return exitStatus(ctx, err)
}

const long = `Make a push to ECR a verified deployment by Argo CD.

An Application's plugin parameter as-of is the instant at which generate resolves
its images. trigger moves it forward when an image was pushed, and back to the
last instant that passed when the sync at the new one fails. It needs the label
or annotation staging.nova/trigger: "true" on the Application, and automated sync.`

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use: "trigger", Short: "Make a push to ECR a verified deployment by Argo CD",
		Long: long + "\n\n" + exitHelp(), Version: version.Get().String(),
		Args: cobra.NoArgs, SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		RunE: func(*cobra.Command, []string) error {
			return usage("which command? valid commands are: watch, once, rollback, hold, release, status, version; see trigger --help")
		},
	}
	root.SetVersionTemplate("trigger {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage("%s; see trigger --help", err) })
	f := root.PersistentFlags()
	f.StringVar(&p.access.Kubeconfig, "kubeconfig", "", "the kubeconfig (default: $KUBECONFIG, ~/.kube/config, else the Pod's ServiceAccount)")
	f.StringVar(&p.access.Context, "context", "", "the kubeconfig's context (default: its current one)")
	root.AddCommand(p.watch(), p.once(), p.rollback(), p.hold(), p.release(), p.status(), p.version())
	for _, c := range root.Commands() {
		c.Args = noArgs
	}
	return root
}

func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("argument %q is not expected; name an Application with --application NAMESPACE/NAME; see trigger %s --help", args[0], c.Name())
	}
	return nil
}

func (p *program) version() *cobra.Command {
	c := &cobra.Command{
		Use: "version", Short: "Print which build this is",
		RunE: func(*cobra.Command, []string) error {
			return p.print(version.Get(), func(w io.Writer) error {
				_, err := fmt.Fprintln(w, "trigger "+version.Get().String())
				return err
			})
		},
	}
	p.outputFlag(c)
	return c
}

func (p *program) outputFlag(c *cobra.Command) {
	c.Flags().StringVarP(&p.output, "output", "o", "text", "form: text, json or yaml")
	c.PreRunE = func(*cobra.Command, []string) error {
		switch p.output {
		case "text", "json", "yaml":
			return nil
		}
		return usage("output %q is unknown, valid choices are: text, json, yaml", p.output)
	}
}

// print writes a value in the form that was asked for; text does so for people.
func (p *program) print(value any, text func(io.Writer) error) error {
	var data []byte
	var err error
	switch p.output {
	case "json":
		data, err = json.MarshalIndent(value, "", "  ")
		data = append(data, '\n')
	case "yaml":
		data, err = yaml.Marshal(value)
	default:
		return text(p.Stdout)
	}
	if err != nil {
		return fmt.Errorf("encode as %s: %w", p.output, err)
	}
	_, err = p.Stdout.Write(data)
	return err
}

// connect reads credentials.
func (p *program) connect() (*cluster.Connection, error) { return cluster.Connect(p.access) }

// application is the --application flag.
type applicationFlag struct{ namespace, name string }

func (a *applicationFlag) String() string {
	if a.name == "" {
		return ""
	}
	return a.namespace + "/" + a.name
}

func (a *applicationFlag) Type() string { return "NAMESPACE/NAME" }

func (a *applicationFlag) Set(s string) error {
	ns, name, ok := strings.Cut(s, "/")
	if !ok {
		ns, name = "argocd", s
	}
	if ns == "" || name == "" || strings.Contains(name, "/") {
		return errors.New("want NAMESPACE/NAME, or NAME in namespace argocd")
	}
	a.namespace, a.name = ns, name
	return nil
}

func applicationOf(c *cobra.Command) *applicationFlag {
	a := &applicationFlag{}
	c.Flags().VarP(a, "application", "a", "the Application (NAME alone: in namespace argocd)")
	return a
}

func (a *applicationFlag) required() error {
	if a.name == "" {
		return usage("which Application? give --application NAMESPACE/NAME")
	}
	return nil
}
