package bluegreen

import (
	"time"

	"github.com/zdhost/zdhost/pluginapi"
)

// view is a snapshot seen through the settings.
type view struct {
	pluginapi.Snapshot
	settings  settings
	candidate pluginapi.GenerationSnapshot
}

// at reports whether the rollout is in that step.
func (v view) at(step string) bool { return v.Step == step }

// started reports whether all of the candidate's instances are ready.
func (v view) started() bool {
	return v.candidate.Instances >= v.settings.Instances && v.candidate.Ready >= v.settings.Instances
}

// reached reports whether the rollout is in that step or beyond it, or was told
// to go there.
func (v view) reached(step string) bool {
	want := v.Plan.Index(step)
	return v.Plan.Index(v.Step) >= want || v.Plan.Index(v.Promoted) >= want
}

// serves reports whether the candidate serves with that weight.
func (v view) serves(w pluginapi.Weight) bool {
	return v.candidate.Phase == pluginapi.PhaseServing && (!v.Request.Weighted || v.candidate.Applied == w)
}

// bakedAt is when the bake ends.
func (v view) bakedAt() time.Time { return v.candidate.Since.Add(v.settings.Bake) }

// part shifts the part that is held at, then holds.
func (v view) part() pluginapi.Decision {
	w := v.settings.Weight
	if !v.serves(w) && !v.reached(StepHold) {
		return v.decide(StepShift, pluginapi.PhaseServing, w, pluginapi.DecisionProgress, "shifting "+w.String()+" to the new generation")
	}
	d := v.decide(StepHold, pluginapi.PhaseServing, w, pluginapi.DecisionHold, "held at "+w.String()+" until an operator promotes")
	d.Waits = []pluginapi.Wait{{Kind: pluginapi.WaitOperator}}
	return d
}

// decide is the decision that gives the candidate w and the old generation the
// rest, in that step or in the current one, whichever is later.
func (v view) decide(step string, phase pluginapi.Phase, w pluginapi.Weight, verdict pluginapi.DecisionVerdict, reason string) pluginapi.Decision {
	if v.Plan.Index(v.Step) > v.Plan.Index(step) {
		step = v.Step
	}
	rest := pluginapi.FullWeight - w
	if !v.Request.Weighted {
		w, rest = pluginapi.NoWeight, pluginapi.NoWeight
	}
	var targets []pluginapi.GenerationTarget
	if old, ok := v.Generation(v.Request.From.Number); ok && old.Number != v.candidate.Number {
		oldPhase := pluginapi.PhaseServing
		if verdict == pluginapi.DecisionCommit {
			oldPhase = pluginapi.PhaseWarm
			if v.Plan.Warm == 0 {
				oldPhase = pluginapi.PhaseGone
			}
		}
		targets = append(targets, pluginapi.GenerationTarget{Number: old.Number, Instances: old.Instances, Weight: rest, Phase: oldPhase})
	}
	targets = append(targets, pluginapi.GenerationTarget{
		Number: v.candidate.Number, Instances: v.settings.Instances, Weight: w, Phase: phase,
	})
	return pluginapi.Decision{Revision: v.Revision, Step: step, Generations: targets, Verdict: verdict, Reason: reason}
}
