package policy

import "context"

// Gate answers whether a change may happen.
type Gate interface {
	Ask(context.Context, Input) (Verdict, error)
}

// Input is what a gate is asked about.
type Input struct {
	Action  string // upgrade, restart, rollback, reload, start
	Point   string // of the rollout: plan, admit, start, …
	Service string
	Rollout string
	From    string // release digests; From is empty at a first start
	To      string
	Weight  float64 // percent that the candidate would get, at the point shift
	Actor   Actor
	Reason  string // the operator's
}

// Actor is who asks for the change.
type Actor struct {
	UID  uint32
	Name string
}

// Answer is the word of a verdict. The zero value is no answer.
type Answer string

const (
	Allow   Answer = "allow"
	Deny    Answer = "deny"
	Pending Answer = "pending" // someone has to approve
)

// Verdict is a gate's answer with its reason.
type Verdict struct {
	Answer Answer
	Reason string
}

// Open is the gate of a host without policies.
type Open struct{}

// Ask allows.
func (Open) Ask(context.Context, Input) (Verdict, error) {
	return Verdict{Answer: Allow, Reason: "no policy is configured"}, nil
}
