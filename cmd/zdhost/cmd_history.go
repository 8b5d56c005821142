package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/zdhost/zdhost/cmd/zdhost/internal/view"
	"github.com/zdhost/zdhost/host/control"
)

func newHistory(s *session) *cobra.Command {
	var query control.HistoryQuery
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "history SERVICE",
		Short: "rollouts, who, why, how they ended",
		Long:  "Lists the rollouts of a service, newest first: when, what kind, from what to what, by whom, how it ended, what was lost, and why.",
		Example: `  zdhost history shop
  zdhost history shop --limit 1 --json`,
		Args:              arguments(1, 1, "one service"),
		ValidArgsFunction: s.service(),
		RunE: func(cmd *cobra.Command, args []string) error {
			query.Service = args[0]
			if query.Limit < 0 {
				return usage("show the history of "+args[0], errNegative, "")
			}
			client, err := s.connect(cmd.Context())
			if err != nil {
				return err
			}
			defer client.Close()
			entries, err := client.History(cmd.Context(), query)
			if err != nil {
				return err
			}
			if asJSON {
				return s.json(entries)
			}
			return view.History(s.out, entries, time.Now())
		},
	}
	cmd.Flags().IntVar(&query.Limit, "limit", 0, "at most so `many` (0: all)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}
