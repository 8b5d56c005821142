package pluginapi

import (
	"encoding/json"
	"time"
)

// RolloutKind says why there is a rollout.
type RolloutKind string

const (
	// KindUpgrade goes to another release.
	KindUpgrade RolloutKind = "upgrade"
	// KindReload goes to another revision of the configuration.
	KindReload RolloutKind = "reload"
	// KindRestart goes to new instances of the same release and revision.
	KindRestart RolloutKind = "restart"
	// KindRollback goes back to something that was admitted before.
	KindRollback RolloutKind = "rollback"
	// KindStart is a service's first start: there is nothing to go from.
	KindStart RolloutKind = "start"
)

// GenerationRef names a generation and what it runs.
type GenerationRef struct {
	// Number is the generation's number; 0 means that there is none.
	Number uint64 `json:"number"`
	// Release is the digest of the release, "sha256:…".
	Release string `json:"release"`
	// Revision is the number of the configuration's revision.
	Revision uint64 `json:"revision"`
}

// PlanRequest is what is known about a rollout before it begins. It doesn't
// change while the rollout lives.
type PlanRequest struct {
	// Rollout is the rollout's id.
	Rollout string `json:"rollout"`
	// Service is the service's name.
	Service string `json:"service"`
	// Kind says why there is a rollout.
	Kind RolloutKind `json:"kind"`
	// From is the generation that serves now; its number is 0 when none does.
	From GenerationRef `json:"from"`
	// To is the candidate.
	To GenerationRef `json:"to"`
	// Instances is the number of instances that the service is configured for.
	Instances int `json:"instances"`
	// Weighted says whether new connections can be divided by weight. If not,
	// every weight in plan and decisions is NoWeight.
	Weighted bool `json:"weighted"`
	// Settings is the strategy's settings, a JSON object; empty for none.
	Settings json.RawMessage `json:"settings,omitempty"`
}

// MaxSteps is the largest number of steps in a plan.
const MaxSteps = 256

// Plan is the steps of a rollout, in order, at most MaxSteps.
type Plan struct {
	// Steps has at least one step. The last one allows the candidate
	// everything: FullWeight where there are weights.
	Steps []Step `json:"steps"`
	// Warm is how long the old generation is kept ready to come back after
	// the commit; 0 means not at all.
	Warm time.Duration `json:"warm"`
}

// Index is the position of the step named id, or -1.
func (p Plan) Index(id string) int {
	for i, s := range p.Steps {
		if s.ID == id {
			return i
		}
	}
	return -1
}

// Step is one planned change. It bounds the decisions that name it.
type Step struct {
	// ID names the step; it is unique in its plan.
	ID string `json:"id"`
	// Summary is what happens in it, for people.
	Summary string `json:"summary"`
	// Weight is the most that the candidate may get in this step.
	Weight Weight `json:"weight"`
	// Instances is the most that the candidate may have in this step.
	Instances int `json:"instances"`
	// Deadline is how long the step may take; 0 means that only the host's
	// own deadlines bind. It stands still while the rollout waits for a person
	// or until a time.
	Deadline time.Duration `json:"deadline"`
	// OnDeadline is what the host does when the deadline has come; empty means
	// DeadlineReturn.
	OnDeadline DeadlineAction `json:"on_deadline,omitempty"`
}

// DeadlineAction is what the host does when a step takes too long.
type DeadlineAction string

const (
	// DeadlineReturn rolls back.
	DeadlineReturn DeadlineAction = "return"
	// DeadlineHold holds and waits for an operator.
	DeadlineHold DeadlineAction = "hold"
)
