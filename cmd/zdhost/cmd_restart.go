package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/zdhost/zdhost/host/control"
)

func newRestart(s *session) *cobra.Command {
	request := control.RestartRequest{}
	var set []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "restart SERVICE",
		Short: "a rollout to the same release",
		Long: `Replaces every instance of a service by a new one of the same release, with the same care as an
upgrade: nothing is stopped before its replacement is ready.`,
		Example: `  zdhost restart shop
  zdhost restart shop --set bake=10s --reason "leaks memory"`,
		Args:              arguments(1, 1, "one service"),
		ValidArgsFunction: s.service(),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			request.Service = args[0]
			if request.Set, err = settings(set); err != nil {
				return err
			}
			if err := validIfBusy(request.IfBusy); err != nil {
				return usage("restart "+args[0], err, "")
			}
			client, err := s.connect(cmd.Context())
			if err != nil {
				return err
			}
			defer client.Close()
			return s.follow(cmd.Context(), following{
				verb: "restart", service: request.Service, json: asJSON, wanted: control.EndedCommitted,
				call: func(ctx context.Context, emit control.Emit) (control.Outcome, error) {
					return client.Restart(ctx, request, emit)
				},
			})
		},
	}
	cmd.Flags().StringArrayVar(&set, "set", nil, "setting of the strategy as `KEY=VALUE` (may be repeated)")
	cmd.Flags().BoolVar(&request.Detach, "detach", false, "return once it has begun; zdhost rollout watch follows it")
	cmd.Flags().StringVar(&request.Reason, "reason", "", "`text` for the history")
	cmd.Flags().StringVar(&request.IfBusy, "if-busy", control.IfBusyReject, "`choice` when another rollout runs: reject, queue or supersede")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the outcome as one JSON object")
	_ = cmd.RegisterFlagCompletionFunc("if-busy", choices(control.IfBusyReject, control.IfBusyQueue, control.IfBusySupersede))
	return cmd
}
