package host

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"slices"

	"github.com/zdhost/zdhost/host/config"
	"github.com/zdhost/zdhost/host/control"
	"github.com/zdhost/zdhost/host/instance"
	"github.com/zdhost/zdhost/host/release"
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
	result := control.ReloadResult{Target: req.Target}
	begins, err := b.h.reload(ctx, actor, req, &result)
	if err != nil {
		return result, err
	}
	for _, began := range begins {
		select {
		case ref, ok := <-began:
			if ok {
				result.Rollouts = append(result.Rollouts, ref)
			}
		case <-ctx.Done():
			return result, ctx.Err()
		case <-b.h.ctx.Done():
			return result, errEnding
		}
	}
	return result, nil
}

// reload reads, checks, keeps and takes the configuration, one call at a time; the
// channels tell of the rollouts as they begin.
func (h *Host) reload(ctx context.Context, actor control.Actor, req control.ReloadRequest, result *control.ReloadResult) (begins []<-chan control.RolloutRef, err error) {
	if h.opts.Reload == nil {
		return nil, &control.Error{Code: control.Usage, Message: "cannot reload: the program came from the command line, there is no configuration file"}
	}
	if req.Target != control.HostTarget {
		if err := h.askErr(ctx, func() error { _, err := h.find(req.Target, "reload"); return err }); err != nil {
			return nil, err
		}
	}
	select {
	case h.reloads <- struct{}{}:
		defer func() { <-h.reloads }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	next, err := h.opts.Reload(ctx)
	var kept accepted
	if err == nil {
		err = h.askErr(ctx, func() error { kept = h.accepted.with(next, req.Target); return h.acceptable(next) })
	}
	if err == nil {
		err = kept.save(next.StateDir)
	}
	if err != nil {
		_ = h.ask(ctx, func() { h.refuse("reload", err.Error()) })
		return nil, &control.Error{Code: control.Usage, Message: fmt.Sprintf("cannot reload: %v", err), Hint: "what runs goes on; nothing was changed"}
	}
	err = h.ask(h.ctx, func() { h.accepted = kept; begins = h.take(next, req, actor, result) })
	return begins, err
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
		if why := h.heldAs(l); why != "" {
			return fmt.Errorf("listener %q: %s", l.Name, why)
		}
		if old := h.cfg.Listener(l.Name); old != nil && old.Address != l.Address {
			return fmt.Errorf("listener %q: its address can't change while zdhost runs (%s, now %s); give the new address a name of its own", l.Name, old.Address, l.Address)
		}
	}
	return nil
}

// heldAs says under which other name a new listener's address is held already.
func (h *Host) heldAs(l *config.Listener) string {
	if h.ports[l.Name] != nil {
		return ""
	}
	wanted := portOf(*l).address
	for _, p := range h.ports {
		a := p.address
		if a.Network == wanted.Network && a.Host == wanted.Host && a.Port == wanted.Port && a.Path == wanted.Path {
			return fmt.Sprintf("%s is held as listener %q already; a listener can't be renamed while zdhost runs", l.Address, p.name)
		}
	}
	return ""
}

// take puts an accepted configuration in force: new listeners and services are
// added, those that are gone are stopped, and services whose part changed get a
// rollout; the channels tell of them as they begin.
func (h *Host) take(next *config.Config, req control.ReloadRequest, actor control.Actor, result *control.ReloadResult) (begins []<-chan control.RolloutRef) {
	h.revision++
	if err := h.letUsersIn(); err != nil {
		h.log.Error("configuration taken, but", "error", err)
	}
	old := h.cfg
	whole := req.Target == control.HostTarget
	if whole {
		h.cfg = next
	}
	h.refused = nil
	h.record(recordHost, "", hostRecord{What: hostConfigured, PID: os.Getpid(), Version: h.opts.Version})
	for _, l := range next.Listeners {
		if h.ports[l.Name] == nil {
			h.addPort(portOf(l))
			result.Changes = append(result.Changes, control.Change{Path: "listener." + l.Name, What: control.Added, To: l.Address})
		}
	}
	for _, cfg := range next.Services {
		if !whole && cfg.Name != req.Target {
			continue
		}
		switch s := h.services[cfg.Name]; {
		case s == nil:
			result.Changes = append(result.Changes, control.Change{Path: "service." + cfg.Name, What: control.Added})
			h.addService(cfg).start()
		case !reflect.DeepEqual(s.cfg, cfg):
			result.Changes = append(result.Changes, control.Change{Path: "service." + cfg.Name, What: control.Changed, Keys: config.Changed(s.cfg, cfg), Needs: "rollout"})
			if began := s.reconfigure(cfg, actor, req.Reason); began != nil {
				begins = append(begins, began)
			}
		}
	}
	if !whole {
		return begins
	}
	result.Changes = append(result.Changes, needRestart(old, next)...)
	for _, gone := range old.Services {
		if next.Service(gone.Name) == nil {
			result.Changes = append(result.Changes, control.Change{Path: "service." + gone.Name, What: control.Removed})
			h.removeService(gone.Name)
		}
	}
	for _, gone := range old.Listeners {
		if next.Listener(gone.Name) == nil {
			result.Changes = append(result.Changes, control.Change{Path: "listener." + gone.Name, What: control.Removed, From: gone.Address})
			h.dropPortWhenFree(gone.Name)
		}
	}
	return begins
}

