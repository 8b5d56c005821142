package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zdhost/zdhost/host/instance"
	"github.com/zdhost/zdhost/host/listener"
	"github.com/zdhost/zdhost/host/rollout"
	"github.com/zdhost/zdhost/pluginapi"
	"github.com/zdhost/zdhost/policy"
)

func (r *rolling) askGate(e rollout.AskGate) {
	h, s := r.svc.h, r.state
	in := policy.Input{
		Action: string(s.Request.Kind), Point: string(e.Point), Service: r.svc.name, Rollout: s.ID,
		From: s.From.Release, To: s.To.Release, Weight: float64(e.Weight) / 100,
		Actor: policy.Actor{UID: uint32(s.Actor.UID), Name: s.Actor.Name}, Reason: s.Why,
	}
	go func() {
		ctx, cancel := context.WithTimeout(h.ctx, s.Deadlines.Gate)
		defer cancel()
		v, err := h.gate.Ask(ctx, in)
		if err != nil {
			r.postAnswer(rollout.GateFailed{Attempt: e.Attempt, Reason: err.Error()})
			return
		}
		r.postAnswer(rollout.GateAnswered{Attempt: e.Attempt, Verdict: rollout.Verdict(v.Answer), Reason: v.Reason})
	}()
}

func (r *rolling) askPlan(e rollout.AskPlan) {
	st := r.svc.h.opts.Strategies[e.Strategy]
	if st == nil {
		r.answer(rollout.StrategyFailed{Attempt: e.Attempt, Reason: fmt.Sprintf("no strategy is called %q", e.Strategy)})
		return
	}
	go func() {
		plan, err := st.Plan(e.Request)
		if err != nil {
			r.postAnswer(rollout.StrategyFailed{Attempt: e.Attempt, Reason: err.Error()})
			return
		}
		r.postAnswer(rollout.Planned{Attempt: e.Attempt, Plan: plan})
	}()
}

func (r *rolling) askNext(e rollout.AskNext) {
	st := r.svc.h.opts.Strategies[e.Strategy]
	if st == nil {
		r.answer(rollout.StrategyFailed{Attempt: e.Attempt, Reason: fmt.Sprintf("no strategy is called %q", e.Strategy)})
		return
	}
	go func() {
		d, err := st.Next(e.Snapshot)
		if err != nil {
			r.postAnswer(rollout.StrategyFailed{Attempt: e.Attempt, Reason: err.Error()})
			return
		}
		r.postAnswer(rollout.Decided{Decision: d})
	}()
}

func (r *rolling) start(e rollout.StartGeneration) {
	g := r.svc.gens[e.Generation]
	if g == nil {
		r.answer(rollout.CandidateFailed{Generation: e.Generation, Reason: "the generation is gone"})
		return
	}
	g.scale(e.Instances)
	r.candidateReady()
}

// candidateReady says how many instances are ready, if enough are.
func (r *rolling) candidateReady() {
	g := r.candidate
	if n := g.ready(); n > 0 && n >= g.want {
		r.answer(rollout.CandidateReady{Generation: g.number, Ready: n})
	}
}

func (r *rolling) candidateFailed(reason string, tail []string) {
	r.answer(rollout.CandidateFailed{Generation: r.candidate.number, Reason: reason, LogTail: tail})
}

func (r *rolling) guardTripped(reason string, tail []string) {
	r.crashed = r.crashed || r.candidate.weight > 0 || r.candidate.phase == pluginapi.PhaseServing
	r.answer(rollout.GuardTripped{Generation: r.candidate.number, Reason: reason, LogTail: tail})
}

func (r *rolling) extended(until time.Time) {
	r.answer(rollout.StartExtended{Generation: r.candidate.number, Until: until.Add(time.Second)})
}

func (r *rolling) apply(e rollout.ApplyWeights) {
	if e.Attempt < r.weighed {
		return // the weight went back meanwhile
	}
	r.weighed = e.Attempt
	if err := r.svc.weigh(e.Weights); err != nil {
		r.answer(rollout.WeightFailed{Attempt: e.Attempt, Reason: err.Error()})
		return
	}
	r.answer(rollout.WeightApplied{Attempt: e.Attempt})
}

// weigh puts weights in force on every listener of the service.
func (s *service) weigh(weights map[uint64]pluginapi.Weight) error {
	for number, g := range s.gens {
		g.weight = max(weights[number], 0)
	}
	return s.reweigh()
}

// reweigh makes the kernel agree with the generations' weights. Where nothing
// has a weight yet, the newest generation with a lane gets all: clients then
// queue for it.
func (s *service) reweigh() error {
	var errs []error
	for _, p := range s.ports {
		if err := s.reweighPort(p); err != nil {
			errs = append(errs, fmt.Errorf("listener %s: %w", p.name, err))
		}
	}
	return errors.Join(errs...)
}

