package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"

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
weights. A rollback needs no leave: what was admitted once may always be returned to.`,
		Example: `  zdhost rollback shop
  zdhost rollback shop --to sha256:3f2a9c1b --reason "wrong prices"`,
		Args:              arguments(1, 1, "one service"),
		ValidArgsFunction: s.service(),
		RunE: func(cmd *cobra.Command, args []string) error {
			request.Service, request.To = args[0], absoluteIfPath(request.To)
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
	cmd.Flags().StringVar(&request.To, "to", "", "`release or revision` instead of the one before")
	cmd.Flags().StringVar(&request.Reason, "reason", "", "`text` for the history")
	cmd.Flags().BoolVar(&request.Detach, "detach", false, "don't wait for the end")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the outcome as one JSON object")
	return cmd
}

// absoluteIfPath makes an existing path with a slash in it absolute; all else names something that
// the host knows.
func absoluteIfPath(to string) string {
	if !strings.Contains(to, "/") {
		return to
	}
	if _, err := os.Stat(to); err != nil {
		return to
	}
	if path, err := filepath.Abs(to); err == nil {
		return path
	}
	return to
}
