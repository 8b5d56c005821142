// Package pluginapi is the contract between zdhost and its plugins: value
// types and small interfaces, with nothing but the standard library beneath
// them. A bundled plugin and a stranger's plugin see exactly this.
//
// It owns the meaning of what crosses the boundary: a configuration as a tree
// of positions (ConfigFormat), and a rollout as plans, snapshots and decisions
// (Strategy). It owns no transport, no process and no policy.
//
// It refuses to hand out power. A plugin of these kinds never touches a socket
// or a process: it is given values and answers with values, and the host
// checks every answer against what it allowed before it acts on it.
//
// Failure modes: a plugin that fails, hangs or answers nonsense delays a
// change; it never takes down what serves. Aborts, deadlines and guards live
// in the host and need no plugin.
//
// # Glossary
//
//   - service: a named thing that is kept up.
//   - release: an immutable artifact.
//   - revision: a normalised, content-addressed configuration.
//   - generation: one (release, revision) of a service with its instances and
//     lanes; numbered, and a number is never used again.
//   - instance: one process of a generation.
//   - listener: an address that the host holds.
//   - lane: one accept queue of a listener.
//   - weight: a generation's share of new connections.
//   - drain: no new work, wait, deadline.
//   - rollout: one attempt to go from one (release, revision) to another.
//   - candidate: the generation that a rollout goes to.
//   - strategy: a pure planner of rollouts.
//   - plan: a rollout's steps.
//   - step: one planned change, and an upper bound for the decisions taken in it.
//   - bake: wait and watch.
//   - snapshot: state in memory.
//   - checkpoint: a task's or a rollout's state made durable.
//   - gate: the question to policy.
//   - verdict: its answer.
//   - decision: what a strategy answers.
package pluginapi
