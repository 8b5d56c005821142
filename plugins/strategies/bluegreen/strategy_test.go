package bluegreen

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/zdhost/zdhost/pluginapi"
)

var epoch = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

func request(settings string) pluginapi.PlanRequest {
	return pluginapi.PlanRequest{
		Rollout: "r1", Service: "shop", Kind: pluginapi.KindUpgrade, Instances: 2, Weighted: true,
		From: pluginapi.GenerationRef{Number: 12}, To: pluginapi.GenerationRef{Number: 13},
		Settings: json.RawMessage(settings),
	}
}

func TestPlan(t *testing.T) {
	unweighted := request("")
	unweighted.Weighted = false
	for _, c := range []struct {
		name    string
		request pluginapi.PlanRequest
		steps   string
		weights []pluginapi.Weight
		warm    time.Duration
	}{
		{"defaults", request(""), "start shift bake commit", []pluginapi.Weight{0, 10000, 10000, 10000}, time.Minute},
		{"hold", request(`{"weight": 12.5, "warm": 0}`), "start shift hold bake commit", []pluginapi.Weight{0, 1250, 1250, 10000, 10000}, 0},
		{"no weights", unweighted, "start shift bake commit", []pluginapi.Weight{-1, -1, -1, -1}, time.Minute},
	} {
		plan, err := Strategy{}.Plan(c.request)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		var ids []string
		var weights []pluginapi.Weight
		for _, s := range plan.Steps {
			ids, weights = append(ids, s.ID), append(weights, s.Weight)
		}
		if strings.Join(ids, " ") != c.steps || !reflect.DeepEqual(weights, c.weights) || plan.Warm != c.warm {
			t.Errorf("%s: steps %v, weights %v, warm %s", c.name, ids, weights, plan.Warm)
		}
	}
}

// TestLife plays a whole rollout, doing what each decision says.
func TestLife(t *testing.T) {
	for settings, want := range map[string]string{
		``:                            "start/progress shift/progress bake/progress commit/commit",
		`{"bake": 0}`:                 "start/progress shift/progress commit/commit",
		`{"weight": 50}`:              "start/progress shift/progress hold/hold bake/progress bake/progress commit/commit",
		`{"weight": "50", "bake": 0}`: "start/progress shift/progress hold/hold bake/progress commit/commit",
	} {
		r := request(settings)
		plan, err := Strategy{}.Plan(r)
		if err != nil {
			t.Fatal(err)
		}
		s := pluginapi.Snapshot{
			Now: epoch, Request: r, Plan: plan, Step: "start",
			Generations: []pluginapi.GenerationSnapshot{
				{Number: 12, Instances: 2, Ready: 2, Phase: pluginapi.PhaseServing, Desired: 10000, Applied: 10000}, {Number: 13},
			},
		}
		var steps []string
		for d := (pluginapi.Decision{}); d.Verdict != pluginapi.DecisionCommit && len(steps) < 20; {
			if d, err = (Strategy{}).Next(s); err != nil {
				t.Fatal(err)
			}
			steps = append(steps, d.Step+"/"+string(d.Verdict))
			s = follow(s, d)
		}
		if got := strings.Join(steps, " "); got != want {
			t.Errorf("%s: %s", settings, got)
		}
	}
}

// follow is the snapshot after all that a decision asks for has happened.
func follow(s pluginapi.Snapshot, d pluginapi.Decision) pluginapi.Snapshot {
	s.Revision++
	s.Step, s.Promoted = d.Step, ""
	if d.Verdict == pluginapi.DecisionHold {
		s.Promoted = s.Plan.Steps[s.Plan.Index(d.Step)+1].ID
	}
	for _, w := range d.Waits {
		if w.Kind.Timed() {
			s.Now = w.Until
		}
	}
	generations := make([]pluginapi.GenerationSnapshot, len(s.Generations))
	for i, g := range s.Generations {
		target, _ := d.Target(g.Number)
		if g.Phase != target.Phase || g.Applied != target.Weight {
			g.Since = s.Now
		}
		g.Instances, g.Ready, g.Phase, g.Desired, g.Applied = target.Instances, target.Instances, target.Phase, target.Weight, target.Weight
		generations[i] = g
	}
	s.Generations = generations
	return s
}

// TestConformance asks about thousands of snapshots, sensible and not: the
// answer is always the same for the same snapshot, inside the plan, and whole.
func TestConformance(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		s := randomSnapshot(t, random)
		before, _ := json.Marshal(s)
		d, err := Strategy{}.Next(s)
		again, _ := Strategy{}.Next(s)
		if err != nil {
			t.Fatalf("%s: %v", before, err)
		}
		if !reflect.DeepEqual(d, again) {
			t.Fatalf("two answers to %s:\n%+v\n%+v", before, d, again)
		}
		if after, _ := json.Marshal(s); string(after) != string(before) {
			t.Fatalf("the snapshot was changed: %s", before)
		}
		checkBounds(t, s, d)
	}
}

