package bluegreen

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/zdhost/zdhost/pluginapi"
)

// The steps of a plan. StepHold is there when the weight setting is below 100.
const (
	StepStart  = "start"
	StepShift  = "shift"
	StepHold   = "hold"
	StepBake   = "bake"
	StepCommit = "commit"
)

// slack is what the step "bake" may take beyond the bake itself.
const slack = time.Minute

// Strategy implements pluginapi.Strategy. The zero value is ready to use.
type Strategy struct{}

var _ pluginapi.Strategy = Strategy{}

// Describe implements pluginapi.Strategy.
func (Strategy) Describe() pluginapi.Description {
	return pluginapi.Description{
		Name:           "bluegreen",
		Version:        "1.0.0",
		Summary:        "Starts the new generation beside the old one, shifts to it at once, watches, commits.",
		Needs:          pluginapi.NeedOverlap,
		SettingsSchema: json.RawMessage(schema),
	}
}

// Validate implements pluginapi.Strategy.
func (Strategy) Validate(settings json.RawMessage) []pluginapi.SettingProblem {
	_, problems := parseSettings(settings)
	return problems
}

// Plan implements pluginapi.Strategy.
func (Strategy) Plan(r pluginapi.PlanRequest) (pluginapi.Plan, error) {
	set, err := settingsFor(r)
	if err != nil {
		return pluginapi.Plan{}, err
	}
	none, held, full := pluginapi.Weight(0), set.Weight, pluginapi.FullWeight
	if !r.Weighted {
		none, held, full = pluginapi.NoWeight, pluginapi.NoWeight, pluginapi.NoWeight
	}
	step := func(id, summary string, w pluginapi.Weight) pluginapi.Step {
		return pluginapi.Step{ID: id, Summary: summary, Weight: w, Instances: set.Instances}
	}
	steps := []pluginapi.Step{
		step(StepStart, "start "+plural(set.Instances, "instance")+" beside the old generation", none),
		step(StepShift, "shift "+share(held)+" to the new generation", held),
	}
	if set.holds() {
		steps = append(steps, step(StepHold, "hold until an operator promotes", held))
	}
	bake := step(StepBake, fmt.Sprintf("serve %s and watch for %s", share(full), set.Bake), full)
	bake.Deadline = set.Bake + slack
	steps = append(steps, bake,
		step(StepCommit, fmt.Sprintf("commit; the old generation stays warm for %s", set.Warm), full))
	return pluginapi.Plan{Steps: steps, Warm: set.Warm}, nil
}

// Next implements pluginapi.Strategy.
func (Strategy) Next(s pluginapi.Snapshot) (pluginapi.Decision, error) {
	set, err := settingsFor(s.Request)
	if err != nil {
		return pluginapi.Decision{}, err
	}
	candidate, ok := s.Generation(s.Request.To.Number)
	if !ok {
		return pluginapi.Decision{}, fmt.Errorf("cannot decide: the snapshot lacks generation %d", s.Request.To.Number)
	}
	v := view{Snapshot: s, settings: set, candidate: candidate}
	switch {
	case v.at(StepStart) && !v.started():
		return v.decide(StepStart, pluginapi.PhaseStandby, 0, pluginapi.DecisionProgress, "starting the new generation"), nil
	case set.holds() && !v.reached(StepBake):
		return v.part(), nil
	case !v.serves(pluginapi.FullWeight):
		step := StepShift
		if set.holds() {
			step = StepBake
		}
		return v.decide(step, pluginapi.PhaseServing, pluginapi.FullWeight, pluginapi.DecisionProgress, "shifting to the new generation"), nil
	case v.Now.Before(v.bakedAt()) && !v.reached(StepCommit):
		d := v.decide(StepBake, pluginapi.PhaseServing, pluginapi.FullWeight, pluginapi.DecisionProgress, "baking for "+set.Bake.String())
		d.Waits = []pluginapi.Wait{{Kind: pluginapi.WaitBake, Until: v.bakedAt()}}
		return d, nil
	default:
		return v.decide(StepCommit, pluginapi.PhaseServing, pluginapi.FullWeight, pluginapi.DecisionCommit, "the new generation has baked"), nil
	}
}

// MigrateState implements pluginapi.Strategy: there is no state to migrate.
func (Strategy) MigrateState(from int, state []byte) ([]byte, error) {
	if from != 0 || len(state) != 0 {
		return nil, fmt.Errorf("cannot migrate state of version %d: bluegreen keeps no state", from)
	}
	return nil, nil
}

// settingsFor parses the settings of a rollout and fills in what depends on it.
func settingsFor(r pluginapi.PlanRequest) (settings, error) {
	set, problems := parseSettings(r.Settings)
	if len(problems) > 0 {
		return settings{}, fmt.Errorf("cannot use settings: %s", problems[0])
	}
	if set.Instances == 0 {
		set.Instances = max(r.Instances, 1)
	}
	if !r.Weighted && set.holds() {
		return settings{}, fmt.Errorf("cannot hold at %s: service %q has no listener that can be weighted", set.Weight, r.Service)
	}
	return set, nil
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// share names a weight in a step's summary.
func share(w pluginapi.Weight) string {
	if w == pluginapi.NoWeight {
		return "all new work"
	}
	return w.String() + " of new connections"
}
