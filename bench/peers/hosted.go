package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/zdhost/zdhost/bench/servers"
	"github.com/zdhost/zdhost/host/control"
)

// service is the name of the only service of a hosted system.
const service = "peers"

// hosted is a program under a zdhost of its own.
type hosted struct {
	at     string
	recipe recipe
	zdhost string
	dir    string
	run    *process
	client *control.Client
}

// startHosted runs zdhost with a program and waits until the service runs and nothing rolls any more.
func startHosted(ctx context.Context, w *workshop, address string, r recipe, inherits bool) (*hosted, error) {
	dir, err := w.place()
	if err != nil {
		return nil, err
	}
	h := &hosted{at: address, recipe: r, zdhost: w.zdhost, dir: dir}
	argv, err := h.runCommand(inherits)
	if err != nil {
		return nil, err
	}
	if h.run, err = spawn("zdhost", servers.Command{Argv: argv, Dir: dir}); err != nil {
		return nil, err
	}
	if err := h.comeUp(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%w; zdhost said: %s", err, h.run.output.tail()), h.run.stop())
	}
	return h, nil
}

func (h *hosted) state() string { return filepath.Join(h.dir, "s") }

// runCommand is `zdhost run` with the program, which adopts, or with a configuration, which passes the socket.
func (h *hosted) runCommand(inherits bool) ([]string, error) {
	argv := []string{h.zdhost, "run", "--state-dir", h.state()}
	command := h.recipe(firstRelease).Argv
	if !inherits {
		return append(append(argv, "--name", service, "--"), command...), nil
	}
	list, err := json.Marshal(command)
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf("listener %q {\n  address = %q\n}\nservice %q {\n  command   = %s\n  listeners = [%q]\n  sockets   = \"inherit\"\n}\n",
		service, h.at, service, list, service)
	file := filepath.Join(h.dir, "zdhost.hcl")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return nil, err
	}
	return append(argv, "-c", file), nil
}

func (h *hosted) comeUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, comeUp)
	defer cancel()
	if _, err := firstAnswer(ctx, h.at, firstRelease, soon, h.run.ended); err != nil {
		return err
	}
	client, err := control.Dial(ctx, h.state())
	if err != nil {
		return err
	}
	h.client = client
	for {
		s, _, err := h.status(ctx)
		if err == nil && s.State == control.ServiceRunning && s.Rollout == nil {
			return nil
		}
		select {
		case <-time.After(soon):
		case <-ctx.Done():
			return fmt.Errorf("cannot wait until the service runs: %w (it is %q, %v)", ctx.Err(), s.State, err)
		}
	}
}

// status is what the host says of the service and of itself.
func (h *hosted) status(ctx context.Context) (control.Service, control.Host, error) {
	status, err := h.client.Status(ctx)
	if err != nil {
		return control.Service{}, control.Host{}, err
	}
	for _, s := range status.Services {
		if s.Name == service {
			return s, status.Host, nil
		}
	}
	return control.Service{}, control.Host{}, fmt.Errorf("the host has no service %s", service)
}

func (h *hosted) address() string { return h.at }
func (h *hosted) roots() []int    { return []int{h.run.pid()} }

func (h *hosted) upgrade(ctx context.Context, release string) error {
	outcome, err := h.client.Upgrade(ctx, control.UpgradeRequest{
		Service: service, Command: h.recipe(release).Argv, Dir: h.dir, Set: map[string]string{"bake": "0s"},
	}, func(control.RolloutEvent) {})
	return committed(outcome, err)
}

// drained waits until every generation has ended that neither serves nor is kept warm.
func (h *hosted) drained(ctx context.Context) error {
	for {
		s, _, err := h.status(ctx)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(s.Instances, func(i control.Instance) bool { return i.Generation != s.Generation && i.Generation != s.Warm }) {
			return nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

// upgradeCommand is the same at the command line.
func (h *hosted) upgradeCommand(release string) servers.Command {
	argv := []string{h.zdhost, "upgrade", service, "--state-dir", h.state(), "--set", "bake=0s", "--"}
	return servers.Command{Argv: append(argv, h.recipe(release).Argv...), Dir: h.dir}
}

// rollback returns to the generation that is kept warm.
func (h *hosted) rollback(ctx context.Context) error {
	return committed(h.client.Rollback(ctx, control.RollbackRequest{Service: service}, func(control.RolloutEvent) {}))
}

func committed(o control.Outcome, err error) error {
	switch {
	case err != nil:
		return err
	case o.Ended != control.EndedCommitted:
		return fmt.Errorf("the rollout ended as %s: %s %s", o.Ended, o.Reason, strings.Join(o.LogTail, " / "))
	}
	return nil
}

// stop also tells of instances that ended by themselves: what was measured meanwhile is worth nothing.
func (h *hosted) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), askWithin)
	defer cancel()
	s, _, err := h.status(ctx)
	if err == nil && s.Restarts > 0 {
		err = fmt.Errorf("instances ended unasked %d times: %s", s.Restarts, h.run.output.tail())
	}
	h.client.Close()
	return errors.Join(err, h.run.stop())
}

// adoptedNaive and the like are the programs under zdhost.
func adoptedNaive(ctx context.Context, w *workshop) (system, error) {
	return hostGo(ctx, w, w.naive, false)
}

func inheritedNaive(ctx context.Context, w *workshop) (system, error) {
	return hostGo(ctx, w, w.activated, true)
}

func hostedShop(ctx context.Context, w *workshop) (system, error) {
	return hostGo(ctx, w, w.shop, true)
}

func hostGo(ctx context.Context, w *workshop, binary string, inherits bool) (system, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	return withoutNil(startHosted(ctx, w, address, goServer(binary, address), inherits))
}

func adoptedNginx(ctx context.Context, w *workshop) (system, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	r, err := nginxServer(ctx, w, address)
	if err != nil {
		return nil, err
	}
	return withoutNil(startHosted(ctx, w, address, r, false))
}
