package rollout

import (
	"slices"
	"time"

	"github.com/zdhost/zdhost/pluginapi"
)

// askNext asks what should be now, with a new snapshot.
func (m *machine) askNext() {
	if m.s.Paused {
		m.hold(HoldPaused, m.s.Hold.Reason)
		return
	}
	m.enter(StateDeciding, TimerStrategy, m.s.Deadlines.Strategy)
	m.s.AskedAt = m.at
	snapshot := m.s.snapshot()
	if m.s.direct() {
		m.decided(directNext(snapshot))
		return
	}
	m.emit(AskNext{Key: m.key(), Strategy: m.s.Strategy, Snapshot: snapshot})
}

// snapshot is the rollout as a strategy sees it.
func (s State) snapshot() pluginapi.Snapshot {
	snap := pluginapi.Snapshot{
		Revision:     uint64(s.Attempt),
		Now:          s.AskedAt,
		Request:      s.Request,
		Plan:         s.Plan,
		Step:         s.Step,
		StepSince:    s.StepSince,
		Promoted:     s.Promoted,
		Ended:        slices.Clone(s.Ended),
		State:        slices.Clone(s.Decision.State),
		StateVersion: s.Decision.StateVersion,
	}
	snap.Plan.Steps = slices.Clone(s.Plan.Steps)
	if s.From.Number != 0 {
		snap.Generations = append(snap.Generations, s.From.snapshot())
	}
	snap.Generations = append(snap.Generations, s.To.snapshot())
	return snap
}

func (g Generation) snapshot() pluginapi.GenerationSnapshot {
	return pluginapi.GenerationSnapshot{
		Number: g.Number, Instances: g.Instances, Ready: g.Ready, Phase: g.Phase,
		Desired: g.Desired, Applied: g.Applied, Since: g.Since,
	}
}

// decided checks a decision and brings about the first thing in which it
// differs from what is; when that is done the strategy is asked again.
func (m *machine) decided(d pluginapi.Decision) {
	if err := m.s.checkDecision(d); err != nil {
		m.hold(HoldDecisionRefused, "strategy "+m.s.Strategy+": cannot follow decision: "+err.Error())
		return
	}
	d.Generations, d.Waits, d.State = slices.Clone(d.Generations), slices.Clone(d.Waits), slices.Clone(d.State)
	for i := range d.Waits {
		d.Waits[i].Until = d.Waits[i].Until.Round(0).UTC()
	}
	m.s.Decision, m.s.Ended, m.s.Retries = d, nil, 0
	m.toStep(m.s.Plan.Steps[m.s.Plan.Index(d.Step)])
	to := m.target()
	switch {
	case d.Verdict == pluginapi.DecisionAbort:
		m.giveUp(m.failure(), d.Reason)
	case to.Instances > m.s.To.Instances:
		m.gate(PointStart)
	case m.rises(to) && !m.s.To.able():
		m.awaitReady()
	case m.rises(to):
		m.gate(PointShift)
	case to.Phase != m.s.To.Phase || to.Weight != m.s.To.Applied:
		m.shift()
	case d.Verdict == pluginapi.DecisionCommit:
		m.gate(PointCommit)
	case d.Verdict == pluginapi.DecisionHold || m.waitsForSomeone():
		m.hold(HoldStrategy, d.Reason)
	case len(d.Waits) > 0:
		m.enter(StateBaking, "", 0)
		m.s.Wait = Timer{Kind: TimerWait, Attempt: m.s.Attempt, At: m.s.soonest().Until}
	default:
		m.hold(HoldDecisionRefused, "strategy "+m.s.Strategy+": cannot follow decision: it changes nothing and waits for nothing")
	}
}

// rises reports whether the candidate would get more work than it has.
func (m *machine) rises(to pluginapi.GenerationTarget) bool {
	return to.Weight > m.s.To.Applied ||
		to.Phase == pluginapi.PhaseServing && m.s.To.Phase != pluginapi.PhaseServing
}

// waitsForSomeone reports whether nothing but an answer from outside ends the
// decision's waits.
func (m *machine) waitsForSomeone() bool {
	return len(m.s.Decision.Waits) > 0 && m.s.soonest().Kind == ""
}

// able reports whether the generation may get more work: all of its instances
// are ready. A warm one is taken with what it has.
func (g Generation) able() bool {
	return g.Ready >= g.Instances || g.Phase == pluginapi.PhaseWarm && g.Ready > 0
}

// start brings the candidate to the decided number of instances.
func (m *machine) start() {
	if m.s.To.Phase == "" {
		m.s.To.Phase, m.s.To.Since = pluginapi.PhaseStandby, m.at
	}
	m.s.To.Instances = m.target().Instances
	m.awaitReady()
}

// awaitReady waits until every instance of the candidate is ready.
func (m *machine) awaitReady() {
	m.enter(StateStarting, TimerReady, m.s.Deadlines.Ready)
	m.s.StartedAt = m.at
	m.startGeneration()
}

func (m *machine) startGeneration() {
	m.emit(StartGeneration{Key: m.key(), Generation: m.s.To.Number, Instances: m.s.To.Instances})
}

// candidateReady counts what is ready; a candidate that starts goes on when
// all is.
func (m *machine) candidateReady(f CandidateReady) {
	m.s.To.Ready = max(f.Ready, 0)
	if m.s.Name == StateStarting && m.s.To.Ready >= m.s.To.Instances {
		m.gate(PointReady)
	}
}

func (m *machine) startExtended(until time.Time) {
	if until = until.Round(0).UTC(); until.After(m.s.Wait.At) {
		m.s.Wait.At = until
	}
}

// shift gives the candidate its decided phase and weight. One that has lost
// readiness since the decision gets it back first.
func (m *machine) shift() {
	to := m.target()
	if m.rises(to) && !m.s.To.able() {
		m.awaitReady()
		return
	}
	weights := to.Weight != m.s.To.Applied
	if weights {
		m.enter(StateShifting, TimerWeights, m.s.Deadlines.Weights)
		m.s.To.Desired = to.Weight
		if old, ok := m.s.Decision.Target(m.s.From.Number); ok {
			m.s.From.Desired = old.Weight
		}
		m.applyWeights()
	}
	if to.Phase != m.s.To.Phase {
		m.s.To.Phase, m.s.To.Since = to.Phase, m.at
		m.setPhase()
	}
	if !weights {
		m.askNext()
	}
}

// applyWeights asks for the desired weights.
func (m *machine) applyWeights() {
	weights := map[uint64]pluginapi.Weight{m.s.To.Number: m.s.To.Desired}
	if m.s.From.Number != 0 {
		weights[m.s.From.Number] = m.s.From.Desired
	}
	m.emit(ApplyWeights{Key: m.key(), Weights: weights})
}

func (m *machine) setPhase() {
	m.emit(SetPhase{Key: m.key(), Generation: m.s.To.Number, Phase: m.s.To.Phase})
}

func (m *machine) weightApplied() {
	for _, g := range []*Generation{&m.s.From, &m.s.To} {
		if g.Applied != g.Desired {
			g.Applied, g.Since = g.Desired, m.at
		}
	}
	if m.s.Name == StateReturning {
		m.finish()
		return
	}
	m.askNext()
}

func (m *machine) weightFailed(reason string) {
	if m.s.Name == StateReturning {
		m.returnFailed(reason)
		return
	}
	m.giveUp(m.failure(), "cannot shift weight: "+reason)
}

// waitEnded tells the strategy that something it waits for has come.
func (m *machine) waitEnded(w pluginapi.WaitEnd) {
	m.s.Ended = append(slices.Clone(m.s.Ended), w)
	m.askNext()
}
