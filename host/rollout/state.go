package rollout

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/zdhost/zdhost/pluginapi"
)

// StateVersion is the version of State's JSON form.
const StateVersion = 1

// StateName names where a rollout is.
type StateName string

const (
	StateNew              StateName = "new"
	StateAwaitingDecision StateName = "awaiting-decision"
	StateAwaitingApproval StateName = "awaiting-approval"
	StateAwaitingHook     StateName = "awaiting-hook"
	StatePlanning         StateName = "planning"
	StateDeciding         StateName = "deciding"
	StateStarting         StateName = "starting"
	StateShifting         StateName = "shifting"
	StateBaking           StateName = "baking"
	StateHeld             StateName = "held"
	StateReturning        StateName = "returning"

	// The ends.
	StateCommitted  StateName = "committed"
	StateRolledBack StateName = "rolled_back"
	StateAborted    StateName = "aborted"
	StateDenied     StateName = "denied"
	StateFailed     StateName = "failed"
)

// Ended reports whether the state is an end.
func (n StateName) Ended() bool {
	switch n {
	case StateCommitted, StateRolledBack, StateAborted, StateDenied, StateFailed:
		return true
	}
	return false
}

// Outcome is how a rollout ended; it is the name of the state it ended in.
type Outcome = StateName

// State is a rollout as a value. Step never changes the State it is given.
// Durations in its JSON form are nanoseconds.
type State struct {
	Version int       `json:"version"`
	Name    StateName `json:"name"`

	ID        string                `json:"id"`
	Trace     string                `json:"trace"`
	Request   pluginapi.PlanRequest `json:"request"`
	Strategy  string                `json:"strategy"`
	Actor     Actor                 `json:"actor"`
	Why       string                `json:"why,omitempty"`
	Deadlines Deadlines             `json:"deadlines"`
	// WarmFor is how long the old generation stays warm after the commit.
	WarmFor time.Duration `json:"warm_for"`

	From Generation `json:"from"`
	To   Generation `json:"to"`

	// StartedAt is when instances of the candidate were last asked for.
	StartedAt time.Time `json:"started_at,omitzero"`

	// Seq numbers attempts; Attempt is the current state's.
	Seq     int `json:"seq"`
	Attempt int `json:"attempt"`
	// Wait is the deadline of the current state; Limits are those of the
	// step and of the whole rollout.
	Wait   Timer  `json:"wait,omitzero"`
	Limits Limits `json:"limits,omitzero"`

	// Planned is set once there is a plan, Admitted once the gate let it in.
	Planned  bool           `json:"planned"`
	Admitted bool           `json:"admitted"`
	Plan     pluginapi.Plan `json:"plan,omitzero"`
	// Step is the current step's id, since StepSince.
	Step      string    `json:"step"`
	StepSince time.Time `json:"step_since,omitzero"`
	// Point is what the gate or a hook is asked about, or was last.
	Point Point `json:"point,omitempty"`
	// Gate is the last answer of the gate.
	Gate GateAnswer `json:"gate,omitzero"`
	// Decision is the last accepted decision; AskedAt is the Now of the last
	// snapshot.
	Decision pluginapi.Decision `json:"decision,omitzero"`
	AskedAt  time.Time          `json:"asked_at,omitzero"`
	// Promoted is the step an operator promoted to; Ended are the waits that
	// have ended since the last decision.
	Promoted string              `json:"promoted,omitempty"`
	Ended    []pluginapi.WaitEnd `json:"ended,omitempty"`
	// Paused is set while an operator has paused the rollout.
	Paused bool `json:"paused"`
	// Hold says why the rollout is held; Retries counts failed strategy calls.
	Hold    Hold `json:"hold,omitzero"`
	Retries int  `json:"retries"`

	// End is how the rollout ends or ended; set from the moment it returns.
	End End `json:"end,omitzero"`
	// LogTail is the candidate's last lines of log, if it failed.
	LogTail []string `json:"log_tail,omitempty"`
}

