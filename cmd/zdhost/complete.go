package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/zdhost/zdhost/host/control"
)

// completionTime is how long a shell may hang on a host that doesn't answer.
const completionTime = 500 * time.Millisecond

// serviceThen completes a service as the first argument, and what follows by another function.
func (s *session) serviceThen(rest cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return rest(cmd, args, typed)
		}
		return s.serviceNames(cmd.Context()), cobra.ShellCompDirectiveNoFileComp
	}
}

// service completes a service and nothing after it.
func (s *session) service() cobra.CompletionFunc { return s.serviceThen(cobra.NoFileCompletions) }

func files(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

func (s *session) serviceNames(ctx context.Context) []cobra.Completion {
	status, ok := s.quickStatus(ctx)
	if !ok {
		return nil
	}
	var names []cobra.Completion
	for _, service := range status.Services {
		names = append(names, cobra.CompletionWithDesc(service.Name, service.State))
	}
	return names
}

func (s *session) instanceIDs(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	status, _ := s.quickStatus(cmd.Context())
	var ids []cobra.Completion
	for _, service := range status.Services {
		if len(args) == 0 || service.Name != args[0] {
			continue
		}
		for _, instance := range service.Instances {
			ids = append(ids, cobra.CompletionWithDesc(instance.ID, instance.State))
		}
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}

func (s *session) quickStatus(ctx context.Context) (control.Status, bool) {
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, completionTime)
	defer cancel()
	client, err := s.connect(ctx)
	if err != nil {
		return control.Status{}, false
	}
	defer client.Close()
	status, err := client.Status(ctx)
	return status, err == nil
}

func choices(of ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(of, cobra.ShellCompDirectiveNoFileComp)
}