func (s *service) reweighPort(p *port) error {
	type share struct {
		lane   *lane
		weight int
	}
	var shares []share
	total := 0
	var newest *lane
	for _, g := range s.living() {
		l := g.lanes[p.name]
		if l == nil || g.phase == pluginapi.PhaseGone {
			continue
		}
		newest = l
		if w := int(g.weight); w > 0 {
			shares = append(shares, share{l, w})
			total += w
		}
	}
	if newest == nil || p.shared() {
		return nil
	}
	if total == 0 {
		shares, total = []share{{newest, 1}}, 1
	}
	if p.unix() {
		heaviest := shares[0]
		for _, sh := range shares {
			if sh.weight > heaviest.weight {
				heaviest = sh
			}
		}
		return p.publish(heaviest.lane)
	}
	// A generation without a lane here has no part in this listener: the others
	// share it in their proportion.
	all := make([]listener.Share, len(shares))
	left := int(pluginapi.FullWeight)
	for i, sh := range shares {
		w := sh.weight * int(pluginapi.FullWeight) / total
		if i == len(shares)-1 {
			w = left
		}
		all[i] = listener.Share{Lane: sh.lane.Lane, Weight: w}
		left -= w
	}
	return p.listener.SetWeights(all...)
}

// publish gives a unix listener's path to one lane, if it hasn't it.
func (p *port) publish(l *lane) error {
	if p.published == l {
		return nil
	}
	if err := p.h.keeper.Publish(p.h.ctx, l.name); err != nil {
		return err
	}
	p.published = l
	return nil
}

func (r *rolling) setPhase(e rollout.SetPhase) {
	g := r.svc.gens[e.Generation]
	if g == nil {
		return
	}
	switch e.Phase {
	case pluginapi.PhaseGone:
		g.retire("the rollout " + r.state.ID + " says so")
	case pluginapi.PhaseServing:
		g.phase = e.Phase
		if g.moves != nil {
			g.resume()
		}
	case pluginapi.PhaseQuiesced:
		g.phase = e.Phase
		g.quiesce(r.candidate)
	default:
		// warm is what Finish makes of the old generation, standby what a new one is.
	}
}

func (r *rolling) arm(e rollout.ArmTimer) {
	r.cancel(e.Kind)
	r.timers[e.Kind] = r.svc.h.after(time.Until(e.At), func() {
		if r.done {
			return
		}
		f := rollout.TimerFired{Kind: e.Kind, Attempt: e.Attempt}
		if e.Kind == rollout.TimerReady {
			f.LogTail = r.candidate.tail()
		}
		r.step(f)
	})
}

func (r *rolling) cancel(kind rollout.TimerKind) {
	if t := r.timers[kind]; t != nil {
		t.Stop()
		delete(r.timers, kind)
	}
}

func (r *rolling) abandon(e rollout.Abandon) {
	g := r.svc.gens[e.Generation]
	if g == nil {
		return
	}
	if r.svc.warm == g {
		r.svc.warm = nil
	}
	g.retire(e.Reason)
}

// finish ends the rollout: the service's state follows, whoever waits is told,
// and what was queued comes next.
func (r *rolling) finish(e rollout.Finish) {
	s, h := r.svc, r.svc.h
	for kind := range r.timers {
		r.cancel(kind)
	}
	r.step(rollout.Closed{})
	r.done = true
	s.roll = nil
	committed := e.Outcome == rollout.StateCommitted
	if committed {
		s.committed(r.candidate, e.WarmFor)
		h.memory.committed(s.name, r.candidate.payload)
		s.starts, s.refused = instance.Restarts{}, nil
		delete(h.memory.refusals, s.name)
	} else {
		if g := r.candidate; g.phase == pluginapi.PhaseStandby && s.serving != g && g != s.warm {
			g.retire(e.Reason)
		}
		if r.undo != nil {
			r.undo()
		}
	}
	report := r.settle(committed)
	s.last = &ended{state: r.state, report: report, began: r.began, at: time.Now()}
	r.log(e)
	for _, w := range r.watch {
		w.end(*s.last)
	}
	if s.serving == nil && s.closed() == "" {
		s.startFailed(e.Reason, e.LogTail)
	}
	if committed && r.from == nil {
		h.firstStart()
	}
	s.nextInLine()
	h.stopStep()
}

// nextInLine begins the rollout that waits, if any.
func (s *service) nextInLine() {
	if s.roll == nil && len(s.waiting) > 0 {
		f := s.waiting[0]
		s.waiting = s.waiting[1:]
		s.h.later(f)
	}
}

func (r *rolling) log(e rollout.Finish) {
	h := r.svc.h
	say := h.log.Info
	if e.Outcome != rollout.StateCommitted {
		say = h.log.Warn
	}
	say("rollout ended", "service", r.svc.name, "rollout", r.state.ID, "kind", r.state.Request.Kind, "outcome", e.Outcome,
		"reason", e.Reason, "from", r.state.From.Number, "to", r.state.To.Number, "took", time.Since(r.began).Round(time.Millisecond), "trace", r.state.Trace)
}
