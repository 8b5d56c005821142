package rollout

import (
	"fmt"
	"slices"

	"github.com/zdhost/zdhost/pluginapi"
)

// plan gets a plan: the host's own, or the strategy's.
func (m *machine) plan() {
	if m.s.direct() {
		m.planned(directPlan(m.s.Request, m.s.To, 0))
		return
	}
	m.enter(StatePlanning, TimerStrategy, m.s.Deadlines.Strategy)
	m.askPlan()
}

func (m *machine) askPlan() {
	m.emit(AskPlan{Key: m.key(), Strategy: m.s.Strategy, Request: m.s.Request})
}

// planned freezes the plan, if it is one.
func (m *machine) planned(p pluginapi.Plan) {
	if err := checkPlan(m.s.Request, p); err != nil {
		m.giveUp(m.failure(), fmt.Sprintf("strategy %s: %v", m.s.Strategy, err))
		return
	}
	m.adopt(p)
	m.gate(PointAdmit)
}

// adopt takes the plan as the rollout's own.
func (m *machine) adopt(p pluginapi.Plan) {
	p.Steps = slices.Clone(p.Steps)
	m.s.Plan, m.s.Planned, m.s.WarmFor = p, true, p.Warm
	m.toStep(p.Steps[0])
}

// toStep moves to a step and starts its clock.
func (m *machine) toStep(step pluginapi.Step) {
	if m.s.Plan.Index(m.s.Promoted) <= m.s.Plan.Index(step.ID) {
		m.s.Promoted = ""
	}
	if m.s.Step == step.ID {
		return
	}
	m.s.Step, m.s.StepSince = step.ID, m.at
	m.s.Limits.Step = limitOf(step.Deadline)
}

// checkPlan says what is wrong with a plan.
func checkPlan(r pluginapi.PlanRequest, p pluginapi.Plan) error {
	if len(p.Steps) == 0 || len(p.Steps) > pluginapi.MaxSteps {
		return fmt.Errorf("cannot use plan: it has %d steps, not 1 to %d", len(p.Steps), pluginapi.MaxSteps)
	}
	if p.Warm < 0 {
		return fmt.Errorf("cannot use plan: it keeps the old generation warm for %s", p.Warm)
	}
	for i, step := range p.Steps {
		if err := checkStep(r, step); err != nil {
			return fmt.Errorf("cannot use plan: step %d %q: %w", i+1, step.ID, err)
		}
		if p.Index(step.ID) != i {
			return fmt.Errorf("cannot use plan: two steps are called %q", step.ID)
		}
	}
	last := p.Steps[len(p.Steps)-1]
	if r.Weighted && last.Weight != pluginapi.FullWeight {
		return fmt.Errorf("cannot use plan: its last step allows %s, not %s", last.Weight, pluginapi.FullWeight)
	}
	if last.Instances < 1 {
		return fmt.Errorf("cannot use plan: its last step allows no instances")
	}
	return nil
}

func checkStep(r pluginapi.PlanRequest, step pluginapi.Step) error {
	switch {
	case step.ID == "":
		return fmt.Errorf("it has no id")
	case !step.Weight.Valid() || (step.Weight == pluginapi.NoWeight) == r.Weighted:
		return fmt.Errorf("weight %d is not possible here", int(step.Weight))
	case step.Instances < 0:
		return fmt.Errorf("it allows %d instances", step.Instances)
	case step.Deadline < 0:
		return fmt.Errorf("its deadline is %s", step.Deadline)
	}
	switch step.OnDeadline {
	case "", pluginapi.DeadlineReturn, pluginapi.DeadlineHold:
		return nil
	}
	return fmt.Errorf("unknown deadline action %q", step.OnDeadline)
}
