package pluginapi

import "encoding/json"

// Strategy decides how a service goes from one generation to another. It is a
// pure planner: the host asks, the strategy answers with values, and the host
// acts. Every method must be deterministic: the same argument gives the same
// answer, in this process or in the next. A strategy keeps nothing between
// calls but what it puts into Decision.State, reads no clock (time comes in the
// snapshot), and may be killed at any moment.
type Strategy interface {
	// Describe tells what the strategy is and needs.
	Describe() Description

	// Validate finds what is wrong with settings, all of it at once. Settings
	// are a JSON object, or empty for none. No problems means that Plan and
	// Next will not fail because of them.
	Validate(settings json.RawMessage) []SettingProblem

	// Plan lists the steps of one rollout. It is asked once; the plan is
	// frozen then, shown to operators and policy, and bounds every decision.
	Plan(PlanRequest) (Plan, error)

	// Next says what should be now. It is asked again whenever something that
	// it waited for, or asked for, has happened. The answer is the whole
	// desired state, never an increment, and stays inside the step it names.
	Next(Snapshot) (Decision, error)

	// MigrateState turns state that was written with StateVersion from into
	// the current version. It fails for versions that it can't read.
	MigrateState(from int, state []byte) ([]byte, error)
}

// Description is what a strategy says about itself.
type Description struct {
	// Name is the word that configuration uses, such as "bluegreen".
	Name string `json:"name"`
	// Version is the semantic version of the strategy.
	Version string `json:"version"`
	// Summary is one sentence for listings.
	Summary string `json:"summary"`
	// Needs is the least that the service must offer.
	Needs Need `json:"needs"`
	// SettingsSchema is a JSON Schema (2020-12) of the settings object.
	SettingsSchema json.RawMessage `json:"settings_schema"`
	// StateVersion is the version of the state that Next writes.
	StateVersion int `json:"state_version"`
}

// Need is what a strategy needs of a service. Each need includes the ones
// before it.
type Need string

const (
	// NeedNothing: it can work where only one generation may run at a time.
	NeedNothing Need = "nothing"
	// NeedOverlap: two generations must be able to run side by side.
	NeedOverlap Need = "overlap"
	// NeedWeights: new connections must be divisible between generations.
	NeedWeights Need = "weights"
)

// SettingProblem is one thing that is wrong with a strategy's settings.
type SettingProblem struct {
	// Setting is the key at fault, empty when the whole object is.
	Setting string `json:"setting"`
	// Message says what is wrong, in the user's words.
	Message string `json:"message"`
	// Hint says what would be right; it may be empty.
	Hint string `json:"hint,omitempty"`
}

// String is the problem on one line, without its hint.
func (p SettingProblem) String() string {
	if p.Setting == "" {
		return p.Message
	}
	return p.Setting + ": " + p.Message
}
