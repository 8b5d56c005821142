package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/zdhost/zdhost/host/control"
)

var (
	errNoPair = errors.New("it is not KEY=VALUE")
	errTwice  = errors.New("that key was set before")
)

type upgradeVerb struct {
	*session
	request control.UpgradeRequest
	set     []string
	json    bool
}

func newUpgrade(s *session) *cobra.Command {
	verb := upgradeVerb{session: s}
	cmd := &cobra.Command{
		Use:   "upgrade SERVICE [RELEASE] [-- PROGRAM ARG…]",
		Short: "roll a service out to another release",
		Long: `Starts the new release beside the old one, waits until it is ready, gives it the connections as
the strategy says, and drains the old one. If the new one exits, never gets ready, or fails while it
is watched, everything goes back and the exit code is 4.

RELEASE is a directory, a packed release, or the sha256:… (four digits or more) of one that the host
has. Without it the release that the configuration names is read again. '-- PROGRAM ARG…' replaces
the service's command: it is run where it is, and its release is the digests of the files that it
names. Going back to it later needs them as they were.

Ctrl-C ends the watching, not the rollout.`,
		Example: `  zdhost upgrade shop ./releases/v2
  zdhost upgrade shop ./releases/v2 --plan
  zdhost upgrade shop ./releases/v2 --set weight=50 --reason "half of the traffic first"
  zdhost upgrade shop -- ./shop-v2 --listen :8080`,
		Args:              arguments(1, 2, "a service and at most one release"),
		ValidArgsFunction: s.serviceThen(files),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := verb.take(args, cmd.ArgsLenAtDash()); err != nil {
				return err
			}
			return verb.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&verb.request.Strategy, "strategy", "", "`name` of another strategy than the service's")
	flags.StringArrayVar(&verb.set, "set", nil, "setting of the strategy as `KEY=VALUE` (may be repeated)")
	flags.BoolVar(&verb.request.Plan, "plan", false, "say what would be done, and change nothing")
	flags.BoolVar(&verb.request.Detach, "detach", false, "return once it has begun; zdhost rollout watch follows it")
	flags.StringVar(&verb.request.Reason, "reason", "", "`text` for the history")
	flags.StringVar(&verb.request.IfBusy, "if-busy", control.IfBusyReject, "`choice` when another rollout runs: reject, queue or supersede")
	flags.BoolVar(&verb.json, "json", false, "print the outcome as one JSON object")
	_ = cmd.RegisterFlagCompletionFunc("if-busy", choices(control.IfBusyReject, control.IfBusyQueue, control.IfBusySupersede))
	return cmd
}

// take turns arguments into the request; dash is how many came before "--", or -1.
func (v *upgradeVerb) take(args []string, dash int) error {
	var err error
	if v.request.Set, err = settings(v.set); err != nil {
		return err
	}
	before, command := args, []string(nil)
	if dash >= 0 {
		before, command = args[:dash], args[dash:]
		if len(command) == 0 {
			return usage("upgrade "+args[0], errors.New("no program follows --"), "zdhost upgrade SERVICE -- PROGRAM ARG…")
		}
	}
	v.request.Service = before[0]
	if len(before) == 2 {
		if v.request.Release, err = releaseName("upgrade", before[0], before[1]); err != nil {
			return err
		}
	}
	if len(command) > 0 {
		v.request.Command = command
		if v.request.Dir, err = os.Getwd(); err != nil {
			return fmt.Errorf("cannot upgrade %s: %w", before[0], err)
		}
	}
	if err := validIfBusy(v.request.IfBusy); err != nil {
		return usage("upgrade "+before[0], err, "")
	}
	return nil
}

func validIfBusy(choice string) error {
	switch choice {
	case control.IfBusyReject, control.IfBusyQueue, control.IfBusySupersede:
		return nil
	}
	return fmt.Errorf("--if-busy is %q, not reject, queue or supersede", choice)
}

// releaseName makes a path absolute, since the host has another working directory. A digest stays,
// and so do four or more digits of one where no file has that name.
func releaseName(verb, service, release string) (string, error) {
	if strings.HasPrefix(release, "sha256:") {
		return release, nil
	}
	path, err := filepath.Abs(release)
	if err != nil {
		return "", fmt.Errorf("cannot %s %s: %w", verb, service, err)
	}
	if _, err := os.Stat(path); err != nil {
		if len(release) >= 4 && strings.Trim(release, "0123456789abcdef") == "" {
			return "sha256:" + release, nil
		}
		return "", usage(verb+" "+service, fmt.Errorf("there is no release at %s", release), nearbyHint(path))
	}
	return path, nil
}

// nearbyHint lists what is where a path was expected, the most similar names first.
func nearbyHint(path string) string {
	dir, wanted := filepath.Split(path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Sprintf("there is no directory %s either", filepath.Clean(dir))
	}
	var names []string
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), ".") {
			names = append(names, entry.Name())
		}
	}
	if len(names) == 0 {
		return fmt.Sprintf("%s is empty", filepath.Clean(dir))
	}
	slices.SortStableFunc(names, func(a, b string) int { return common(b, wanted) - common(a, wanted) })
	const most = 5
	if len(names) > most {
		names = append(names[:most], "…")
	}
	return fmt.Sprintf("in %s there is %s", filepath.Clean(dir), strings.Join(names, ", "))
}

// common is how many bytes two names have in common at their beginning.
func common(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

func (v *upgradeVerb) run(ctx context.Context) error {
	client, err := v.connect(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	return v.follow(ctx, following{
		verb: "upgrade", service: v.request.Service, json: v.json, wanted: control.EndedCommitted,
		call: func(ctx context.Context, emit control.Emit) (control.Outcome, error) {
			return client.Upgrade(ctx, v.request, emit)
		},
	})
}
