package rollout

import (
	"slices"

	"github.com/zdhost/zdhost/pluginapi"
)

// candidateFailed returns from a candidate that died or can't be started.
func (m *machine) candidateFailed(reason string, logTail []string) {
	if len(m.s.LogTail) == 0 {
		m.s.LogTail = tail(logTail)
	}
	if m.s.Name == StateReturning {
		return
	}
	m.giveUp(m.failure(), m.candidate()+": "+reason+m.during())
}

// during names the state in which something went wrong.
func (m *machine) during() string {
	switch m.s.Name {
	case StateStarting, StateBaking, StateShifting:
		return " while " + string(m.s.Name)
	case StateHeld:
		return " while held"
	}
	return ""
}

// giveUp ends the rollout without the candidate: the weight goes back first.
func (m *machine) giveUp(outcome Outcome, reason string) {
	if m.s.Name == StateReturning {
		return
	}
	m.s.End = End{Outcome: outcome, Reason: reason}
	if m.s.From.Number == 0 || m.s.To.Desired <= 0 && m.s.To.Applied <= 0 {
		m.finish()
		return
	}
	m.giveBack()
	m.tellRollback(reason)
}

// giveBack gives the old generation all of the weight.
func (m *machine) giveBack() {
	m.enter(StateReturning, TimerWeights, m.s.Deadlines.Weights)
	m.s.End.Returns++
	m.s.From.Desired, m.s.To.Desired = pluginapi.FullWeight, 0
	m.applyWeights()
}

// returnFailed tries again, up to maxReturns times.
func (m *machine) returnFailed(reason string) {
	if m.s.End.Returns >= maxReturns {
		m.s.End.Outcome = StateFailed
		m.s.End.Reason += "; cannot give the weight back: " + reason
		m.finish()
		return
	}
	m.enter(StateReturning, TimerRetry, returnPause)
}

// tellRollback tells the gate and the hook that the weight goes back. Nothing
// waits for the hook, so it has an attempt of its own.
func (m *machine) tellRollback(reason string) {
	key := Key{Rollout: m.s.ID, Step: m.s.Step, Attempt: m.number()}
	m.emit(TellGate{Key: key, Point: PointRollback, Reason: reason})
	m.emit(RunHook{Key: key, Point: PointRollback})
}

// commit makes the candidate the service's generation.
func (m *machine) commit() {
	m.s.End = End{Outcome: StateCommitted, Reason: m.s.Decision.Reason}
	if old, ok := m.s.Decision.Target(m.s.From.Number); ok {
		m.s.From.Phase, m.s.From.Since = pluginapi.PhaseWarm, m.at
		if old.Phase == pluginapi.PhaseGone || m.s.WarmFor == 0 {
			m.s.From.Phase, m.s.WarmFor = pluginapi.PhaseGone, 0
		}
	}
	m.finish()
}

// finish enters the end.
func (m *machine) finish() {
	m.enter(m.s.End.Outcome, "", 0)
	m.s.End.At, m.s.Paused, m.s.Promoted = m.at, false, ""
	if m.s.Name != StateCommitted {
		m.s.WarmFor = 0
	}
	m.close()
}

// close emits the last effects.
func (m *machine) close() {
	key := m.key()
	switch {
	case m.s.Name == StateCommitted:
		m.emit(Commit{Key: key, From: m.s.From.Number, To: m.s.To.Number})
		if m.s.From.Number != 0 {
			m.emit(SetPhase{Key: key, Generation: m.s.From.Number, Phase: m.s.From.Phase})
		}
	case m.s.To.Phase != "":
		m.emit(Abandon{Key: key, Generation: m.s.To.Number, Reason: m.s.End.Reason})
	}
	m.emit(Finish{
		Key: key, Outcome: m.s.End.Outcome, Reason: m.s.End.Reason,
		LogTail: slices.Clone(m.s.LogTail), WarmFor: m.s.WarmFor,
	})
}

// restarted asks again for everything that is still open. Every deadline has
// restartGrace left at least.
func (m *machine) restarted() {
	grace := m.at.Add(restartGrace)
	for _, t := range []*Timer{&m.s.Wait, &m.s.Limits.Step.Timer, &m.s.Limits.Rollout.Timer} {
		if t.Armed() && t.At.Before(grace) {
			t.At = grace
		}
	}
	switch m.s.Name {
	case StateAwaitingDecision, StateAwaitingApproval:
		m.askGate()
	case StateAwaitingHook:
		m.emit(RunHook{Key: m.key(), Point: m.s.Point})
	case StatePlanning:
		m.askPlan()
	case StateDeciding:
		m.askNext()
	case StateStarting:
		m.startGeneration()
	case StateShifting, StateReturning:
		if m.s.Wait.Kind == TimerWeights {
			m.applyWeights()
		}
	}
	if m.s.Name.Ended() {
		if !m.s.End.Closed {
			m.close()
		}
		return
	}
	if m.s.To.Phase != "" {
		m.setPhase()
	}
}
