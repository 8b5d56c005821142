package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/zdhost/zdhost/host/control"
)

func newRollback(s *session) *cobra.Command {
	var request control.RollbackRequest
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "rollback SERVICE",
		Short: "back to the release before, or to a named one",
		Long: `Rolls a service out to an older release. While the one before is still warm this is one change of
weights. A rollback needs no leave: what was admitted once may always be returned to.

--to names a release that the service ran: its sha256:… (four digits or more), or the directory or
packed release that it was made of. A release of a command line ('-- PROGRAM') is only the digests of
its files: where those have changed since, the rollback is refused and says which.`,
		Example: `  zdhost rollback shop
  zdhost rollback shop --to sha256:3f2a9c1b --reason "wrong prices"`,
		Args:              arguments(1, 1, "one service"),
		ValidArgsFunction: s.service(),
		RunE: func(cmd *cobra.Command, args []string) error {
			request.Service = args[0]
			if request.To != "" {
				var err error
				if request.To, err = releaseName("roll back", args[0], request.To); err != nil {
					return err
				}
			}
			client, err := s.connect(cmd.Context())
			if err != nil {
				return err
			}
			defer client.Close()
			return s.follow(cmd.Context(), following{
				verb: "roll back", service: request.Service, json: asJSON, wanted: control.EndedCommitted, undoes: true,
				call: func(ctx context.Context, emit control.Emit) (control.Outcome, error) {
					return client.Rollback(ctx, request, emit)
				},
			})
		},
	}
	cmd.Flags().StringVar(&request.To, "to", "", "`release` that it ran, instead of the one before")
	cmd.Flags().StringVar(&request.Reason, "reason", "", "`text` for the history")
	cmd.Flags().BoolVar(&request.Detach, "detach", false, "return once it has begun; zdhost rollout watch follows it")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the outcome as one JSON object")
	return cmd
}
