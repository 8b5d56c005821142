package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/zdhost/zdhost/cmd/zdhost/internal/view"
	"github.com/zdhost/zdhost/host/control"
)

var errNegative = errors.New("a negative count makes no sense")

func newLogs(s *session) *cobra.Command {
	var query control.LogQuery
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "logs SERVICE",
		Short: "what the instances of a service printed",
		Long:  "Prints what the instances of a service wrote to their standard output and error, oldest first.",
		Example: `  zdhost logs shop --follow
  zdhost logs shop --instance shop-12-31 --tail 100`,
		Args:              arguments(1, 1, "one service"),
		ValidArgsFunction: s.service(),
		RunE: func(cmd *cobra.Command, args []string) error {
			query.Service = args[0]
			if query.Tail < 0 {
				return usage("show the logs of "+args[0], errNegative, "")
			}
			return logs(cmd.Context(), s, query, asJSON)
		},
	}
	cmd.Flags().BoolVarP(&query.Follow, "follow", "f", false, "go on with what comes, until interrupted")
	cmd.Flags().StringVar(&query.Instance, "instance", "", "`id` of the only instance to show")
	cmd.Flags().IntVar(&query.Tail, "tail", 0, "only the last so `many` lines (0: all)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	_ = cmd.RegisterFlagCompletionFunc("instance", s.instanceIDs)
	return cmd
}

func logs(ctx context.Context, s *session, query control.LogQuery, asJSON bool) error {
	client, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	err = client.Logs(ctx, query, func(line control.LogLine) error {
		if asJSON {
			return s.jsonLine(line)
		}
		return view.LogLine(s.out, line)
	})
	if query.Follow && ctx.Err() != nil {
		return nil // interrupted, which is how following ends
	}
	return err
}
