package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/zdhost/zdhost/host/config"
	"github.com/zdhost/zdhost/host/control"
)

func newCheck(s *session) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "check [-c FILE]",
		Short: "everything that can be known without running: syntax, schema, programs, addresses",
		Long: `Reads the configuration as zdhost run would, and looks at the machine: whether releases and programs
are there, addresses are ours and free, and users exist. Every mistake is named with its file, its line
and the nearest right thing, and ends with exit code 2. Nothing is changed.`,
		Example: `  zdhost check
  zdhost check -c /etc/zdhost/zdhost.hcl`,
		Args: arguments(0, 0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.check(cmd.Context(), file)
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "", "configuration `file`")
	return cmd
}

func (s *session) check(ctx context.Context, file string) error {
	path, err := findConfiguration(file)
	if err != nil {
		return err
	}
	c, err := config.Load(ctx, path)
	if err != nil {
		return err
	}
	if problems := c.CheckMachine(ctx, s.heldBy(ctx, c.StateDir)); len(problems) > 0 {
		return &config.Error{Problems: problems}
	}
	_, err = fmt.Fprintf(s.out, "%s: ok: %d services, %d listeners\n", path, len(c.Services), len(c.Listeners))
	return err
}

// heldBy returns the addresses that the host of a state directory holds, if one runs.
func (s *session) heldBy(ctx context.Context, stateDir string) []string {
	ctx, cancel := context.WithTimeout(ctx, completionTime)
	defer cancel()
	client, err := control.Dial(ctx, stateDir)
	if err != nil {
		return nil
	}
	defer client.Close()
	status, err := client.Status(ctx)
	if err != nil {
		return nil
	}
	var held []string
	for _, listener := range status.Listeners {
		held = append(held, listener.Address)
	}
	return held
}
