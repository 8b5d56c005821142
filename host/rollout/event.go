package rollout

import (
	"encoding/json"
	"time"

	"github.com/zdhost/zdhost/pluginapi"
)

// Event is something that happened, and when. Only the wall clock of At counts.
type Event struct {
	At   time.Time
	Fact Fact
}

// Fact is what happened. Its implementations are the structs of this file.
type Fact interface {
	// Name is the fact's name in records and in the table of transitions.
	Name() FactName
}

// FactName names a kind of fact.
type FactName string

const (
	FactRequested        FactName = "requested"
	FactGateAnswered     FactName = "gate-answered"
	FactGateFailed       FactName = "gate-failed"
	FactHookEnded        FactName = "hook-ended"
	FactPlanned          FactName = "planned"
	FactDecided          FactName = "decided"
	FactStrategyFailed   FactName = "strategy-failed"
	FactCandidateReady   FactName = "candidate-ready"
	FactCandidateFailed  FactName = "candidate-failed"
	FactStartExtended    FactName = "start-extended"
	FactGuardTripped     FactName = "guard-tripped"
	FactWeightApplied    FactName = "weight-applied"
	FactWeightFailed     FactName = "weight-failed"
	FactWaitEnded        FactName = "wait-ended"
	FactTimerFired       FactName = "timer-fired"
	FactOperatorPaused   FactName = "operator-paused"
	FactOperatorResumed  FactName = "operator-resumed"
	FactOperatorPromoted FactName = "operator-promoted"
	FactOperatorAborted  FactName = "operator-aborted"
	FactSuperseded       FactName = "superseded"
	FactHostRestarted    FactName = "host-restarted"
	FactClosed           FactName = "closed"
)

// Requested begins a rollout.
type Requested struct {
	ID      string                `json:"id"`
	Trace   string                `json:"trace"`
	Service string                `json:"service"`
	Kind    pluginapi.RolloutKind `json:"kind"`
	// From serves now, with From.Instances instances; its number is 0 when
	// none does. To is the candidate. For KindRollback To may be warm: then
	// To.Phase is pluginapi.PhaseWarm, with its Instances and Ready.
	From     Generation      `json:"from"`
	To       Generation      `json:"to"`
	Strategy string          `json:"strategy"`
	Settings json.RawMessage `json:"settings,omitempty"`
	// Instances is what the service is configured for, at least 1.
	Instances int `json:"instances"`
	// Weighted says whether new connections can be divided by weight.
	Weighted bool `json:"weighted"`
	// WarmFor is how long the old generation stays warm after a rollout that
	// the host plans itself; a strategy's plan has its own.
	WarmFor   time.Duration `json:"warm_for"`
	Actor     Actor         `json:"actor"`
	Reason    string        `json:"reason,omitempty"`
	Deadlines Deadlines     `json:"deadlines"`
}

// GateAnswered is the answer to AskGate or, after VerdictPending, its sequel.
type GateAnswered struct {
	Attempt int     `json:"attempt"`
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason,omitempty"`
}

// GateFailed says that the gate could not be evaluated.
type GateFailed struct {
	Attempt int    `json:"attempt"`
	Reason  string `json:"reason"`
}

// HookEnded is the answer to RunHook; where there is no hook, it is OK.
type HookEnded struct {
	Attempt int    `json:"attempt"`
	OK      bool   `json:"ok"`
	Detail  string `json:"detail,omitempty"`
}

// Planned is the answer to AskPlan.
type Planned struct {
	Attempt int            `json:"attempt"`
	Plan    pluginapi.Plan `json:"plan"`
}

// Decided is the answer to AskNext; its attempt is the decision's revision.
type Decided struct {
	Decision pluginapi.Decision `json:"decision"`
}

// StrategyFailed says that AskPlan or AskNext got no answer. Retry says
// whether asking again can help.
type StrategyFailed struct {
	Attempt int    `json:"attempt"`
	Reason  string `json:"reason"`
	Retry   bool   `json:"retry"`
}

// CandidateReady says how many instances of the candidate are ready now.
type CandidateReady struct {
	Generation uint64 `json:"generation"`
	Ready      int    `json:"ready"`
}

// CandidateFailed says that the candidate can't be started.
type CandidateFailed struct {
	Generation uint64   `json:"generation"`
	Reason     string   `json:"reason"`
	LogTail    []string `json:"log_tail,omitempty"`
}

// StartExtended says that the candidate asked for more time to get ready.
type StartExtended struct {
	Generation uint64    `json:"generation"`
	Until      time.Time `json:"until"`
}

// GuardTripped says that a hard guard of a generation tripped: it exited, or
// lost its readiness.
type GuardTripped struct {
	Generation uint64   `json:"generation"`
	Reason     string   `json:"reason"`
	LogTail    []string `json:"log_tail,omitempty"`
}

// WeightApplied says that the weights of ApplyWeights are in force.
type WeightApplied struct {
	Attempt int `json:"attempt"`
}

// WeightFailed says that the weights of ApplyWeights could not be set.
type WeightFailed struct {
	Attempt int    `json:"attempt"`
	Reason  string `json:"reason"`
}

// WaitEnded says that something a decision waits for has come: evidence, an
// approval, a permit.
type WaitEnded struct {
	pluginapi.WaitEnd
}

// TimerFired says that the time of ArmTimer has come. LogTail is the
// candidate's, for TimerReady.
type TimerFired struct {
	Kind    TimerKind `json:"kind"`
	Attempt int       `json:"attempt"`
	LogTail []string  `json:"log_tail,omitempty"`
}

// OperatorPaused stops forward moves until OperatorResumed. What has begun ends.
type OperatorPaused struct {
	Actor  Actor  `json:"actor"`
	Reason string `json:"reason,omitempty"`
}

// OperatorResumed ends a pause, or makes a held rollout try again.
type OperatorResumed struct {
	Actor  Actor  `json:"actor"`
	Reason string `json:"reason,omitempty"`
}

// OperatorPromoted ends a hold or a bake. To is the step to go on to; empty
// means the next one.
type OperatorPromoted struct {
	Actor  Actor  `json:"actor"`
	To     string `json:"to,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// OperatorAborted ends the rollout, back to the old generation.
type OperatorAborted struct {
	Actor  Actor  `json:"actor"`
	Reason string `json:"reason,omitempty"`
}

// Superseded ends the rollout in favour of another.
type Superseded struct {
	By    string `json:"by"`
	Actor Actor  `json:"actor"`
}

// HostRestarted says that effects may have been lost.
type HostRestarted struct{}

// Closed says that the effects of the rollout's end have been performed.
type Closed struct{}
