package rollout

import "slices"

// arrow is where a fact may lead.
type arrow struct {
	fact FactName
	to   []StateName
}

// row is what can happen in a state. A fact without an arrow is unexpected; of
// two arrows for one fact the later holds.
type row struct {
	state  StateName
	arrows []arrow
}

// Where a rollout goes that ends early: returning where weight must be given
// back first, else straight to its end. begins, shifts and bakes are what is
// left of fails for the states planning, shifting and baking.
var (
	begins = []StateName{StateFailed}
	shifts = []StateName{StateReturning, StateFailed}
	bakes  = []StateName{StateReturning, StateRolledBack}
	fails  = []StateName{StateReturning, StateRolledBack, StateFailed}
	aborts = []StateName{StateReturning, StateAborted}
	denies = []StateName{StateReturning, StateDenied}
)

// table is the table of legal transitions.
var table = []row{
	{StateNew, []arrow{
		{FactRequested, in(StateAwaitingDecision, StateStarting, StateShifting, StateCommitted)},
	}},
	{StateAwaitingDecision, append(
		always(StateAwaitingDecision, StateHeld, fails, aborts),
		arrow{FactGateAnswered, in(StateAwaitingHook, StateAwaitingApproval, StateHeld, StateDeciding).or(denies)},
		arrow{FactGateFailed, in(StateHeld, StateDeciding, StateDenied)},
		arrow{FactTimerFired, in(StateHeld, StateDeciding, StateDenied).or(fails)},
	)},
	{StateAwaitingApproval, append(
		always(StateAwaitingApproval, StateHeld, fails, aborts),
		arrow{FactGateAnswered, in(StateAwaitingHook, StateAwaitingApproval, StateHeld, StateDeciding).or(denies)},
		arrow{FactGateFailed, in(StateHeld, StateDeciding, StateDenied)},
		arrow{FactTimerFired, denies},
	)},
	{StateAwaitingHook, append(
		always(StateAwaitingHook, StateAwaitingHook, fails, aborts),
		arrow{FactHookEnded, in(StatePlanning, StateAwaitingDecision, StateDeciding, StateStarting, StateShifting, StateHeld, StateCommitted).or(fails)},
		arrow{FactTimerFired, in(StateHeld).or(fails)},
		arrow{FactOperatorResumed, in(StateAwaitingHook)},
	)},
	{StatePlanning, append(
		always(StatePlanning, StateHeld, begins, in(StateAborted)),
		arrow{FactPlanned, in(StateAwaitingDecision, StateFailed)},
		arrow{FactStrategyFailed, begins},
		arrow{FactTimerFired, begins},
	)},
	{StateDeciding, append(
		always(StateDeciding, StateHeld, fails, aborts),
		arrow{FactDecided, in(StateAwaitingDecision, StateStarting, StateShifting, StateDeciding, StateBaking, StateHeld).or(fails)},
		arrow{FactStrategyFailed, in(StateHeld)},
		arrow{FactTimerFired, in(StateHeld).or(fails)},
	)},
	{StateStarting, append(
		always(StateStarting, StateStarting, fails, aborts),
		arrow{FactCandidateReady, in(StateStarting, StateAwaitingDecision, StateShifting, StateHeld, StateCommitted)},
		arrow{FactStartExtended, in(StateStarting)},
		arrow{FactTimerFired, in(StateHeld).or(fails)},
		arrow{FactOperatorResumed, in(StateStarting)},
	)},
	{StateShifting, append(
		always(StateShifting, StateShifting, shifts, aborts),
		arrow{FactWeightApplied, in(StateDeciding, StateAwaitingDecision, StateHeld, StateCommitted)},
		arrow{FactWeightFailed, shifts},
		arrow{FactTimerFired, in(StateHeld).or(shifts)},
		arrow{FactOperatorResumed, in(StateShifting)},
	)},
	{StateBaking, append(
		always(StateBaking, StateHeld, bakes, aborts),
		arrow{FactTimerFired, in(StateDeciding, StateHeld).or(bakes)},
		arrow{FactWaitEnded, in(StateDeciding)},
		arrow{FactOperatorPromoted, in(StateAwaitingDecision)},
	)},
	{StateHeld, append(
		always(StateHeld, StateHeld, fails, aborts),
		arrow{FactTimerFired, in(StateDeciding).or(fails)},
		arrow{FactWaitEnded, in(StateDeciding)},
		arrow{FactOperatorResumed, in(StateDeciding, StateAwaitingDecision, StateStarting, StateShifting, StateCommitted)},
		arrow{FactOperatorPromoted, in(StateAwaitingDecision, StateStarting, StateShifting, StateCommitted)},
	)},
	{StateReturning, []arrow{
		{FactWeightApplied, in(StateRolledBack, StateAborted, StateDenied, StateFailed)},
		{FactWeightFailed, in(StateReturning, StateFailed)},
		{FactTimerFired, in(StateReturning, StateFailed)},
		{FactCandidateReady, in(StateReturning)},
		{FactCandidateFailed, in(StateReturning)},
		{FactGuardTripped, in(StateReturning)},
		{FactOperatorAborted, in(StateReturning)},
		{FactSuperseded, in(StateReturning)},
		{FactHostRestarted, in(StateReturning)},
	}},
	{StateCommitted, ended(StateCommitted)},
	{StateRolledBack, ended(StateRolledBack)},
	{StateAborted, ended(StateAborted)},
	{StateDenied, ended(StateDenied)},
	{StateFailed, ended(StateFailed)},
}

// names is a set of states.
type names []StateName

func in(states ...StateName) names { return states }

func (n names) or(more []StateName) []StateName { return append(slices.Clone(n), more...) }

// always is what can happen in every state before the end: a rollout can always
// be aborted, superseded and stopped by a guard.
func always(self, paused StateName, fails, aborts []StateName) []arrow {
	return []arrow{
		{FactCandidateReady, in(self)},
		{FactCandidateFailed, fails},
		{FactGuardTripped, fails},
		{FactOperatorPaused, in(paused)},
		{FactOperatorAborted, aborts},
		{FactSuperseded, aborts},
		{FactHostRestarted, in(self)},
	}
}

// ended is what can happen after the end.
func ended(self StateName) []arrow {
	return []arrow{{FactHostRestarted, in(self)}, {FactClosed, in(self)}}
}

// States are all states, in the order of the table.
func States() []StateName {
	states := make([]StateName, len(table))
	for i, r := range table {
		states[i] = r.state
	}
	return states
}

// Targets are the states that a fact may lead to; none means that the fact is
// unexpected in that state.
func Targets(state StateName, fact FactName) []StateName {
	for _, r := range table {
		if r.state != state {
			continue
		}
		for _, a := range slices.Backward(r.arrows) {
			if a.fact == fact {
				return slices.Clone(a.to)
			}
		}
	}
	return nil
}

// Legal reports whether the fact may happen in that state.
func Legal(state StateName, fact FactName) bool { return len(Targets(state, fact)) > 0 }
