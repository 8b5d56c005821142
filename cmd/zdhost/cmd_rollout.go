package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/zdhost/zdhost/cmd/zdhost/internal/view"
	"github.com/zdhost/zdhost/host/control"
)

func newRollout(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rollout",
		Short: "watch, pause, resume, promote or abort the rollout of a service",
		Long:  "Steers the rollout of a service that runs now.",
		Example: `  zdhost rollout watch shop
  zdhost rollout promote shop`,
	}
	group(cmd)
	cmd.AddCommand(
		newWatch(s),
		newTell(s, tellVerb{verb: control.Pause, past: "paused"},
			"stop before the next step", "Weights stay as they are, and the guards stay on. resume goes on, abort goes back."),
		newTell(s, tellVerb{verb: control.Resume, past: "resumed"},
			"go on after a pause", "Takes a paused rollout up again where it stands."),
		newTell(s, tellVerb{verb: control.Promote, past: "promoted", wanted: control.EndedCommitted},
			"go on to the next step without waiting longer", "Ends the wait that the rollout is in, be it for an operator or for time."),
		newTell(s, tellVerb{verb: control.Abort, past: "being aborted", wanted: control.EndedAborted},
			"go back to what ran before", "Gives all connections back to what ran before and removes the candidate."),
	)
	return cmd
}

func newWatch(s *session) *cobra.Command {
	var asJSON bool
	var rollout string
	cmd := &cobra.Command{
		Use:   "watch SERVICE",
		Short: "follow the rollout that runs until it ends",
		Long: `Shows the progress of the rollout that runs, across holds, until it ends; the exit code says how.
With --rollout it also tells how one ended that is over.`,
		Example: `  zdhost rollout watch shop
  zdhost rollout watch shop --rollout r-7 --json`,
		Args:              arguments(1, 1, "one service"),
		ValidArgsFunction: s.service(),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := s.connect(cmd.Context())
			if err != nil {
				return err
			}
			defer client.Close()
			return s.follow(cmd.Context(), watching(client, "finish the rollout of", args[0], rollout, control.EndedCommitted, asJSON))
		},
	}
	cmd.Flags().StringVar(&rollout, "rollout", "", "`id` of another rollout than the one that runs")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the outcome as one JSON object")
	return cmd
}

func watching(client *control.Client, verb, service, rollout, wanted string, asJSON bool) following {
	return following{
		verb: verb, service: service, json: asJSON, stayHeld: true, wanted: wanted,
		call: func(ctx context.Context, emit control.Emit) (control.Outcome, error) {
			return client.Watch(ctx, control.WatchRequest{Service: service, Rollout: rollout}, emit)
		},
	}
}

// tellVerb is a word to a rollout; wanted, if set, is the end that is waited for after it.
type tellVerb struct {
	verb, past, wanted string
	request            control.RolloutRequest
	detach, json       bool
}

func newTell(s *session, v tellVerb, short, long string) *cobra.Command {
	cmd := &cobra.Command{
		Use:               v.verb + " SERVICE",
		Short:             short,
		Long:              long,
		Example:           fmt.Sprintf("  zdhost rollout %s shop", v.verb),
		Args:              arguments(1, 1, "one service"),
		ValidArgsFunction: s.service(),
		RunE: func(cmd *cobra.Command, args []string) error {
			v.request.Service, v.request.Verb = args[0], v.verb
			return v.run(cmd.Context(), s)
		},
	}
	cmd.Flags().StringVar(&v.request.Rollout, "rollout", "", "`id` that the rollout must have")
	cmd.Flags().StringVar(&v.request.Reason, "reason", "", "`text` for the history")
	cmd.Flags().BoolVar(&v.json, "json", false, "print one JSON object")
	if v.wanted != "" {
		cmd.Flags().BoolVar(&v.detach, "detach", false, "return once it has taken the word; zdhost rollout watch follows it")
	}
	return cmd
}

func (v tellVerb) run(ctx context.Context, s *session) error {
	client, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	status, err := client.Tell(ctx, v.request)
	if err != nil {
		return err
	}
	if v.wanted != "" && !v.detach {
		f := watching(client, v.verb, v.request.Service, status.ID, v.wanted, v.json)
		f.stayHeld = false
		return s.follow(ctx, f)
	}
	if v.json {
		return s.json(status)
	}
	_, err = fmt.Fprintf(s.out, "%s: rollout %s to %s is %s\n", v.request.Service, status.ID, view.Digest(status.To), v.past)
	return err
}
