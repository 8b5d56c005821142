package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/zdhost/zdhost/cmd/zdhost/internal/demo"
	"github.com/zdhost/zdhost/host/control"
)

func newDemo(s *session) *cobra.Command {
	var verbose bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "a service under load, upgraded, rolled back, crashed; prints what was lost",
		Long: `Plays about eight seconds on this machine: a host of its own with a plain web server that knows nothing of
zdhost, sixteen clients that never retry, an upgrade, a release that exits, a release that crashes
under load, a rollback, and a SIGKILL of the host. Prints what the clients counted, and ends with
exit code 1 if they lost anything beyond what the crashed release had accepted. Everything happens
on loopback and in a temporary directory, and is gone afterwards.`,
		Example: "  zdhost demo",
		Args:    arguments(0, 0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			program, err := os.Executable()
			if err != nil {
				return fmt.Errorf("cannot play the demo: %w", err)
			}
			progress := s.progress()
			defer progress.Done()
			event := progress.Event
			if !verbose {
				event = func(control.RolloutEvent) {}
			}
			return demo.Play(cmd.Context(), program, s.out, event)
		},
	}
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "show each rollout's progress as well")
	return cmd
}

// newDemoServer is the plain web server that the demo keeps up.
func newDemoServer() *cobra.Command {
	var options demo.ServerOptions
	var exit bool
	cmd := &cobra.Command{
		Use:    demo.ServerVerb,
		Hidden: true,
		Args:   arguments(0, 0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if exit {
				return errors.New("cannot open shop: this release has no goods")
			}
			return demo.Serve(cmd.Context(), options)
		},
	}
	cmd.Flags().StringVar(&options.Release, "release", "", "")
	cmd.Flags().StringVar(&options.Address, "address", "", "")
	cmd.Flags().DurationVar(&options.CrashAfter, "crash-after", 0, "")
	cmd.Flags().StringVar(&options.Tally, "tally", "", "")
	cmd.Flags().BoolVar(&exit, "exit", false, "")
	return cmd
}
