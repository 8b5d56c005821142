package rollout

import (
	"fmt"
	"io"
	"strings"
)

// stateDocs says for each state what it is and what its deadline leads to.
var stateDocs = []struct {
	name             StateName
	meaning, onLimit string
}{
	{StateNew, "nothing has been requested", "none"},
	{StateAwaitingDecision, "the gate has been asked", "`gate`, then denied before there is a candidate, held after"},
	{StateAwaitingApproval, "the gate wants an approval", "`approval`, then denied"},
	{StateAwaitingHook, "a hook runs; where there is none it ends at once", "`hook`, then as if it had failed: back"},
	{StatePlanning, "the strategy plans", "`strategy`, then failed: nothing has begun"},
	{StateDeciding, "the strategy decides what is next", "`strategy`, then asked again after a pause, later held"},
	{StateStarting, "instances of the candidate start", "`ready`, then back, with the last lines of log"},
	{StateShifting, "weights are being applied", "`weights`, then back"},
	{StateBaking, "until a time, while guards and evidence watch", "`wait`, the time itself, then the strategy decides"},
	{StateHeld, "an operator, an approval or a permit is needed; or a pause before a retry", "`hold`, if one is set, then back; `retry`, then the strategy decides"},
	{StateReturning, "the old generation gets the weight back", "`weights` or `retry`, then again, up to 10 times"},
	{StateCommitted, "the candidate is the service's generation", "end"},
	{StateRolledBack, "the candidate failed; the old generation serves", "end"},
	{StateAborted, "an operator or a newer rollout ended it; the old generation serves", "end"},
	{StateDenied, "policy said no; the old generation serves", "end"},
	{StateFailed, "it could not begin, or there was nothing to go back to", "end"},
}

// deadlineDocs says what each deadline is where none is given.
var deadlineDocs = []struct{ name, standard string }{
	{"gate", DefaultDeadlines().Gate.String()},
	{"approval", DefaultDeadlines().Approval.String()},
	{"hook", DefaultDeadlines().Hook.String()},
	{"strategy", DefaultDeadlines().Strategy.String()},
	{"ready", DefaultDeadlines().Ready.String()},
	{"weights", DefaultDeadlines().Weights.String()},
	{"hold", "none: an operator ends it"},
	{"rollout", "none"},
	{"step", "what the plan says"},
}

// WriteReference writes the reference page of states and transitions, in
// Markdown.
func WriteReference(w io.Writer) error {
	var b strings.Builder
	b.WriteString(`# Rollout states

<!-- Generated from host/rollout; do not edit. -->

A rollout is one attempt to go from one (release, revision) of a service to another. It is always in one of these states.
"Back" means: the old generation gets all of the weight, then the candidate is abandoned. Until the commit the old
generation keeps its instances, so going back is one change of weight.

## States

| state | what happens | deadline, and then |
|---|---|---|
`)
	for _, d := range stateDocs {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", d.name, d.meaning, d.onLimit)
	}
	b.WriteString(`
## Deadlines

The deadlines of step and rollout lead back too, unless the step's plan says hold. They stand still while the rollout
waits for a person or until a time.

| deadline | default |
|---|---|
`)
	for _, d := range deadlineDocs {
		fmt.Fprintf(&b, "| `%s` | %s |\n", d.name, d.standard)
	}
	b.WriteString(`
## Gate and hook points

The gate is asked at each point, then its hook runs; at ` + "`rollback`" + ` the gate is told, not asked, and nothing waits for the hook.
`)
	for _, p := range Points() {
		fmt.Fprintf(&b, "\n* `%s`", p)
	}
	b.WriteString(`

## Transitions

What is not listed is refused in that state. Answers to older questions, replaced timers, and reports about other
generations or after the end, are dropped.
`)
	for _, state := range States() {
		fmt.Fprintf(&b, "\n### %s\n\n| event | leads to |\n|---|---|\n", state)
		for _, fact := range Facts() {
			if to := Targets(state, fact); len(to) > 0 {
				fmt.Fprintf(&b, "| `%s` | %s |\n", fact, stateList(to))
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func stateList(states []StateName) string {
	var parts []string
	for _, s := range states {
		parts = append(parts, "`"+string(s)+"`")
	}
	return strings.Join(parts, ", ")
}
