package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/zdhost/zdhost/cmd/zdhost/internal/doctor"
)

const doctorProbe = "_doctor-probe"

func newDoctor(s *session) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "what this machine lets zdhost do, and what is missing",
		Long: `Tries what zdhost needs of this machine and this user, and says what follows where something is
limited or missing. Nothing is changed. The exit code is 1 if something is missing.`,
		Example: `  zdhost doctor
  zdhost doctor --json | jq '.[] | select(.level != "ok")'`,
		Args: arguments(0, 0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := s.stateDir(cmd.Context())
			if err != nil {
				return err
			}
			program, err := os.Executable()
			if err != nil {
				return fmt.Errorf("cannot examine this machine: %w", err)
			}
			findings := doctor.ThisMachine(dir, program, doctorProbe).Examine(cmd.Context())
			if asJSON {
				err = s.json(findings)
			} else {
				err = doctor.Write(s.out, findings)
			}
			if err == nil && !doctor.Healthy(findings) {
				return exitStatus(exitFailed)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

// newDoctorProbe is what doctor has to try in a process of its own.
func newDoctorProbe(s *session) *cobra.Command {
	return &cobra.Command{
		Use:    doctorProbe + " NAME",
		Hidden: true,
		Args:   arguments(1, 1, "one probe"),
		RunE: func(_ *cobra.Command, args []string) error {
			found, err := doctor.Probe(args[0], s.in)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(s.out, found)
			return err
		},
	}
}
