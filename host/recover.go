package host

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/zdhost/zdhost/host/instance"
	"github.com/zdhost/zdhost/host/keeper"
	"github.com/zdhost/zdhost/host/rollout"
	"github.com/zdhost/zdhost/pluginapi"
)

// recover takes over what an earlier host has left with the keeper: lanes,
// inboxes, instances, and the rollouts that were under way. No instance and no
// connection notices.
func (h *Host) recover() error {
	if len(h.welcome.Children) == 0 && len(h.welcome.Descriptors) == 0 {
		return nil
	}
	h.log.Info("taking over", "instances", len(h.welcome.Children), "descriptors", len(h.welcome.Descriptors), "restarts", h.welcome.Restarts)
	h.unclaimed()
	taken, err := h.recoverLanes()
	if err != nil {
		return err
	}
	// Which addresses a program must serve is known once it is known which
	// generation serves: generations first, then their instances.
	var errs []error
	for _, c := range h.welcome.Children {
		errs = append(errs, h.recoverLanesOf(c, taken))
	}
	for _, name := range h.order {
		h.services[name].recoverPhases()
	}
	for _, c := range h.welcome.Children {
		h.recoverInstance(c)
	}
	for _, name := range h.order {
		errs = append(errs, h.services[name].recoverRollout())
	}
	h.retireUnclaimed()
	h.dropUnclaimed()
	return errors.Join(errs...)
}

// owner reads whose a process is; nil where that can't be told.
func (h *Host) owner(c keeper.Child) (*service, childMeta, error) {
	var m childMeta
	err := json.Unmarshal(c.Meta, &m)
	return h.serviceOf(m.Service), m, err
}

// recoverLanesOf gives an instance's generation its lanes back.
func (h *Host) recoverLanesOf(c keeper.Child, taken map[string]*lane) error {
	s, m, err := h.owner(c)
	if err != nil || s == nil {
		go func() { _ = h.keeper.Forget(h.ctx, c.ID) }()
		return err
	}
	g := s.recoverGeneration(m.Generation)
	g.want++
	for _, r := range c.Rules {
		if l := taken[r.Descriptor]; l != nil {
			g.take(l)
		}
	}
	for name, l := range taken { // opened by a program of the generation
		if strings.HasPrefix(name, openPrefix(s.name, g.number)) && g.lanes[l.port.name] == nil {
			g.take(l)
		}
	}
	for _, l := range g.lanes {
		if p := l.port; p.adopted && !slices.Contains(g.extra, p) {
			g.extra = append(g.extra, p)
		}
	}
	return nil
}

// recoverInstance takes over one instance.
func (h *Host) recoverInstance(c keeper.Child) {
	s, m, err := h.owner(c)
	if err != nil || s == nil {
		return
	}
	g := s.gens[m.Generation]
	r := &running{
		id: c.ID, number: m.Number, gen: g, payload: g.payload, pid: c.PID, begun: c.Started, since: c.Started,
		state: instance.Starting, log: h.logPath(s.name, c.ID), sweeps: m.Sweeps,
	}
	if err := r.identify(); err != nil {
		h.log.Warn("the checks of an instance can't run as its user", "instance", r.id, "error", err)
	}
	ports := g.required()
	r.inst = instance.New(g.spec(r.id, ports), r.world(), h.log)
	g.inst[r.id], h.live[r.id] = r, r
	for _, d := range c.Listening {
		if l := g.laneOf(d); l != nil {
			r.inst.Listens(l.port.name, l.port.text())
		}
	}
	go r.resume(h.memory.ready[c.ID])
	if c.Exit != nil {
		r.ended(*c.Exit)
	}
}

// resume lives an instance that an earlier host started.
func (r *running) resume(ready bool) {
	h := r.gen.svc.h
	ch := instance.Channels{Notify: -1, Workload: -1, Restored: ready}
	if fds, err := h.keeper.Fetch(h.ctx, "notify/"+r.id, "workload/"+r.id); err == nil {
		ch.Notify, ch.Workload = fds[0], fds[1]
	}
	r.inst.Run(h.ctx, ch)
}

// recoverGeneration makes a generation again as the journal has it.
func (s *service) recoverGeneration(number uint64) *generation {
	if g := s.gens[number]; g != nil {
		return g
	}
	made := s.h.memory.made[s.name][number]
	next := s.next
	s.next = number
	g := s.generation(made.Payload)
	s.next = max(next, number+1)
	g.recoverInbox()
	return g
}

