// Package host is the brain of zdhost: it composes the keeper's sockets and
// processes, listeners, instances, releases, rollouts, the gate and the journal.
//
// One goroutine, that of [Host.Run], owns all state. Whoever has something to
// say (the keeper, an instance, a timer, the control API) hands it a function;
// it never waits for any of them. What is decided about a rollout is package
// rollout's: this package writes each event to the journal, folds it, and
// performs the effects in their order. An effect that can't be taken back waits
// until the journal is on disk; a weight never does.
//
// A file is a noun: a port is an address and its lanes, a generation one release
// with its instances, leaving the end of one, rolling a rollout under way,
// memory the fold over the journal.
//
// It may be killed at any moment. The next host finds sockets, processes and
// output with the keeper, what they are for in the journal (recover.go), and the
// configuration as it was accepted in the state directory (accepted.go).
//
// What fails how:
//   - the journal takes nothing: what runs goes on, the way back too; changes are
//     refused with the reason. What a full disk refused is written later, in
//     order; an event that is missing all the same marks its rollout only.
//   - the keeper is gone: the host ends. The keeper starts hosts, not the reverse.
//   - a candidate fails: the rollout returns, and its last lines are kept.
//   - an instance ends unasked: its queue stays; a replacement is started on the
//     same lane, or a sweeper where its generation is leaving.
package host
