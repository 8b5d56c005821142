package main

import (
	"errors"

	"github.com/spf13/cobra"
)

// runOptions are what `zdhost run` was asked to do.
type runOptions struct {
	Config   string   // file of the configuration; empty: found in the working directory, unless Command is set
	StateDir string   // empty: as the configuration says
	Name     string   // of the service that Command makes; empty: the program's
	Command  []string // a program to run without any configuration
}

func newRun(s *session) *cobra.Command {
	var options runOptions
	cmd := &cobra.Command{
		Use:   "run [-c FILE] [--name NAME] [-- PROGRAM ARG…]",
		Short: "run keeper and host in the foreground",
		Long: `Keeps up what the configuration says, in the foreground, until SIGTERM or Ctrl-C, which drain and
stop everything. Without -c it looks for zdhost.hcl, .yaml, .toml or .json in the working directory.

'-- PROGRAM ARG…' needs no configuration: the program is any server in any language, unchanged; it
binds its own address as always, and zdhost holds that address for it from then on.`,
		Example: `  zdhost run
  zdhost run -c /etc/zdhost/zdhost.hcl
  zdhost run --name shop -- python3 -m http.server 8080`,
		Args: arguments(0, 0, "no argument"),
		RunE: func(cmd *cobra.Command, args []string) error {
			options.Command = args
			if cmd.ArgsLenAtDash() == 0 && len(args) == 0 {
				return usage("run zdhost run", errors.New("no program follows --"), "zdhost run -- PROGRAM ARG…")
			}
			if options.Config != "" && len(args) > 0 {
				return usage("run zdhost run", errors.New("-c and -- PROGRAM exclude each other"), "put the program into the configuration")
			}
			if options.Name != "" && len(args) == 0 {
				return usage("run zdhost run", errors.New("--name is for -- PROGRAM only"), "a configuration names its services itself")
			}
			options.StateDir = s.runStateDir()
			return run(cmd.Context(), options)
		},
	}
	cmd.Flags().StringVarP(&options.Config, "config", "c", "", "configuration `file`")
	cmd.Flags().StringVar(&options.Name, "name", "", "`name` of the service that the program makes (default: the program's)")
	return cmd
}
