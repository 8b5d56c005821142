// Package rollout is the state machine of one rollout of one service, from the
// request to its end. It is pure: Step takes a State and an Event and answers
// with the next State and the Effects to perform. There is no goroutine, clock,
// I/O or logger in it; time and identifiers arrive in events.
//
// It owns the order of things (plan, gate, hook, start, shift, bake, commit,
// return), every deadline and the action it leads to, and the limits that a
// strategy's decisions must keep. The legal transitions are one table, in table.go,
// from which docs/reference/rollout-states.md is generated.
//
// It refuses decisions beyond the plan, weight for a candidate that is not
// ready, and forward moves that the gate has not allowed. Until the commit the
// old generation keeps its instances, so that returning is one change of
// weight; a strategy can't ask for anything else.
//
// How the caller drives it: record the event, fold it with Step, perform the
// effects in their order. An effect whose Durable is true can't be taken back:
// the event must be on disk before it is performed; the others needn't wait.
// Effects are idempotent and carry a Key. After a crash fold the recorded
// events again and step HostRestarted: what was not yet answered comes again,
// with the same keys, except that strategies are asked anew. Answers carry the
// attempt of their question; an answer to an older one is dropped, and so is
// the firing of a timer that has been replaced.
//
// A rollout of kind rollback, and a first start, are planned and decided by the
// host itself and need no strategy. A rollback is not asked of the gate, only
// told: its first step already gives the weight back to a generation that is
// still warm.
//
// Failure modes: a strategy that fails is asked again a few times, then the
// rollout is held; one that answers nonsense is held at once. A gate that
// doesn't answer counts as a no before there is a candidate, and as a hold
// after. Whatever ends a rollout early gives the weight back first and abandons
// the candidate second.
//
// What happens to the old generation after the commit (warm, then gone, and
// the gate point window-closed) is not the rollout's: Finish says for how long.
package rollout
