package rollout_test

import (
	"strings"
	"testing"
	"time"

	. "github.com/zdhost/zdhost/host/rollout"
	"github.com/zdhost/zdhost/pluginapi"
)

// TestDecisionRefused spoils good decisions; each is refused, the rollout is
// held with the reason, and an abort still ends it.
func TestDecisionRefused(t *testing.T) {
	type spoil = func(*pluginapi.Decision)
	old := func(change func(*pluginapi.GenerationTarget)) spoil {
		return func(d *pluginapi.Decision) { change(&d.Generations[0]) }
	}
	to := func(change func(*pluginapi.GenerationTarget)) spoil {
		return func(d *pluginapi.Decision) { change(&d.Generations[1]) }
	}
	for _, c := range []struct {
		step  string
		spoil spoil
		want  string
	}{
		{"start", func(d *pluginapi.Decision) { d.Step = "fly" }, `the plan has no step "fly"`},
		{"bake", func(d *pluginapi.Decision) { d.Step = "start" }, `step "start" lies before step`},
		{"start", func(d *pluginapi.Decision) { d.State = make([]byte, pluginapi.MaxState+1) }, "its state has 65537 bytes"},
		{"start", func(d *pluginapi.Decision) { d.Generations = d.Generations[:1] }, "it doesn't name generation 13"},
		{"start", func(d *pluginapi.Decision) { d.Generations = d.Generations[1:] }, "it doesn't name generation 12"},
		{"start", func(d *pluginapi.Decision) { d.Generations = append(d.Generations, d.Generations[0]) }, "it names generation 12 twice"},
		{"start", to(func(g *pluginapi.GenerationTarget) { g.Number = 14 }), "generation 14 is not part of the rollout"},
		{"start", to(func(g *pluginapi.GenerationTarget) { g.Instances = 3 }), "allows 2"},
		{"start", to(func(g *pluginapi.GenerationTarget) { g.Phase = pluginapi.PhaseWarm }), "a candidate is in standby or serving"},
		{"start", func(d *pluginapi.Decision) { d.Generations[0].Weight, d.Generations[1].Weight = 9999, 1 }, `step "start" allows 0 %`},
		{"shift", to(func(g *pluginapi.GenerationTarget) { g.Phase = pluginapi.PhaseStandby }), "would get 100 % in standby"},
		{"shift", to(func(g *pluginapi.GenerationTarget) { g.Instances = 1 }), "would shrink from 2 to 1"},
		{"start", to(func(g *pluginapi.GenerationTarget) { g.Phase, g.Instances = pluginapi.PhaseServing, 0 }), "would serve with no instances"},
		{"shift", old(func(g *pluginapi.GenerationTarget) { g.Weight = 1 }), "its weights sum to 100.01 %"},
		{"shift", old(func(g *pluginapi.GenerationTarget) { g.Weight = pluginapi.NoWeight }), "generation 12 can't have weight -1"},
		{"shift", old(func(g *pluginapi.GenerationTarget) { g.Weight = -5 }), "generation 12 can't have weight -5"},
		{"shift", old(func(g *pluginapi.GenerationTarget) { g.Instances = 1 }), "generation 12 would have 1 instances, not 2, before the commit"},
		{"shift", old(func(g *pluginapi.GenerationTarget) { g.Phase = pluginapi.PhaseGone }), `generation 12 would be "gone" before the commit`},
		{"commit", old(func(g *pluginapi.GenerationTarget) { g.Phase = pluginapi.PhaseServing }), "after the commit, not warm or gone"},
		{"bake", func(d *pluginapi.Decision) { d.Waits[0].Until = epoch }, "until a time that has passed"},
		{"bake", func(d *pluginapi.Decision) { d.Waits[0].Until = time.Time{} }, "until a time that has passed"},
		{"bake", func(d *pluginapi.Decision) { d.Waits[0].Kind = "rain" }, `it waits for "rain"`},
		{"bake", func(d *pluginapi.Decision) { d.Waits = nil }, "it changes nothing and waits for nothing"},
		{"start", func(d *pluginapi.Decision) { d.Verdict = "maybe" }, `verdict "maybe" is unknown`},
		{"start", func(d *pluginapi.Decision) {
			d.Verdict = pluginapi.DecisionCommit
			d.Generations[0].Phase = pluginapi.PhaseWarm
		}, "doesn't serve every new connection"},
	} {
		d := newDriver(t)
		good := d.strategy
		d.strategy = strategyFunc{next: func(s pluginapi.Snapshot) (pluginapi.Decision, error) {
			decision, err := good.Next(s)
			if decision.Step == c.step {
				c.spoil(&decision)
			}
			return decision, err
		}}
		d.send(upgrade())
		d.run()
		if d.s.Name != StateHeld || d.s.Hold.Cause != HoldDecisionRefused || !strings.Contains(d.s.Hold.Reason, c.want) {
			t.Errorf("at step %s, want %q: %s %s %q", c.step, c.want, d.s.Name, d.s.Hold.Cause, d.s.Hold.Reason)
			continue
		}
		d.send(OperatorAborted{Actor: alice})
		d.run()
		if d.s.Name != StateAborted {
			t.Errorf("refused at %s, then aborted: %s", c.step, d.s.Name)
		}
	}
}

