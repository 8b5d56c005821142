package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/zdhost/zdhost/host/control"
)

func newReload(s *session) *cobra.Command {
	var request control.ReloadRequest
	var asJSON, detach bool
	cmd := &cobra.Command{
		Use:   "reload SERVICE|host",
		Short: "take the configuration now",
		Long: `Has the host read its configuration and take what changed for a service, or, with the word host,
for everything. A change that needs new instances is a rollout, which is waited for. A configuration
with a mistake changes nothing.`,
		Example: `  zdhost reload shop
  zdhost reload host`,
		Args: arguments(1, 1, "a service, or the word host"),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return append(s.serviceNames(cmd.Context()), control.HostTarget), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			request.Target = args[0]
			return reload(cmd.Context(), s, request, asJSON, detach)
		},
	}
	cmd.Flags().StringVar(&request.Reason, "reason", "", "`text` for the history")
	cmd.Flags().BoolVar(&detach, "detach", false, "return once they have begun, without waiting for the rollouts; zdhost rollout watch follows one")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what changed as one JSON object")
	return cmd
}

func reload(ctx context.Context, s *session, request control.ReloadRequest, asJSON, detach bool) error {
	client, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	result, err := client.Reload(ctx, request)
	if err != nil {
		return err
	}
	if asJSON {
		err = s.json(result)
	} else {
		err = writeChanges(s.out, result)
	}
	if err != nil || detach {
		return err
	}
	// All are followed to their end before the first bad one is reported.
	var bad error
	for _, rollout := range result.Rollouts {
		f := watching(client, "reload", rollout.Service, rollout.ID, control.EndedCommitted, asJSON)
		f.stayHeld = false
		if err := s.follow(ctx, f); err != nil && bad == nil {
			bad = err
		}
	}
	return bad
}

func writeChanges(w io.Writer, result control.ReloadResult) error {
	if len(result.Changes) == 0 {
		_, err := fmt.Fprintf(w, "%s: nothing changed\n", result.Target)
		return err
	}
	for _, change := range result.Changes {
		text := changeText(change)
		if change.File != "" {
			text += fmt.Sprintf(" (%s:%d)", change.File, change.Line)
		}
		if change.Needs != "" {
			text += ", needs a " + change.Needs
		}
		if _, err := fmt.Fprintln(w, text); err != nil {
			return err
		}
	}
	return nil
}

// changeText is "service shop: changed (env, instances)", "listener web: added 127.0.0.1:8080", or,
// for a value, "service.shop.instances: 2 → 3".
func changeText(change control.Change) string {
	if change.What == "" {
		return fmt.Sprintf("%s: %s → %s", change.Path, orNothing(change.From), orNothing(change.To))
	}
	kind, name, _ := strings.Cut(change.Path, ".")
	text := fmt.Sprintf("%s %s: %s", kind, name, change.What)
	if address := cmp.Or(change.To, change.From); address != "" {
		text += " " + address
	}
	if len(change.Keys) > 0 {
		text += " (" + strings.Join(change.Keys, ", ") + ")"
	}
	return text
}

func orNothing(value string) string {
	if value == "" {
		return "nothing"
	}
	return value
}
