package rollout

import (
	"time"

	"github.com/zdhost/zdhost/pluginapi"
)

// TimerKind names what a timer is the deadline of.
type TimerKind string

const (
	TimerGate     TimerKind = "gate"
	TimerApproval TimerKind = "approval"
	TimerHook     TimerKind = "hook"
	TimerStrategy TimerKind = "strategy"
	TimerReady    TimerKind = "ready"
	TimerWeights  TimerKind = "weights"
	// TimerWait ends the timed waits of a decision.
	TimerWait TimerKind = "wait"
	TimerHold TimerKind = "hold"
	// TimerRetry ends the pause before something is tried again.
	TimerRetry TimerKind = "retry"
	// TimerStep and TimerRollout limit the step and the whole rollout.
	TimerStep    TimerKind = "step"
	TimerRollout TimerKind = "rollout"
)

// Timer is an armed timer; the zero Timer is none.
type Timer struct {
	Kind    TimerKind `json:"kind,omitempty"`
	Attempt int       `json:"attempt,omitempty"`
	At      time.Time `json:"at,omitzero"`
}

// Armed reports whether there is a timer.
func (t Timer) Armed() bool { return t.Kind != "" }

// Limits are the deadlines that outlast a single state.
type Limits struct {
	Step    Limit `json:"step,omitzero"`
	Rollout Limit `json:"rollout,omitzero"`
}

// Limit is a deadline whose clock can stand still.
type Limit struct {
	// Set is false where there is no limit.
	Set bool `json:"set"`
	// Left is what is left while the clock stands still.
	Left time.Duration `json:"left"`
	// Timer is armed while the clock runs.
	Timer Timer `json:"timer,omitzero"`
}

// limitOf is a limit whose clock stands still; no duration is no limit.
func limitOf(d time.Duration) Limit { return Limit{Set: d > 0, Left: max(d, 0)} }

// stands reports whether the clocks of step and rollout stand still: nothing is
// late while it waits for a person or until a time.
func (s State) stands() bool {
	switch s.Name {
	case StateHeld, StateAwaitingApproval:
		return true
	case StateBaking:
		return s.soonest().Kind == pluginapi.WaitTime
	}
	return false
}

// runClocks starts or stops the clocks of step and rollout as the state demands.
func (m *machine) runClocks() {
	m.runClock(&m.s.Limits.Step, TimerStep)
	m.runClock(&m.s.Limits.Rollout, TimerRollout)
}

func (m *machine) runClock(l *Limit, kind TimerKind) {
	if m.s.Name.Ended() || m.s.Name == StateReturning {
		*l = Limit{}
		return
	}
	runs := l.Set && !m.s.stands()
	switch {
	case runs && !l.Timer.Armed():
		l.Timer = Timer{Kind: kind, Attempt: m.number(), At: m.at.Add(l.Left)}
		l.Left = 0
	case !runs && l.Timer.Armed():
		l.Left = max(l.Timer.At.Sub(m.at), 0)
		l.Timer = Timer{}
	}
}

// timers are the state's armed timers, in a fixed order.
func (s State) timers() [3]Timer {
	return [3]Timer{s.Wait, s.Limits.Step.Timer, s.Limits.Rollout.Timer}
}

// setTimers emits what takes the timers of before to those of the state. After
// a restart no timer is armed any more, and all are armed again.
func (m *machine) setTimers(before State, restarted bool) {
	was, is := before.timers(), m.s.timers()
	for i := range was {
		gone := was[i].Armed() && was[i].Kind != is[i].Kind
		if gone && was[i].Kind != m.fired && !restarted {
			m.emit(CancelTimer{Key: m.timerKey(was[i]), Kind: was[i].Kind})
		}
	}
	for i := range is {
		if is[i].Armed() && (restarted || was[i] != is[i]) {
			m.emit(ArmTimer{Key: m.timerKey(is[i]), Kind: is[i].Kind, At: is[i].At})
		}
	}
}

func (m *machine) timerKey(t Timer) Key {
	return Key{Rollout: m.s.ID, Attempt: t.Attempt}
}

// timerFired does what the deadline says.
func (m *machine) timerFired(f TimerFired) {
	m.fired = f.Kind
	switch f.Kind {
	case TimerGate:
		m.gateFailed("no answer within " + m.s.Deadlines.Gate.String())
	case TimerApproval:
		m.giveUp(StateDenied, "nobody approved "+string(m.s.Point)+" within "+m.s.Deadlines.Approval.String())
	case TimerHook:
		m.hookFailed("no end within " + m.s.Deadlines.Hook.String())
	case TimerStrategy:
		m.strategyFailed("no answer within "+m.s.Deadlines.Strategy.String(), true)
	case TimerReady:
		m.s.LogTail = tail(f.LogTail)
		m.giveUp(m.failure(), m.candidate()+" was not ready after "+m.at.Sub(m.s.StartedAt).String())
	case TimerWeights:
		m.weightFailed("not in force within " + m.s.Deadlines.Weights.String())
	case TimerWait:
		m.askNext()
	case TimerHold:
		m.giveUp(m.failure(), "nobody ended the hold within "+m.s.Deadlines.Hold.String()+": "+m.s.Hold.Reason)
	case TimerRetry:
		m.tryAgain()
	case TimerStep:
		m.stepLate()
	case TimerRollout:
		m.giveUp(m.failure(), "the rollout took longer than "+m.s.Deadlines.Rollout.String())
	}
}

// stepLate does what the plan says about a step that takes too long.
func (m *machine) stepLate() {
	step := m.s.Plan.Steps[m.s.Plan.Index(m.s.Step)]
	reason := "step " + step.ID + " took longer than " + step.Deadline.String()
	m.s.Limits.Step = Limit{}
	if step.OnDeadline == pluginapi.DeadlineHold {
		m.s.Wait = Timer{}
		m.hold(HoldStepDeadline, reason)
		return
	}
	m.giveUp(m.failure(), reason)
}