// Generation is one side of a rollout.
type Generation struct {
	pluginapi.GenerationRef
	// Instances is how many instances it should have, Ready how many of them
	// are ready.
	Instances int             `json:"instances"`
	Ready     int             `json:"ready"`
	Phase     pluginapi.Phase `json:"phase"`
	// Desired is the weight last asked for, Applied the one in force.
	Desired pluginapi.Weight `json:"desired"`
	Applied pluginapi.Weight `json:"applied"`
	// Since is when its phase or its applied weight last changed.
	Since time.Time `json:"since,omitzero"`
}

// Actor is who asked for something.
type Actor struct {
	UID  int    `json:"uid"`
	Name string `json:"name"`
}

// GateAnswer is an answer of the gate.
type GateAnswer struct {
	Point   Point     `json:"point,omitempty"`
	Verdict Verdict   `json:"verdict,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	At      time.Time `json:"at,omitzero"`
}

// HoldCause is the typed reason of a hold.
type HoldCause string

const (
	// HoldStrategy: the strategy decided so.
	HoldStrategy HoldCause = "strategy"
	// HoldStrategyFailed: the strategy could not be asked.
	HoldStrategyFailed HoldCause = "strategy-failed"
	// HoldDecisionRefused: the strategy's decision was beyond what is allowed.
	HoldDecisionRefused HoldCause = "decision-refused"
	// HoldPaused: an operator paused the rollout.
	HoldPaused HoldCause = "paused"
	// HoldGateUnanswered: the gate could not be evaluated.
	HoldGateUnanswered HoldCause = "gate-unanswered"
	// HoldStepDeadline: the step took too long, and its plan says to hold.
	HoldStepDeadline HoldCause = "step-deadline"
)

// Hold says why a rollout is held.
type Hold struct {
	Cause  HoldCause `json:"cause,omitempty"`
	Reason string    `json:"reason,omitempty"`
	Since  time.Time `json:"since,omitzero"`
}

// End says how a rollout ended and why.
type End struct {
	Outcome Outcome   `json:"outcome,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	At      time.Time `json:"at,omitzero"`
	// Returns counts the attempts to give the weight back.
	Returns int `json:"returns,omitempty"`
	// Closed is set when the last effects have been performed.
	Closed bool `json:"closed,omitempty"`
}

// WaitsFor says who or what the rollout waits for, in words, and until when at
// the latest; until is zero where only a person can end the wait.
func (s State) WaitsFor() (who string, until time.Time) {
	switch s.Name {
	case StateAwaitingDecision:
		who = "the gate's verdict on " + string(s.Point)
	case StateAwaitingApproval:
		who = "an approval of " + string(s.Point)
	case StateAwaitingHook:
		who = "the hook " + string(s.Point)
	case StatePlanning, StateDeciding:
		who = "strategy " + s.Strategy
	case StateStarting:
		who = fmt.Sprintf("generation %d to be ready", s.To.Number)
	case StateShifting, StateReturning:
		who = "weights to be applied"
	case StateBaking:
		who = "the " + string(s.soonest().Kind)
	case StateHeld:
		who = s.holder()
	}
	return who, s.Wait.At
}

// holder names who can end a hold.
func (s State) holder() string {
	if s.Wait.Kind == TimerRetry {
		return "strategy " + s.Strategy
	}
	if s.Hold.Cause == HoldStrategy {
		for _, w := range s.Decision.Waits {
			switch w.Kind {
			case pluginapi.WaitApproval:
				return "an approval"
			case pluginapi.WaitPermit:
				return "a permit"
			}
		}
	}
	return "an operator"
}

// soonest is the timed wait that ends first.
func (s State) soonest() pluginapi.Wait {
	var first pluginapi.Wait
	for _, w := range s.Decision.Waits {
		if w.Kind.Timed() && (first.Kind == "" || w.Until.Before(first.Until)) {
			first = w
		}
	}
	return first
}

// DecodeState reads a State from its JSON form. It refuses versions that it
// doesn't know.
func DecodeState(data []byte) (State, error) {
	var s State
	if err := json.Unmarshal(data, &s); err != nil {
		return State{}, fmt.Errorf("cannot read rollout state: %w", err)
	}
	if s.Version != StateVersion {
		return State{}, fmt.Errorf("cannot read rollout state: version %d is not %d", s.Version, StateVersion)
	}
	return s, nil
}
