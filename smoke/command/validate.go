package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/proerror77/nova-staging/smoke/config"
)

func newValidate(s *streams) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "validate --config smoke.yaml",
		Short: "Checks a config file without looking at anything",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			conf, err := config.Load(file)
			if err != nil {
				return err
			}
			stores := ""
			for _, part := range []struct {
				name string
				on   bool
			}{{"Redis Sentinel", conf.RedisSentinel != nil}, {"Kafka", conf.Kafka != nil}} {
				state := "not configured, will be skipped"
				if part.on {
					state = "configured"
				}
				stores += fmt.Sprintf("%s: %s\n", part.name, state)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s is valid: %d services, deadline %s\n%s", file, len(conf.Services), conf.Deadline, stores)
			return err
		},
	}
	c.Flags().StringVarP(&file, "config", "c", "smoke.yaml", "the config: a file, or a folder whose .yaml files are its parts")
	return c
}
