package pluginapi

import "time"

// Snapshot is the whole of what a strategy may know when it decides.
type Snapshot struct {
	// Revision numbers the rollout's snapshots, rising; the decision echoes
	// it, and the host drops a decision for any but the latest.
	Revision uint64 `json:"revision"`
	// Now is the only clock.
	Now time.Time `json:"now"`
	// Request is what was planned for.
	Request PlanRequest `json:"request"`
	// Plan is the frozen plan.
	Plan Plan `json:"plan"`
	// Step is the id of the step the rollout is in, since StepSince.
	Step      string    `json:"step"`
	StepSince time.Time `json:"step_since"`
	// Promoted is the id of the step that an operator told the rollout to go
	// on to, empty if none did. It stays until a decision has reached it.
	Promoted string `json:"promoted,omitempty"`
	// Ended lists which of the last decision's waits have ended: evidence that
	// is in, an approval or a permit that was given.
	Ended []WaitEnd `json:"ended,omitempty"`
	// Generations has the old generation first, where there is one, and the
	// candidate last.
	Generations []GenerationSnapshot `json:"generations"`
	// State is what the last accepted decision carried, written with
	// StateVersion; empty at first.
	State        []byte `json:"state,omitempty"`
	StateVersion int    `json:"state_version,omitempty"`
}

// Generation returns the generation with that number, and whether it is there.
func (s Snapshot) Generation(number uint64) (GenerationSnapshot, bool) {
	for _, g := range s.Generations {
		if g.Number == number {
			return g, true
		}
	}
	return GenerationSnapshot{}, false
}

// GenerationSnapshot is one generation as it is.
type GenerationSnapshot struct {
	Number uint64 `json:"number"`
	// Instances is how many instances it should have, Ready how many of them
	// are ready.
	Instances int `json:"instances"`
	Ready     int `json:"ready"`
	// Phase is empty while a candidate has not been started.
	Phase Phase `json:"phase,omitempty"`
	// Desired is the weight that was last decided, Applied the one in force.
	Desired Weight `json:"desired"`
	Applied Weight `json:"applied"`
	// Since is when its phase or its applied weight last changed; zero if
	// neither has during the rollout.
	Since time.Time `json:"since,omitzero"`
}

// WaitEnd tells how a wait ended.
type WaitEnd struct {
	Kind WaitKind `json:"kind"`
	// OK is false when the answer was no.
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
}
