package host

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"sort"
	"time"

	"github.com/zdhost/zdhost/host/control"
	"github.com/zdhost/zdhost/host/instance"
	"github.com/zdhost/zdhost/host/rollout"
)

// Status implements control.StatusReader.
func (b backend) Status(ctx context.Context, _ control.Actor) (control.Status, error) {
	var st control.Status
	err := b.h.ask(ctx, func() { st = b.h.status() })
	return st, err
}

func (h *Host) status() control.Status {
	st := control.Status{Host: control.Host{
		PID: os.Getpid(), KeeperPID: h.welcome.KeeperPID, Version: h.opts.Version, Started: h.since, StateDir: h.cfg.StateDir,
		LastRefused: h.refused.public(),
	}}
	if why := h.journal.Err(); why != nil {
		st.Host.ReadOnly = why.Error()
	}
	for _, p := range h.ports {
		st.Listeners = append(st.Listeners, p.status())
	}
	sort.Slice(st.Listeners, func(i, j int) bool { return st.Listeners[i].Name < st.Listeners[j].Name })
	for _, name := range h.order {
		st.Services = append(st.Services, h.services[name].status())
	}
	return st
}

func (r *refusal) public() *control.Refusal {
	if r == nil {
		return nil
	}
	return &control.Refusal{Time: r.Time, What: r.What, Reason: r.Reason}
}

func (p *port) status() control.Listener {
	l := control.Listener{Name: p.name, Address: p.text(), Adopted: p.adopted}
	for _, lane := range p.lanes {
		if lane.gen == nil {
			continue
		}
		c := control.Lane{Service: lane.gen.svc.name, Generation: lane.gen.number, QueueHigh: lane.high}
		switch {
		case p.unix():
			c.Weight = map[bool]float64{true: 100}[p.published == lane]
		case p.shared():
			c.Weight = 100
		default:
			c.Weight = float64(lane.Weight()) / 100
		}
		c.Queue, c.QueueMax, _ = lane.Queue()
		if d, err := lane.Drops(); err == nil {
			c.Drops = int64(d)
		}
		l.Lanes = append(l.Lanes, c)
	}
	sort.Slice(l.Lanes, func(i, j int) bool { return l.Lanes[i].Generation < l.Lanes[j].Generation })
	return l
}

func (s *service) status() control.Service {
	c := control.Service{
		Name: s.name, Sockets: string(s.cfg.Sockets), Command: s.cfg.Command, Restarts: s.crashes,
		Revision: int(s.h.revision), LastRefused: s.refused.public(),
	}
	if g := s.serving; g != nil {
		c.Release, c.Generation, c.Command = string(g.payload.Release), g.number, g.payload.Command
	}
	if s.warm != nil {
		c.Warm, c.WarmUntil = s.warm.number, s.until
	}
	for _, p := range s.ports {
		c.Listeners = append(c.Listeners, p.name)
	}
	for _, g := range s.living() {
		for _, r := range slices.SortedFunc(maps.Values(g.inst), func(a, b *running) int { return cmp.Compare(a.number, b.number) }) {
			c.Instances = append(c.Instances, r.status())
		}
	}
	if s.roll != nil {
		rs := s.roll.status()
		c.Rollout = &rs
	}
	if e := s.last; e != nil {
		c.Last = &control.LastRollout{Rollout: e.state.ID, Ended: string(e.state.End.Outcome), Reason: e.state.End.Reason, Lost: e.report.Lost, Time: e.at}
	}
	c.State, c.Reason = s.condition()
	return c
}

// condition says in a word how the service is, and why where it isn't well.
func (s *service) condition() (state, reason string) {
	g := s.serving
	switch {
	case s.h.stopping:
		return control.ServiceStopped, "everything is being stopped"
	case s.roll != nil && s.roll.state.Name == rollout.StateHeld:
		return control.ServiceHeld, s.roll.state.Hold.Reason
	case s.roll != nil:
		return control.ServiceRolling, ""
	case g == nil && s.refused != nil:
		return control.ServiceDegraded, s.refused.Reason
	case g == nil:
		return control.ServiceStopped, "it has not been started"
	case g.loop:
		reason = "its instances end again and again: " + g.lastEnd
		if wait := time.Until(g.retryAt); wait > 0 {
			reason += fmt.Sprintf("; next try in %s", wait.Round(time.Second))
		}
		return control.ServiceDegraded, reason
	case g.ready() < g.want:
		return control.ServiceDegraded, fmt.Sprintf("%d of %d instances are ready", g.ready(), g.want)
	}
	return control.ServiceRunning, ""
}

func (r *running) status() control.Instance {
	c := control.Instance{
		ID: r.id, PID: r.pid, Generation: r.gen.number, Release: string(r.payload.Release), State: string(r.state),
		Since: r.since, Text: r.text,
	}
	if r.state != instance.Ready {
		c.Reason = r.reason
	}
	if r.stats != nil {
		n := int64(r.stats.Connections)
		c.Connections = &n
	}
	return c
}

func (r *rolling) status() control.RolloutStatus {
	s := r.state
	who, until := r.waitsFor()
	return control.RolloutStatus{
		ID: s.ID, State: string(s.Name), Step: s.Step, From: s.From.Release, To: s.To.Release, WaitsFor: who, Until: until,
		Kind: string(s.Request.Kind), Started: r.began, Reason: s.Why, Trace: s.Trace,
		Actor: control.Actor{UID: uint32(s.Actor.UID), Name: s.Actor.Name},
	}
}

// History implements control.HistoryReader.
func (b backend) History(ctx context.Context, _ control.Actor, q control.HistoryQuery) ([]control.HistoryEntry, error) {
	var all []control.HistoryEntry
	err := b.h.askErr(ctx, func() error {
		if _, err := b.h.find(q.Service, "show history of"); err != nil {
			return err
		}
		m := b.h.memory
		for i := len(m.order) - 1; i >= 0 && (q.Limit == 0 || len(all) < q.Limit); i-- {
			if r := m.rollouts[m.order[i]]; r.service == q.Service {
				all = append(all, r.entry())
			}
		}
		return nil
	})
	return all, err
}

func (r *remembered) entry() control.HistoryEntry {
	s := r.state
	e := control.HistoryEntry{
		Rollout: s.ID, Service: r.service, Kind: string(s.Request.Kind), From: s.From.Release, To: s.To.Release,
		Started: r.began, Ended: s.End.At, Outcome: string(s.End.Outcome), Why: s.Why, Reason: s.End.Reason, Trace: s.Trace,
		Actor: control.Actor{UID: uint32(s.Actor.UID), Name: s.Actor.Name}, Report: r.report, LogTail: s.LogTail,
	}
	if !s.Name.Ended() {
		e.Outcome, e.Ended = "", time.Time{}
	}
	if r.report != nil {
		e.Lost = r.report.Lost
	}
	return e
}

func (r *remembered) ended() ended {
	e := ended{state: r.state, began: r.began, at: r.state.End.At}
	if r.report != nil {
		e.report = *r.report
	}
	return e
}
