package rollout

import (
	"errors"
	"fmt"

	"github.com/zdhost/zdhost/pluginapi"
)

// checkDecision says how a decision goes beyond what it is allowed.
func (s State) checkDecision(d pluginapi.Decision) error {
	at := s.Plan.Index(d.Step)
	if at < 0 {
		return fmt.Errorf("the plan has no step %q", d.Step)
	}
	if at < s.Plan.Index(s.Step) {
		return fmt.Errorf("step %q lies before step %q", d.Step, s.Step)
	}
	if len(d.State) > pluginapi.MaxState {
		return fmt.Errorf("its state has %d bytes, not at most %d", len(d.State), pluginapi.MaxState)
	}
	for _, check := range []error{
		s.checkGenerations(d),
		s.checkCandidate(d, s.Plan.Steps[at]),
		s.checkOld(d),
		s.checkWeights(d),
		s.checkWaits(d),
		s.checkVerdict(d),
	} {
		if check != nil {
			return check
		}
	}
	return nil
}

// checkGenerations: every generation once, and no other.
func (s State) checkGenerations(d pluginapi.Decision) error {
	for i, g := range d.Generations {
		if g.Number == 0 || (g.Number != s.To.Number && g.Number != s.From.Number) {
			return fmt.Errorf("generation %d is not part of the rollout", g.Number)
		}
		for _, other := range d.Generations[:i] {
			if other.Number == g.Number {
				return fmt.Errorf("it names generation %d twice", g.Number)
			}
		}
	}
	if _, ok := d.Target(s.To.Number); !ok {
		return fmt.Errorf("it doesn't name generation %d", s.To.Number)
	}
	if _, ok := d.Target(s.From.Number); !ok && s.From.Number != 0 {
		return fmt.Errorf("it doesn't name generation %d", s.From.Number)
	}
	return nil
}

// checkCandidate: inside the step, and no smaller than it is.
func (s State) checkCandidate(d pluginapi.Decision, step pluginapi.Step) error {
	to, _ := d.Target(s.To.Number)
	switch {
	case to.Weight > step.Weight:
		return fmt.Errorf("generation %d would get %s, and step %q allows %s", to.Number, to.Weight, step.ID, step.Weight)
	case to.Instances > step.Instances:
		return fmt.Errorf("generation %d would have %d instances, and step %q allows %d", to.Number, to.Instances, step.ID, step.Instances)
	case to.Instances < s.To.Instances:
		return fmt.Errorf("generation %d would shrink from %d to %d instances", to.Number, s.To.Instances, to.Instances)
	case to.Phase != pluginapi.PhaseStandby && to.Phase != pluginapi.PhaseServing:
		return fmt.Errorf("generation %d would be %q; a candidate is in standby or serving", to.Number, to.Phase)
	case to.Phase == pluginapi.PhaseStandby && to.Weight > 0:
		return fmt.Errorf("generation %d would get %s in standby", to.Number, to.Weight)
	case to.Phase == pluginapi.PhaseServing && to.Instances == 0:
		return fmt.Errorf("generation %d would serve with no instances", to.Number)
	}
	return nil
}

// checkOld: the old generation stays as it is until the commit.
func (s State) checkOld(d pluginapi.Decision) error {
	old, ok := d.Target(s.From.Number)
	switch {
	case !ok:
		return nil
	case d.Verdict == pluginapi.DecisionCommit:
		if old.Phase != pluginapi.PhaseWarm && old.Phase != pluginapi.PhaseGone {
			return fmt.Errorf("generation %d would be %q after the commit, not warm or gone", old.Number, old.Phase)
		}
	case old.Phase != pluginapi.PhaseServing:
		return fmt.Errorf("generation %d would be %q before the commit", old.Number, old.Phase)
	case old.Instances != s.From.Instances:
		return fmt.Errorf("generation %d would have %d instances, not %d, before the commit", old.Number, old.Instances, s.From.Instances)
	}
	return nil
}

// checkWeights: valid, and 100 % in sum.
func (s State) checkWeights(d pluginapi.Decision) error {
	var sum pluginapi.Weight
	for _, g := range d.Generations {
		if !g.Weight.Valid() || (g.Weight == pluginapi.NoWeight) == s.Request.Weighted {
			return fmt.Errorf("generation %d can't have weight %d", g.Number, int(g.Weight))
		}
		sum += g.Weight
	}
	alone := s.From.Number == 0
	if s.Request.Weighted && sum != pluginapi.FullWeight && !(alone && sum == 0) {
		return fmt.Errorf("its weights sum to %s", sum)
	}
	return nil
}

func (s State) checkWaits(d pluginapi.Decision) error {
	for _, w := range d.Waits {
		switch w.Kind {
		case pluginapi.WaitTime, pluginapi.WaitBake, pluginapi.WaitEvidence:
			if !w.Until.After(s.AskedAt) {
				return fmt.Errorf("it waits for %s until a time that has passed", w.Kind)
			}
		case pluginapi.WaitOperator, pluginapi.WaitApproval, pluginapi.WaitPermit:
		default:
			return fmt.Errorf("it waits for %q, which is unknown", w.Kind)
		}
	}
	return nil
}

func (s State) checkVerdict(d pluginapi.Decision) error {
	to, _ := d.Target(s.To.Number)
	switch d.Verdict {
	case pluginapi.DecisionProgress, pluginapi.DecisionHold, pluginapi.DecisionAbort:
		return nil
	case pluginapi.DecisionCommit:
		if to.Phase != pluginapi.PhaseServing || s.Request.Weighted && to.Weight != pluginapi.FullWeight {
			return errors.New("it commits a generation that doesn't serve every new connection")
		}
		return nil
	}
	return fmt.Errorf("verdict %q is unknown", d.Verdict)
}
