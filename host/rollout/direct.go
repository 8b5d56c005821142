package rollout

import (
	"time"

	"github.com/zdhost/zdhost/pluginapi"
)

// The steps of the host's own plan, for first starts and rollbacks: no strategy
// is needed for what must always work.
const (
	directStart  = "start"
	directShift  = "shift"
	directCommit = "commit"
)

// directPlan is the host's own plan: start what isn't warm, shift, commit.
func directPlan(r pluginapi.PlanRequest, to Generation, warm time.Duration) pluginapi.Plan {
	none, full := pluginapi.Weight(0), pluginapi.FullWeight
	if !r.Weighted {
		none, full = pluginapi.NoWeight, pluginapi.NoWeight
	}
	n := max(r.Instances, to.Instances)
	steps := []pluginapi.Step{
		{ID: directStart, Summary: "start the generation", Weight: none, Instances: n},
		{ID: directShift, Summary: "shift every new connection to it", Weight: full, Instances: n},
		{ID: directCommit, Summary: "commit", Weight: full, Instances: n},
	}
	if to.Phase == pluginapi.PhaseWarm {
		steps = steps[1:]
	}
	return pluginapi.Plan{Steps: steps, Warm: warm}
}

// directNext decides for the host's own plan.
func directNext(s pluginapi.Snapshot) pluginapi.Decision {
	to, _ := s.Generation(s.Request.To.Number)
	d := pluginapi.Decision{Revision: s.Revision, Verdict: pluginapi.DecisionProgress}
	target := pluginapi.GenerationTarget{
		Number: to.Number, Instances: to.Instances, Weight: to.Applied, Phase: pluginapi.PhaseServing,
	}
	oldPhase := pluginapi.PhaseServing
	switch {
	case to.Phase == "":
		d.Step, d.Reason = directStart, "starting the generation"
		target.Instances, target.Phase = s.Plan.Steps[0].Instances, pluginapi.PhaseStandby
	case to.Phase != pluginapi.PhaseServing || s.Request.Weighted && to.Applied != pluginapi.FullWeight:
		d.Step, d.Reason = directShift, "shifting every new connection"
	default:
		d.Step, d.Reason, d.Verdict = directCommit, "every new connection is shifted", pluginapi.DecisionCommit
		oldPhase = pluginapi.PhaseWarm
	}
	if target.Phase == pluginapi.PhaseServing && s.Request.Weighted {
		target.Weight = pluginapi.FullWeight
	}
	if old, ok := s.Generation(s.Request.From.Number); ok {
		rest := pluginapi.FullWeight - target.Weight
		if !s.Request.Weighted {
			rest = pluginapi.NoWeight
		}
		d.Generations = append(d.Generations, pluginapi.GenerationTarget{
			Number: old.Number, Instances: old.Instances, Weight: rest, Phase: oldPhase,
		})
	}
	d.Generations = append(d.Generations, target)
	return d
}