func randomSnapshot(t *testing.T, random *rand.Rand) pluginapi.Snapshot {
	settings := []string{"", `{"weight": 50}`, `{"bake": 0, "warm": 0}`, `{"instances": 3}`}
	r := request(settings[random.IntN(len(settings))])
	if random.IntN(4) == 0 {
		r.From, r.Kind = pluginapi.GenerationRef{}, pluginapi.KindStart
	}
	if r.Weighted = random.IntN(3) > 0; !r.Weighted {
		r.Settings = nil
	}
	plan, err := Strategy{}.Plan(r)
	if err != nil {
		t.Fatal(err)
	}
	pick := func(n int) int { return random.IntN(n) }
	s := pluginapi.Snapshot{
		Revision: random.Uint64(), Now: epoch.Add(time.Duration(pick(10)) * time.Second), Request: r, Plan: plan,
		Step: plan.Steps[pick(len(plan.Steps))].ID, StepSince: epoch,
	}
	if pick(3) == 0 {
		s.Promoted = plan.Steps[pick(len(plan.Steps))].ID
	}
	phases := []pluginapi.Phase{"", pluginapi.PhaseStandby, pluginapi.PhaseServing, pluginapi.PhaseWarm}
	weight := []pluginapi.Weight{0, 5000, 10000}[pick(3)]
	rest := pluginapi.FullWeight - weight
	if !r.Weighted {
		weight, rest = pluginapi.NoWeight, pluginapi.NoWeight
	}
	if r.From.Number != 0 {
		s.Generations = append(s.Generations, pluginapi.GenerationSnapshot{
			Number: 12, Instances: 2, Ready: pick(3), Phase: pluginapi.PhaseServing, Desired: rest, Applied: rest,
		})
	}
	s.Generations = append(s.Generations, pluginapi.GenerationSnapshot{
		Number: 13, Instances: pick(4), Ready: pick(4), Phase: phases[pick(4)], Desired: weight, Applied: weight, Since: epoch,
	})
	return s
}

func checkBounds(t *testing.T, s pluginapi.Snapshot, d pluginapi.Decision) {
	t.Helper()
	at := s.Plan.Index(d.Step)
	if d.Revision != s.Revision || at < 0 || at < s.Plan.Index(s.Step) || d.Reason == "" || len(d.Generations) != len(s.Generations) {
		t.Fatalf("%+v\nto %+v", d, s)
	}
	step := s.Plan.Steps[at]
	var sum pluginapi.Weight
	for _, g := range d.Generations {
		sum += g.Weight
		if !g.Weight.Valid() || (g.Weight == pluginapi.NoWeight) == s.Request.Weighted {
			t.Fatalf("weight %d\nto %+v", int(g.Weight), s)
		}
	}
	to, _ := d.Target(13)
	if to.Weight > step.Weight || to.Instances > step.Instances {
		t.Fatalf("%+v beyond step %+v", to, step)
	}
	if s.Request.Weighted && sum != pluginapi.FullWeight && s.Request.From.Number != 0 {
		t.Fatalf("weights sum to %s\nto %+v", sum, s)
	}
	for _, w := range d.Waits {
		if w.Kind.Timed() && !w.Until.After(s.Now) {
			t.Fatalf("a wait that has ended: %+v\nto %+v", w, s)
		}
	}
	if d.Verdict == pluginapi.DecisionCommit && (to.Phase != pluginapi.PhaseServing || s.Request.Weighted && to.Weight != pluginapi.FullWeight) {
		t.Fatalf("commits %+v\nto %+v", to, s)
	}
}

func TestDescribe(t *testing.T) {
	d := Strategy{}.Describe()
	var schema struct {
		Properties map[string]any
	}
	if err := json.Unmarshal(d.SettingsSchema, &schema); err != nil {
		t.Fatal(err)
	}
	for _, key := range settingKeys {
		if schema.Properties[key] == nil {
			t.Errorf("the schema lacks %s", key)
		}
	}
	if d.Name != "bluegreen" || len(schema.Properties) != len(settingKeys) || d.Needs != pluginapi.NeedOverlap {
		t.Errorf("%+v", d)
	}
	if _, err := (Strategy{}).MigrateState(3, []byte("x")); err == nil {
		t.Error("state that bluegreen never wrote is migrated")
	}
	if state, err := (Strategy{}).MigrateState(0, nil); err != nil || len(state) != 0 {
		t.Errorf("no state becomes %q, %v", state, err)
	}
}
