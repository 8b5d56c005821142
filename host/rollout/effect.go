package rollout

import (
	"strconv"
	"time"

	"github.com/zdhost/zdhost/pluginapi"
)

// Effect is something to do. Its implementations are the structs of this file.
// Performing one twice must be the same as performing it once.
type Effect interface {
	// EffectKey identifies the effect among those of its kind.
	EffectKey() Key
	// Durable reports whether the effect can't be taken back, so that the
	// event that led to it must be on disk before it is performed.
	Durable() bool
}

// Key identifies an effect: two effects of one kind, for one generation, with
// one key are the same effect.
type Key struct {
	Rollout string
	Step    string
	Attempt int
}

// EffectKey implements Effect.
func (k Key) EffectKey() Key { return k }

// String is "rollout/step/attempt". Timers, and what comes before there is a
// plan, belong to no step: "-".
func (k Key) String() string {
	step := k.Step
	if step == "" {
		step = "-"
	}
	return k.Rollout + "/" + step + "/" + strconv.Itoa(k.Attempt)
}

// AskGate asks the gate; GateAnswered or GateFailed answers. Weight is what
// the candidate would get, for PointShift.
type AskGate struct {
	Key
	Point  Point
	Weight pluginapi.Weight
}

// TellGate records at the gate what needs no permission. Nothing answers.
type TellGate struct {
	Key
	Point  Point
	Reason string
}

// RunHook runs what is hooked to the point; HookEnded answers. For
// PointRollback nothing waits for the answer. Where nothing is hooked, nothing
// needs to be on disk before the answer.
type RunHook struct {
	Key
	Point Point
}

// AskPlan asks the strategy for the plan; Planned or StrategyFailed answers.
type AskPlan struct {
	Key
	Strategy string
	Request  pluginapi.PlanRequest
}

// AskNext asks the strategy for a decision; Decided or StrategyFailed answers.
type AskNext struct {
	Key
	Strategy string
	Snapshot pluginapi.Snapshot
}

// StartGeneration brings a generation to that many instances. CandidateReady
// or CandidateFailed answers.
type StartGeneration struct {
	Key
	Generation uint64
	Instances  int
}

// ApplyWeights sets the weights of the generations named, which sum to
// FullWeight; every other generation of the service has 0. WeightApplied or
// WeightFailed answers.
type ApplyWeights struct {
	Key
	Weights map[uint64]pluginapi.Weight
}

// SetPhase tells what a generation is there for. Nothing answers.
type SetPhase struct {
	Key
	Generation uint64
	Phase      pluginapi.Phase
}

// ArmTimer asks for TimerFired{Kind, Key.Attempt} at At, at once if At has
// passed. A timer of the same kind that is still armed is replaced.
type ArmTimer struct {
	Key
	Kind TimerKind
	At   time.Time
}

// CancelTimer takes an ArmTimer with the same key and kind back, if it has not
// fired.
type CancelTimer struct {
	Key
	Kind TimerKind
}

// Commit makes the candidate the generation of the service.
type Commit struct {
	Key
	From, To uint64
}

// Abandon ends a candidate: its queue is served by others, its instances drain
// and end, and it is removed. It is given after its weight is gone.
type Abandon struct {
	Key
	Generation uint64
	Reason     string
}

// Finish ends the rollout. Closed answers, once this effect and those before
// it are performed.
type Finish struct {
	Key
	Outcome Outcome
	Reason  string
	LogTail []string
	// WarmFor is how long the old generation is to stay warm, after a commit.
	WarmFor time.Duration
}

func (AskGate) Durable() bool         { return false }
func (TellGate) Durable() bool        { return false }
func (RunHook) Durable() bool         { return true }
func (AskPlan) Durable() bool         { return false }
func (AskNext) Durable() bool         { return false }
func (StartGeneration) Durable() bool { return false }
func (ApplyWeights) Durable() bool    { return false }
func (ArmTimer) Durable() bool        { return false }
func (CancelTimer) Durable() bool     { return false }
func (Commit) Durable() bool          { return true }
func (Abandon) Durable() bool         { return true }
func (Finish) Durable() bool          { return false }

// Durable is true where the phase ends the generation.
func (e SetPhase) Durable() bool { return e.Phase == pluginapi.PhaseGone }
