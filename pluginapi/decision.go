package pluginapi

import "time"

// MaxState is the largest Decision.State, in bytes.
const MaxState = 64 << 10

// Decision is a strategy's answer to a snapshot: the whole desired state.
//
// The host brings about what differs from what is, in this order: instances,
// then phase and weight; it asks again after each. Only when nothing differs
// does it look at the waits and the verdict. A decision that differs in
// nothing, waits for nothing and neither holds, commits nor aborts is refused.
type Decision struct {
	// Revision is the snapshot's.
	Revision uint64 `json:"revision"`
	// Step is the id of a step of the plan: the current one or a later one.
	Step string `json:"step"`
	// Generations names every generation of the snapshot exactly once. The old
	// one keeps its instances and serves until the commit, so that coming back
	// is one change of weight.
	Generations []GenerationTarget `json:"generations"`
	// Waits is what is waited for; the host asks again when one of them ends.
	Waits []Wait `json:"waits,omitempty"`
	// Verdict says where the rollout stands.
	Verdict DecisionVerdict `json:"verdict"`
	// Reason is for people; one line.
	Reason string `json:"reason"`
	// State comes back in the next snapshot, at most MaxState bytes, written
	// with StateVersion.
	State        []byte `json:"state,omitempty"`
	StateVersion int    `json:"state_version,omitempty"`
}

// Target returns the target of the generation with that number, and whether it
// is there.
func (d Decision) Target(number uint64) (GenerationTarget, bool) {
	for _, g := range d.Generations {
		if g.Number == number {
			return g, true
		}
	}
	return GenerationTarget{}, false
}

// GenerationTarget is how one generation should be.
type GenerationTarget struct {
	Number    uint64 `json:"number"`
	Instances int    `json:"instances"`
	// Weight is its share of new connections. The weights of a decision sum to
	// FullWeight, or are all NoWeight; only a candidate with nothing to go from
	// may stand alone with 0.
	Weight Weight `json:"weight"`
	Phase  Phase  `json:"phase"`
}

// Phase is what a generation is there for.
type Phase string

const (
	// PhaseStandby: its instances run and get no work.
	PhaseStandby Phase = "standby"
	// PhaseServing: it may get work.
	PhaseServing Phase = "serving"
	// PhaseQuiesced: it gets no new work and ends what it has.
	PhaseQuiesced Phase = "quiesced"
	// PhaseWarm: it gets no work and is kept ready to come back.
	PhaseWarm Phase = "warm"
	// PhaseGone: it is drained, and its instances end.
	PhaseGone Phase = "gone"
)

// DecisionVerdict says where a rollout stands.
type DecisionVerdict string

const (
	// DecisionProgress: it goes on.
	DecisionProgress DecisionVerdict = "progress"
	// DecisionHold: it goes on when an operator says so.
	DecisionHold DecisionVerdict = "hold"
	// DecisionCommit: the candidate takes over for good. It must serve all
	// new connections; the old generation's phase is warm or gone.
	DecisionCommit DecisionVerdict = "commit"
	// DecisionAbort: back to the old generation.
	DecisionAbort DecisionVerdict = "abort"
)

// Wait is one thing that a rollout waits for.
type Wait struct {
	Kind WaitKind `json:"kind"`
	// Until is required for WaitTime, WaitBake and WaitEvidence, and lies
	// after the snapshot's Now: the strategy is asked again then at the latest.
	Until time.Time `json:"until,omitzero"`
}

// WaitKind says what a wait is for.
type WaitKind string

const (
	// WaitTime: until a time, such as the opening of a maintenance window. The
	// deadlines of step and rollout stand still.
	WaitTime WaitKind = "time"
	// WaitBake: until a time, while the guards and the evidence watch.
	WaitBake WaitKind = "bake"
	// WaitEvidence: until there is enough evidence.
	WaitEvidence WaitKind = "evidence"
	// WaitOperator: until an operator promotes.
	WaitOperator WaitKind = "operator"
	// WaitApproval: until someone approves.
	WaitApproval WaitKind = "approval"
	// WaitPermit: until a fleet grants a permit.
	WaitPermit WaitKind = "permit"
)

// Timed reports whether waits of this kind end at a time at the latest.
func (k WaitKind) Timed() bool {
	return k == WaitTime || k == WaitBake || k == WaitEvidence
}
