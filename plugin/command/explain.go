package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/proerror77/nova-staging/plugin"
)

func (p Program) explain(f *flags) *cobra.Command {
	var output string
	var all bool
	c := &cobra.Command{
		Use:   "explain [flags] [DIR]",
		Short: "Say which image was chosen, by which policy, and why",
		Long: `Say for each image of the kustomization which tag and digest is chosen as of the
instant, by which policy, when it was pushed and from which commit.

With --all, every candidate is listed with the reason why it lost, and earlier
decisions are neither used nor replaced. Images that can not be resolved are
listed with the reason too. The exit status is that of the render.`,
		Example: "  generate explain manifests/nova/overlays/staging\n  generate explain --all --as-of 2026-11-20T12:00:00Z manifests/nova/overlays/staging\n  generate explain -o json | jq -r '.images[] | [.name, .commit] | @tsv'",
		Args:    maxOneDir,
		RunE: func(cmd *cobra.Command, args []string) error {
			if output != "table" && output != "json" && output != "yaml" {
				return unknownOutput(output, "table", "json", "yaml")
			}
			return p.within(cmd.Context(), *f, args, func(ctx context.Context, o plugin.Options, _ setup) error {
				o.Candidates = all
				report, err := plugin.Explain(ctx, o)
				if report == nil {
					return err
				}
				if output == "table" {
					if writeErr := report.Table(p.Stdout); writeErr != nil {
						return fmt.Errorf("write report: %w", writeErr)
					}
					return err
				}
				if writeErr := encode(p.Stdout, output, report); writeErr != nil {
					return writeErr
				}
				return err
			})
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "table", "form: table, json or yaml")
	c.Flags().BoolVar(&all, "all", false, "list every candidate and why it lost")
	return c
}

// encode writes a value as JSON or YAML, with the same field names.
func encode(w io.Writer, form string, value any) error {
	var data []byte
	var err error
	if form == "yaml" {
		data, err = yaml.Marshal(value)
	} else {
		data, err = json.MarshalIndent(value, "", "  ")
		data = append(data, '\n')
	}
	if err != nil {
		return fmt.Errorf("encode as %s: %w", form, err)
	}
	if _, err := w.Write(data); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}