// needRestart lists what has changed and is in force only when zdhost starts
// again.
func needRestart(old, next *config.Config) []control.Change {
	var all []control.Change
	note := func(path string, from, to any) {
		if !reflect.DeepEqual(from, to) {
			all = append(all, control.Change{Path: path, What: control.Changed, From: fmt.Sprint(from), To: fmt.Sprint(to), Needs: "restart"})
		}
	}
	note("run_dir", old.RunDir, next.RunDir)
	note("control.group", old.Control.Group, next.Control.Group)
	for i := range next.Listeners {
		n := &next.Listeners[i]
		if o := old.Listener(n.Name); o != nil {
			path := "listener." + n.Name + "."
			note(path+"backlog", o.Backlog, n.Backlog)
			note(path+"sticky", o.Sticky, n.Sticky)
			note(path+"mode", o.Mode, n.Mode)
		}
	}
	return all
}

// reconfigure rolls a service out to its new part of the configuration. Release
// and command stay what runs when the rollout begins, unless it is them that
// changed. Where it doesn't commit, the service keeps its part of before. The
// channel, nil where there is nothing to roll, tells when the rollout begins; it is
// closed when there won't be any.
func (s *service) reconfigure(cfg config.Service, actor control.Actor, reason string) <-chan control.RolloutRef {
	before := s.cfg
	s.configure(cfg)
	if s.serving == nil {
		s.start()
		return nil
	}
	began := make(chan control.RolloutRef, 1)
	told := false
	tell := func(id string) {
		if told {
			return
		}
		told = true
		if id != "" {
			began <- control.RolloutRef{ID: id, Service: s.name}
		}
		close(began)
	}
	w := &watcher{
		emit: func(e control.RolloutEvent) {
			if e.Rollout != "" {
				tell(e.Rollout)
			}
		},
		end: func(e ended) { tell(e.state.ID) },
	}
	q := request{kind: pluginapi.KindReload, actor: actor, reason: reason, undo: func() { s.unconfigure(cfg) }}
	same, running := slices.Equal(before.Command, cfg.Command), s.serving.payload
	fresh := before.Release != cfg.Release || running.Kind == release.KindCommand && !same
	go func() {
		p, err := running, error(nil)
		switch {
		case fresh:
			p, err = s.configured(s.h.ctx, nil)
		case p.Kind == release.KindCommand:
			p, err = s.present(s.h.ctx, p)
		}
		s.h.post(func() {
			if err != nil {
				s.unconfigure(cfg)
				s.refuse("reload", err.Error())
				w.refused(err.Error())
				return
			}
			q.payload = p
			q.resolve = func() payload {
				if now := s.serving.payload; !fresh && now.Release != running.Release {
					p = now // it waited, and another release was committed meanwhile
				}
				if p.Kind != release.KindCommand && !same {
					p.Command = cfg.Command
				}
				p.Configured = cfg.Command
				return p
			}
			_, _ = s.submit(q, control.IfBusyQueue, w)
		})
	}()
	return began
}

// unconfigure goes back to the configuration of the generation that serves, unless
// a later one than cfg has come.
func (s *service) unconfigure(cfg config.Service) {
	if s.serving != nil && reflect.DeepEqual(s.cfg, cfg) {
		s.configure(s.serving.cfg)
	}
}

// removeService ends what a configuration no longer names.
func (h *Host) removeService(name string) {
	s := h.services[name]
	if s == nil {
		return
	}
	delete(h.services, name)
	h.order = slices.DeleteFunc(h.order, func(n string) bool { return n == name })
	const why = "the configuration no longer names its service"
	s.abandon(why)
	s.leave(why)
}

// leave ends a service that is not in h.services any more. Where another one has
// got its listeners, it leaves in order once that serves them; else it is told to
// stop at once, as when zdhost stops.
func (s *service) leave(why string) {
	handed := slices.ContainsFunc(s.ports, func(p *port) bool { return p.service != s })
	for _, g := range s.living() {
		g.retire(why)
		if l := g.leaving; !handed && l.haste == instance.Orderly {
			l.haste = instance.Stop
			l.step()
		}
	}
	s.h.dropAbandoned(s)
}

// dropAbandoned closes the listeners of a service that is gone and that no other
// has got: who connects is refused instead of waiting for nobody. One that is
// still configured is bound anew for the next service that names it.
func (h *Host) dropAbandoned(s *service) {
	if h.services[s.name] == s || len(s.gens) > 0 || h.stopping {
		return
	}
	for _, p := range s.ports {
		if p.service != s || h.ports[p.name] != p {
			continue
		}
		h.dropPort(p)
		if l := h.cfg.Listener(p.name); l != nil {
			h.addPort(portOf(*l))
		}
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
