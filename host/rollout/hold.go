package rollout

import (
	"fmt"

	"github.com/zdhost/zdhost/pluginapi"
)

// hold stops forward moves until someone ends the hold. The guards stay on.
func (m *machine) hold(cause HoldCause, reason string) {
	m.enter(StateHeld, TimerHold, m.s.Deadlines.Hold)
	m.s.Hold = Hold{Cause: cause, Reason: reason, Since: m.at}
}

// strategyFailed ends a rollout that has no plan, and holds one that has. A
// failure that may pass is tried again after a pause.
func (m *machine) strategyFailed(reason string, retry bool) {
	reason = "strategy " + m.s.Strategy + ": " + reason
	if !m.s.Planned {
		m.giveUp(m.failure(), reason)
		return
	}
	if !retry || m.s.Retries >= maxRetries {
		m.hold(HoldStrategyFailed, reason)
		return
	}
	m.s.Retries++
	m.enter(StateHeld, TimerRetry, retryPause(m.s.Retries))
	m.s.Hold = Hold{Cause: HoldStrategyFailed, Reason: reason, Since: m.at}
}

// tryAgain ends a pause before a retry.
func (m *machine) tryAgain() {
	if m.s.Name == StateReturning {
		m.giveBack()
		return
	}
	m.askNext()
}

// paused holds a rollout that waits; one in which something is under way is
// held when that has ended.
func (m *machine) paused(f OperatorPaused) {
	reason := "paused by " + f.Actor.String() + because(f.Reason)
	m.s.Paused = true
	switch m.s.Name {
	case StateStarting, StateShifting, StateAwaitingHook:
		m.s.Hold = Hold{Cause: HoldPaused, Reason: reason, Since: m.at}
	default:
		m.hold(HoldPaused, reason)
	}
}

// resumed ends a pause. A held rollout tries again; the strategy may decide to
// hold once more.
func (m *machine) resumed() {
	m.s.Paused, m.s.Retries = false, 0
	if m.s.Name == StateHeld {
		m.advance()
	}
}

// promoted goes on to a later step, if the gate lets it.
func (m *machine) promoted(f OperatorPromoted) error {
	if !m.s.Planned || !m.s.Admitted {
		return &StepError{Step: f.To, Reason: "the rollout has not been admitted"}
	}
	to, err := m.s.promotion(f.To)
	if err != nil {
		return err
	}
	if m.s.Name != StateHeld {
		m.s.Hold = Hold{}
	}
	m.s.Promoted, m.s.Paused, m.s.Retries = to, false, 0
	m.gate(PointPromote)
	return nil
}

// promotion is the step that is promoted to: the one named, or the next.
func (s State) promotion(to string) (string, error) {
	now := s.Plan.Index(s.Step)
	if to == "" {
		return s.Plan.Steps[min(now+1, len(s.Plan.Steps)-1)].ID, nil
	}
	switch at := s.Plan.Index(to); {
	case at < 0:
		return "", &StepError{Step: to, Reason: "the plan has no such step"}
	case at <= now:
		return "", &StepError{Step: to, Reason: "the rollout is at step " + s.Step}
	}
	return to, nil
}

// candidate names the candidate in reasons.
func (m *machine) candidate() string { return fmt.Sprintf("generation %d", m.s.To.Number) }

// failure is the outcome of a rollout that ends early and not by a decision of
// people or policy.
func (m *machine) failure() Outcome {
	kind := m.s.Request.Kind
	if m.s.To.Phase == "" || kind == pluginapi.KindStart || kind == pluginapi.KindRollback {
		return StateFailed
	}
	return StateRolledBack
}
