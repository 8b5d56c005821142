package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/zdhost/zdhost/cmd/zdhost/internal/view"
	"github.com/zdhost/zdhost/host/control"
)

type statusVerb struct {
	*session
	service     string
	json, watch bool
}

func newStatus(s *session) *cobra.Command {
	verb := statusVerb{session: s}
	cmd := &cobra.Command{
		Use:   "status [SERVICE]",
		Short: "services, releases, instances, lanes and weights, rollout, last decision",
		Long: `Shows what the host keeps up: each service with its release, generation and instances; the
lanes of its listeners with their weights and queues; the rollout that runs and what it waits for;
how the last one ended; and the last change that was refused.`,
		Example: `  zdhost status
  zdhost status shop --watch
  zdhost status --json | jq '.services[] | {name, state, release}'`,
		Args:              arguments(0, 1, "one service at most"),
		ValidArgsFunction: s.service(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				verb.service = args[0]
			}
			return verb.run(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&verb.json, "json", false, "print one JSON object")
	cmd.Flags().BoolVar(&verb.watch, "watch", false, "show it again each second until interrupted")
	return cmd
}

func (v statusVerb) run(ctx context.Context) error {
	client, err := v.connect(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	if !v.watch {
		return v.show(ctx, client)
	}
	err = every(ctx, time.Second, func() error { return v.show(ctx, client) })
	if ctx.Err() != nil {
		return nil // interrupted, which is how watching ends
	}
	return err
}

func (v statusVerb) show(ctx context.Context, client *control.Client) error {
	status, err := client.Status(ctx)
	if err != nil {
		return err
	}
	if v.service != "" {
		if err := only(&status, v.service); err != nil {
			return err
		}
	}
	switch {
	case v.json && v.watch:
		return v.jsonLine(status)
	case v.json:
		return v.session.json(status)
	}
	var page bytes.Buffer
	if v.watch && view.Width(v.out) > 0 {
		page.WriteString("\x1b[H\x1b[2J")
	} else if v.watch {
		fmt.Fprintf(&page, "\n%s\n", time.Now().Format(time.TimeOnly))
	}
	if err := view.Status(&page, status, v.service, time.Now()); err != nil {
		return err
	}
	_, err = v.out.Write(page.Bytes())
	return err
}

// only leaves one service and the listeners that it serves.
func only(status *control.Status, name string) error {
	i := slices.IndexFunc(status.Services, func(s control.Service) bool { return s.Name == name })
	if i < 0 {
		return noService("show", name, status.Services)
	}
	service := status.Services[i]
	status.Services = []control.Service{service}
	status.Listeners = slices.DeleteFunc(status.Listeners, func(l control.Listener) bool {
		ours := slices.ContainsFunc(l.Lanes, func(lane control.Lane) bool { return lane.Service == name })
		return !ours && !slices.Contains(service.Listeners, l.Name)
	})
	return nil
}

func noService(verb, name string, services []control.Service) error {
	hint := "the host keeps up no service"
	if len(services) > 0 {
		hint = "the host keeps up"
		for i, service := range services {
			if i > 0 {
				hint += ","
			}
			hint += " " + service.Name
		}
	}
	return &control.Error{Code: control.NotFound, Message: fmt.Sprintf("cannot %s %s: there is no such service", verb, name), Hint: hint}
}
