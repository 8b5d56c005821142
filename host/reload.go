package host

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/zdhost/zdhost/host/config"
	"github.com/zdhost/zdhost/host/control"
	"github.com/zdhost/zdhost/pluginapi"
)

// reloadAll takes the configuration again because of a signal.
func (h *Host) reloadAll(why string) {
	_, err := backend{h}.Reload(h.ctx, self(), control.ReloadRequest{Target: control.HostTarget, Reason: why})
	if err != nil {
		h.log.Error("configuration refused; what runs goes on", "error", err)
	}
}

// Reload implements control.Changer. The target host means the whole file; a
// service means only its own part of it.
func (b backend) Reload(ctx context.Context, actor control.Actor, req control.ReloadRequest) (control.ReloadResult, error) {
	h := b.h
	result := control.ReloadResult{Target: req.Target}
	if h.opts.Reload == nil {
		return result, &control.Error{Code: control.Usage, Message: "cannot reload: the program came from the command line, there is no configuration file"}
	}
	if req.Target != control.HostTarget {
		if err := h.askErr(ctx, func() error { _, err := h.find(req.Target, "reload"); return err }); err != nil {
			return result, err
		}
	}
	next, err := h.opts.Reload(ctx)
	if err == nil {
		err = h.askErr(ctx, func() error { return h.acceptable(next) })
	}
	if err != nil {
		_ = h.ask(ctx, func() { h.refuse("reload", err.Error()) })
		return result, &control.Error{Code: control.Usage, Message: fmt.Sprintf("cannot reload: %v", err), Hint: "what runs goes on; nothing was changed"}
	}
	err = h.ask(ctx, func() { h.take(next, req, actor, &result) })
	return result, err
}

func (h *Host) refuse(what, reason string) {
	h.refused = &refusal{Time: nowUTC(), What: what, Reason: reason}
	h.record(recordRefusal, "", refusalRecord{What: what, Reason: reason})
}

// acceptable refuses what this host can't change while it runs.
func (h *Host) acceptable(next *config.Config) error {
	if next.StateDir != h.cfg.StateDir {
		return fmt.Errorf("state_dir can't change while zdhost runs (%s, now %s)", h.cfg.StateDir, next.StateDir)
	}
	for i := range next.Listeners {
		l := &next.Listeners[i]
		if old := h.cfg.Listener(l.Name); old != nil && old.Address != l.Address {
			return fmt.Errorf("listener %q: its address can't change while zdhost runs (%s, now %s); give the new address a name of its own", l.Name, old.Address, l.Address)
		}
	}
	return nil
}

// take puts an accepted configuration in force: new listeners and services are
// added, those that are gone are stopped, and services whose part changed get a
// rollout.
func (h *Host) take(next *config.Config, req control.ReloadRequest, actor control.Actor, result *control.ReloadResult) {
	h.revision++
	if err := h.letUsersIn(); err != nil {
		h.log.Error("configuration taken, but", "error", err)
	}
	old := h.cfg
	whole := req.Target == control.HostTarget
	if whole {
		h.cfg, h.refused = next, nil
	}
	for _, l := range next.Listeners {
		if h.ports[l.Name] == nil {
			h.addPort(portOf(l))
			result.Changes = append(result.Changes, control.Change{Path: "listener." + l.Name, To: l.Address})
		}
	}
	for _, cfg := range next.Services {
		if !whole && cfg.Name != req.Target {
			continue
		}
		before := old.Service(cfg.Name)
		switch s := h.services[cfg.Name]; {
		case s == nil:
			result.Changes = append(result.Changes, control.Change{Path: "service." + cfg.Name, To: "added"})
			h.addService(cfg).start()
		case before == nil || !reflect.DeepEqual(*before, cfg):
			result.Changes = append(result.Changes, control.Change{Path: "service." + cfg.Name, From: "changed", To: "changed", Needs: "rollout"})
			s.reconfigure(cfg, actor, req.Reason)
		}
	}
	if !whole {
		return
	}
	for _, gone := range old.Services {
		if next.Service(gone.Name) == nil {
			result.Changes = append(result.Changes, control.Change{Path: "service." + gone.Name, From: "removed"})
			h.removeService(gone.Name)
		}
	}
	for _, gone := range old.Listeners {
		if next.Listener(gone.Name) == nil {
			result.Changes = append(result.Changes, control.Change{Path: "listener." + gone.Name, From: gone.Address})
			h.dropPortWhenFree(gone.Name)
		}
	}
}

// reconfigure rolls a service out to its new part of the configuration. Release
// and command stay what runs, unless it is them that changed.
func (s *service) reconfigure(cfg config.Service, actor control.Actor, reason string) {
	before := s.cfg
	s.configure(cfg)
	if s.serving == nil {
		s.start()
		return
	}
	p := s.serving.payload
	switch {
	case before.Release != cfg.Release || p.Kind == "command" && !slices.Equal(before.Command, cfg.Command):
		p = payload{}
	case !slices.Equal(before.Command, cfg.Command):
		p.Command = cfg.Command
	}
	p.Configured = cfg.Command
	go func() {
		var err error
		if p.Kind == "" {
			p, err = s.configured(s.h.ctx, nil)
		}
		s.h.post(func() {
			if err != nil {
				s.refuse("reload", err.Error())
				return
			}
			w := &watcher{emit: func(control.RolloutEvent) {}, end: func(ended) {}}
			_, _ = s.submit(request{kind: pluginapi.KindReload, payload: p, actor: actor, reason: reason}, control.IfBusyQueue, w)
		})
	}()
}

// removeService drains what a configuration no longer names.
func (h *Host) removeService(name string) {
	s := h.services[name]
	if s == nil {
		return
	}
	delete(h.services, name)
	h.order = slices.DeleteFunc(h.order, func(n string) bool { return n == name })
	for _, g := range s.living() {
		g.weight = 0
		g.retire("the configuration no longer names its service")
	}
}

// dropPortWhenFree closes a listener once no generation has a lane of it.
func (h *Host) dropPortWhenFree(name string) {
	p := h.ports[name]
	if p == nil || h.cfg.Listener(name) != nil {
		return
	}
	for _, l := range p.lanes {
		if l.gen != nil {
			h.after(queueSample, func() { h.dropPortWhenFree(name) })
			return
		}
	}
	h.dropPort(p)
}

// takeChangedReleases upgrades every service whose release directory is not what
// runs (SIGUSR2).
func (h *Host) takeChangedReleases() {
	for _, s := range h.services {
		if s.cfg.Release == "" || s.serving == nil {
			continue
		}
		dir, runs := s.cfg.Release, s.serving.payload.Release
		go func() {
			same, err := h.store.Unchanged(h.ctx, dir, runs)
			if same {
				return
			}
			var p payload
			if err == nil {
				p, err = s.configured(h.ctx, nil)
			}
			h.post(func() {
				if err != nil {
					s.refuse("upgrade", err.Error())
					return
				}
				w := &watcher{emit: func(control.RolloutEvent) {}, end: func(ended) {}}
				_, _ = s.submit(request{kind: pluginapi.KindUpgrade, payload: p, actor: self(), reason: "SIGUSR2: the release directory has changed"}, control.IfBusyQueue, w)
			})
		}()
	}
}