func TestPlanRefused(t *testing.T) {
	for want, spoil := range map[string]func(*pluginapi.Plan){
		"it has 0 steps":                    func(p *pluginapi.Plan) { p.Steps = nil },
		"it has 300 steps":                  func(p *pluginapi.Plan) { p.Steps = make([]pluginapi.Step, 300) },
		"warm for -1s":                      func(p *pluginapi.Plan) { p.Warm = -time.Second },
		"it has no id":                      func(p *pluginapi.Plan) { p.Steps[0].ID = "" },
		`two steps are called "start"`:      func(p *pluginapi.Plan) { p.Steps[1].ID = "start" },
		"weight 10001 is not possible":      func(p *pluginapi.Plan) { p.Steps[1].Weight = 10001 },
		"weight -1 is not possible":         func(p *pluginapi.Plan) { p.Steps[1].Weight = pluginapi.NoWeight },
		"it allows -1 instances":            func(p *pluginapi.Plan) { p.Steps[1].Instances = -1 },
		"its deadline is -1s":               func(p *pluginapi.Plan) { p.Steps[1].Deadline = -time.Second },
		`unknown deadline action "panic"`:   func(p *pluginapi.Plan) { p.Steps[1].OnDeadline = "panic" },
		"its last step allows 50 %":         func(p *pluginapi.Plan) { p.Steps[len(p.Steps)-1].Weight = 5000 },
		"its last step allows no instances": func(p *pluginapi.Plan) { p.Steps[len(p.Steps)-1].Instances = 0 },
	} {
		d := newDriver(t)
		d.send(upgrade())
		d.untilState(StatePlanning)
		plan, err := d.strategy.Plan(d.s.Request)
		if err != nil {
			t.Fatal(err)
		}
		spoil(&plan)
		d.send(Planned{Attempt: d.s.Attempt, Plan: plan})
		if d.s.Name != StateFailed || !strings.Contains(d.s.End.Reason, want) {
			t.Errorf("want %q: %s %q", want, d.s.Name, d.s.End.Reason)
		}
	}
}

// TestClocksStandStill: the deadline of the rollout doesn't run while a person
// or a time is waited for.
func TestClocksStandStill(t *testing.T) {
	d := newDriver(t)
	r := withSettings(upgrade(), `{"weight": 50, "bake": "10s"}`)
	r.Deadlines.Rollout = 20 * time.Second
	d.send(r)
	d.run()
	d.now = d.now.Add(48 * time.Hour)
	d.send(OperatorPromoted{Actor: alice})
	d.untilState(StateBaking)
	if left := d.s.Limits.Rollout.Timer.At.Sub(d.now); left < 19*time.Second || left > 20*time.Second {
		t.Errorf("%s are left after a long hold", left)
	}
	d.now = d.s.Limits.Rollout.Timer.At
	d.send(TimerFired{Kind: TimerRollout, Attempt: d.s.Limits.Rollout.Timer.Attempt})
	if d.s.Name != StateReturning || !strings.Contains(d.s.End.Reason, "longer than 20s") {
		t.Errorf("late, and %s %q", d.s.Name, d.s.End.Reason)
	}
}

// TestRollbackBeforeDisk: the first effect of a rollback to a warm generation
// is the weight, and nothing before it needs the disk.
func TestRollbackBeforeDisk(t *testing.T) {
	d := newDriver(t)
	effects := d.send(rollback())
	weights, ok := effects[0].(ApplyWeights)
	if !ok || weights.Weights[12] != pluginapi.FullWeight || weights.Weights[13] != 0 || weights.Durable() {
		t.Errorf("a rollback begins with\n%s", effectsText(effects))
	}
}
