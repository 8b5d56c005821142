package rollout

import "github.com/zdhost/zdhost/pluginapi"

// gate asks for leave to pass the point, unless it is given beforehand. A paused
// rollout asks when it is resumed.
func (m *machine) gate(p Point) {
	if m.s.Paused {
		m.hold(HoldPaused, m.s.Hold.Reason)
		return
	}
	m.s.Point = p
	if m.s.preauthorised() {
		m.pass()
		return
	}
	m.enter(StateAwaitingDecision, TimerGate, m.s.Deadlines.Gate)
	m.askGate()
}

func (m *machine) askGate() {
	ask := AskGate{Key: m.key(), Point: m.s.Point, Weight: m.s.To.Applied}
	if m.s.Point == PointShift {
		ask.Weight = m.target().Weight
	}
	m.emit(ask)
}

// gateAnswered takes a verdict.
func (m *machine) gateAnswered(f GateAnswered) {
	m.s.Gate = GateAnswer{Point: m.s.Point, Verdict: f.Verdict, Reason: f.Reason, At: m.at}
	switch {
	case f.Verdict == VerdictAllow:
		m.enter(StateAwaitingHook, TimerHook, m.s.Deadlines.Hook)
		m.emit(RunHook{Key: m.key(), Point: m.s.Point})
	case f.Verdict == VerdictPending && m.s.Name == StateAwaitingApproval:
		// Still pending: the deadline stays where it is.
	case f.Verdict == VerdictPending:
		m.s.Name = StateAwaitingApproval
		m.s.Wait = Timer{Kind: TimerApproval, Attempt: m.s.Attempt, At: m.at.Add(m.s.Deadlines.Approval)}
	case f.Verdict != VerdictDeny:
		m.gateFailed("unknown verdict " + string(f.Verdict))
	case m.s.Point == PointPromote:
		m.notPromoted("promotion denied" + because(f.Reason))
	default:
		m.giveUp(StateDenied, string(m.s.Point)+" denied"+because(f.Reason))
	}
}

// gateFailed fails closed: nothing moves forward. What has been started is kept
// for an operator to decide about.
func (m *machine) gateFailed(reason string) {
	reason = "cannot evaluate the gate for " + string(m.s.Point) + ": " + reason
	switch {
	case m.s.Point == PointPromote:
		m.notPromoted(reason)
	case m.s.To.Phase == "":
		m.giveUp(StateDenied, reason)
	default:
		m.hold(HoldGateUnanswered, reason)
	}
}

// notPromoted goes on as before the promotion: held as it was, or asking the
// strategy what it was doing.
func (m *machine) notPromoted(reason string) {
	m.s.Promoted = ""
	if m.s.Hold.Cause == "" {
		m.askNext()
		return
	}
	m.s.Paused = m.s.Hold.Cause == HoldPaused
	m.hold(m.s.Hold.Cause, reason)
}

func (m *machine) hookEnded(f HookEnded) {
	if !f.OK {
		m.hookFailed(f.Detail)
		return
	}
	if m.s.Paused {
		m.hold(HoldPaused, m.s.Hold.Reason)
		return
	}
	m.pass()
}

func (m *machine) hookFailed(detail string) {
	m.giveUp(m.failure(), "hook "+string(m.s.Point)+" failed"+because(detail))
}

// pass does what the point stood before.
func (m *machine) pass() {
	switch m.s.Point {
	case PointPlan:
		m.plan()
	case PointAdmit:
		m.s.Admitted = true
		m.askNext()
	case PointStart:
		m.start()
	case PointShift:
		m.shift()
	case PointCommit:
		m.commit()
	case PointReady, PointPromote:
		m.askNext()
	}
}

// advance finds what comes next, from wherever the rollout is.
func (m *machine) advance() {
	switch {
	case !m.s.Planned:
		m.gate(PointPlan)
	case !m.s.Admitted:
		m.gate(PointAdmit)
	default:
		m.askNext()
	}
}

// target is what the last decision wants of the candidate.
func (m *machine) target() pluginapi.GenerationTarget {
	t, _ := m.s.Decision.Target(m.s.To.Number)
	return t
}
