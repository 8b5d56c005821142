package rollout

import "fmt"

// UnexpectedError says that an event can't happen in a state. The state is
// unchanged; trying again doesn't help unless the state changes.
type UnexpectedError struct {
	State StateName
	Fact  FactName
}

func (e *UnexpectedError) Error() string {
	return fmt.Sprintf("cannot take event %s: the rollout is %s", e.Fact, e.State)
}

// StepError says that an operator named a step that the rollout can't go on to.
type StepError struct {
	Step   string
	Reason string
}

func (e *StepError) Error() string {
	return fmt.Sprintf("cannot promote to step %q: %s", e.Step, e.Reason)
}

// RequestError says that a Requested can't begin a rollout.
type RequestError struct {
	Reason string
}

func (e *RequestError) Error() string { return "cannot begin rollout: " + e.Reason }
