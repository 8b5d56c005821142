package rollout

// Point is a place in a rollout where the gate is asked and a hook may run.
type Point string

const (
	// PointPlan: before anything is planned.
	PointPlan Point = "plan"
	// PointAdmit: there is a plan; may the rollout begin?
	PointAdmit Point = "admit"
	// PointStart: before instances of the candidate start.
	PointStart Point = "start"
	// PointReady: the candidate is ready.
	PointReady Point = "ready"
	// PointShift: before the candidate's weight rises.
	PointShift Point = "shift"
	// PointPromote: an operator promotes.
	PointPromote Point = "promote"
	// PointCommit: before the candidate takes over for good.
	PointCommit Point = "commit"
	// PointWindowClosed: the old generation stops being warm. It comes after
	// the rollout's end, from whoever owns the life of generations.
	PointWindowClosed Point = "window-closed"
	// PointRollback: the weight goes back. The gate is told, not asked.
	PointRollback Point = "rollback"
)

// Points are all points, in the order in which a rollout passes them.
func Points() []Point {
	return []Point{
		PointPlan, PointAdmit, PointStart, PointReady, PointShift,
		PointPromote, PointCommit, PointWindowClosed, PointRollback,
	}
}

// Verdict is the gate's answer.
type Verdict string

const (
	// VerdictAllow lets the rollout pass.
	VerdictAllow Verdict = "allow"
	// VerdictDeny is a no.
	VerdictDeny Verdict = "deny"
	// VerdictPending asks for an approval; another answer follows.
	VerdictPending Verdict = "pending"
)