// recoverInbox fetches the generation's inbox.
func (g *generation) recoverInbox() {
	h := g.svc.h
	fds, err := h.keeper.Fetch(h.ctx, g.inboxName()+"/send", g.inboxName()+"/receive")
	if err == nil {
		g.inbox = inbox{fds[0], fds[1]}
	}
}

// recoverPhases gives the generations back what the journal says they are for:
// the one that was committed last serves, the one before it is warm until its
// time has passed, a candidate of a rollout that has not ended waits for it, and
// every other leaves.
func (s *service) recoverPhases() {
	m := s.h.memory
	var serving, candidate, before uint64
	var until time.Time
	for _, id := range m.order {
		r := m.rollouts[id]
		if r.service != s.name {
			continue
		}
		switch {
		case r.state.Name == rollout.StateCommitted:
			serving, before = r.state.To.Number, r.state.From.Number
			until = r.state.End.At.Add(r.state.WarmFor)
		case !r.state.Name.Ended():
			candidate = r.state.To.Number
		}
	}
	if g := s.gens[serving]; g != nil {
		s.ports = append(s.ports, g.extra...)
	}
	for _, g := range s.living() {
		g.extra = slices.DeleteFunc(g.extra, func(p *port) bool {
			known := slices.Contains(s.ports, p)
			if known {
				g.ports = append(g.ports, p)
			}
			return known
		})
		g.want = max(g.want, 1)
		switch g.number {
		case serving:
			s.serving, g.phase, g.weight = g, pluginapi.PhaseServing, pluginapi.FullWeight
			g.want = max(g.want, g.cfg.Instances)
		case before:
			g.phase, g.moves = pluginapi.PhaseWarm, s.gens[serving]
			if left := time.Until(until); left > 0 {
				s.keepWarm(g, left)
			}
		case candidate:
		default:
			g.phase = pluginapi.PhaseWarm
		}
	}
}

// recoverRollout goes on with the rollout that had not ended, with the weights
// that it had set, or sets those of the generation that serves.
func (s *service) recoverRollout() error {
	m := s.h.memory
	var open *remembered
	for _, id := range m.order {
		if r := m.rollouts[id]; r.service == s.name && !r.state.Name.Ended() {
			open = r
		}
	}
	if open != nil && s.gens[open.state.To.Number] == nil {
		s.recoverGeneration(open.state.To.Number) // no process of it was started yet
	}
	if open != nil {
		for _, side := range []rollout.Generation{open.state.From, open.state.To} {
			if g := s.gens[side.Number]; g != nil {
				g.weight = max(side.Desired, 0)
				if side.Phase == pluginapi.PhaseQuiesced {
					g.moves = s.gens[open.state.To.Number]
				}
			}
		}
	}
	err := s.relocate()
	if err == nil && len(s.gens) > 0 {
		err = s.reweigh()
	}
	for _, g := range s.living() {
		if g != s.serving && g != s.warm && (open == nil || g.number != open.state.To.Number) {
			g.retire("the host was restarted")
		}
	}
	if open != nil {
		s.goOn(open)
	} else if g := s.serving; g != nil && len(g.running()) < g.want {
		g.scale(g.want)
	}
	return err
}

// relocate finds out lane indices that the journal doesn't have.
func (s *service) relocate() error {
	ctx, cancel := context.WithTimeout(s.h.ctx, 5*time.Second)
	defer cancel()
	var errs []error
	for _, p := range s.ports {
		if p.listener != nil && !p.unix() && !p.shared() {
			_, err := p.listener.Repair(ctx)
			p.noteIndices()
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// goOn takes up a rollout: what it had asked for and got no answer to is asked
// again.
func (s *service) goOn(open *remembered) {
	r := &rolling{
		svc: s, state: open.state, candidate: s.gens[open.state.To.Number], from: s.gens[open.state.From.Number],
		began: open.began, timers: map[rollout.TimerKind]*time.Timer{},
	}
	s.roll = r
	s.h.log.Info("rollout goes on", "service", s.name, "rollout", r.state.ID, "state", r.state.Name, "step", r.state.Step)
	r.step(rollout.HostRestarted{})
	if n := r.candidate.ready(); n > 0 {
		r.candidateReady()
	}
}
