package rollout_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	. "github.com/zdhost/zdhost/host/rollout"
	"github.com/zdhost/zdhost/pluginapi"
	"github.com/zdhost/zdhost/plugins/strategies/bluegreen"
)

// walk is a random life of a rollout, watched by the properties.
type walk struct {
	t *rapid.T
	d *driver
	// allowed is the weight that the gate has allowed and that is not used yet.
	allowed pluginapi.Weight
	// given is the weight last asked for, ready whether the candidate is whole,
	// dead whether it died.
	given   pluginapi.Weight
	ready   bool
	dead    bool
	lastKey string
	// calm is how many answers are good before anything may happen.
	calm int
}

// TestRandomWalks checks at every event of random rollouts that what must never
// happen doesn't.
func TestRandomWalks(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := newDriver(rt)
		w := &walk{t: rt, d: d}
		r := rapid.SampledFrom(requests()).Draw(rt, "request")
		settings := rapid.SampledFrom([]string{"", `{"weight": 30}`, `{"bake": 0}`, `{"instances": 3, "warm": 0}`}).Draw(rt, "settings")
		if r.Weighted {
			r = withSettings(r, settings)
		}
		d.strategy = erratic{w: w}
		w.step(r)
		w.calm = rapid.IntRange(0, 30).Draw(rt, "calm")
		for range w.calm + rapid.IntRange(1, 60).Draw(rt, "length") {
			if f := w.next(); f != nil {
				w.step(f)
			}
			if d.s.End.Closed {
				return
			}
		}
		w.abortEnds()
	})
}

// happenings are what a walk draws from; the frequent ones stand there often.
var happenings = slices.Concat(
	slices.Repeat([]string{"answer"}, 24), slices.Repeat([]string{"timer", "operator"}, 4),
	slices.Repeat([]string{"restart", "ready", "anything"}, 2), []string{"guard", "end"},
)

// next draws something that may happen now.
func (w *walk) next() Fact {
	d := w.d
	if w.calm--; w.calm >= 0 && len(d.open) > 0 {
		return w.answer(d.open[0])
	}
	switch rapid.SampledFrom(happenings).Draw(w.t, "happening") {
	case "answer":
		if len(d.open) > 0 {
			return w.answer(rapid.SampledFrom(d.open).Draw(w.t, "answered"))
		}
		fallthrough
	case "timer":
		if len(d.timers) == 0 {
			return nil
		}
		timer := rapid.SampledFrom(d.timers).Draw(w.t, "timer")
		if timer.At.After(d.now) {
			d.now = timer.At
		}
		return TimerFired{Kind: timer.Kind, Attempt: timer.Key.Attempt, LogTail: []string{"last line"}}
	case "operator":
		return rapid.SampledFrom([]Fact{
			OperatorPaused{Actor: alice}, OperatorResumed{}, OperatorResumed{}, OperatorPromoted{}, OperatorPromoted{To: "commit"},
		}).Draw(w.t, "operator")
	case "restart":
		return HostRestarted{}
	case "ready":
		return CandidateReady{Generation: d.s.To.Number, Ready: rapid.IntRange(0, 3).Draw(w.t, "ready")}
	case "guard":
		return GuardTripped{Generation: d.s.To.Number, Reason: "exited", LogTail: []string{"boom"}}
	case "end":
		return rapid.SampledFrom([]Fact{OperatorAborted{}, Superseded{By: "r2"}, Closed{}}).Draw(w.t, "end")
	}
	return rapid.SampledFrom(facts(d.s)).Draw(w.t, "anything")
}

// answer draws an answer to an open question: mostly the good one.
func (w *walk) answer(e Effect) Fact {
	attempt := e.EffectKey().Attempt
	good := w.calm >= 0 || rapid.IntRange(0, 9).Draw(w.t, "luck") < 9
	switch e := e.(type) {
	case AskGate:
		if !good {
			return rapid.SampledFrom([]Fact{
				GateAnswered{Attempt: attempt, Verdict: VerdictDeny}, GateAnswered{Attempt: attempt, Verdict: VerdictPending}, GateFailed{Attempt: attempt},
			}).Draw(w.t, "gate")
		}
	case RunHook:
		return HookEnded{Attempt: attempt, OK: good}
	case StartGeneration:
		if good {
			return CandidateReady{Generation: e.Generation, Ready: e.Instances}
		}
		return CandidateFailed{Generation: e.Generation, Reason: "no such file"}
	case ApplyWeights:
		if !good {
			return WeightFailed{Attempt: attempt, Reason: "EPERM"}
		}
	}
	return w.d.reply(e)
}

// step takes a fact and checks every property.
func (w *walk) step(f Fact) {
	d, before := w.d, w.d.s
	name := before.Name
	if name == "" {
		name = StateNew
	}
	w.replays(f)
	wasText := encode(w.t, before)
	effects, err := d.try(f)
	if encode(w.t, before) != wasText {
		w.t.Fatalf("%s in %s changed the state it was given", f.Name(), name)
	}
	if err != nil {
		var unexpected *UnexpectedError
		if errors.As(err, &unexpected) && Legal(name, f.Name()) {
			w.t.Fatalf("%s in %s: %v", f.Name(), name, err)
		}
		return
	}
	after := d.s
	if a, ok := f.(GateAnswered); ok && a.Verdict == VerdictAllow && after.Name != before.Name && before.Point == PointShift {
		target, _ := before.Decision.Target(before.To.Number)
		w.allowed = target.Weight
	}
	switch f := f.(type) {
	case Requested:
		w.ready = after.To.Phase == pluginapi.PhaseWarm || after.Request.Kind == pluginapi.KindRollback && after.To.Ready > 0
	case CandidateReady:
		if f.Generation == after.To.Number {
			w.ready = after.To.Ready >= after.To.Instances && after.To.Instances > 0
		}
	case CandidateFailed, GuardTripped:
		if !reflect.DeepEqual(before, after) {
			w.dead = true
		}
	}
	for _, e := range effects {
		w.effect(e)
	}
	w.waits()
	if w.dead && !after.Name.Ended() && after.From.Number != 0 && w.given > 0 {
		w.t.Fatalf("a dead candidate keeps %s in state %s", w.given, after.Name)
	}
	if after.Name.Ended() != (len(d.finished) > 0) {
		w.t.Fatalf("state %s with %d Finish", after.Name, len(d.finished))
	}
}

// effect checks one effect against what went before.
func (w *walk) effect(e Effect) {
	s := w.d.s
	switch e := e.(type) {
	case ApplyWeights:
		var sum pluginapi.Weight
		for _, weight := range e.Weights {
			sum += weight
		}
		if sum != pluginapi.FullWeight {
			w.t.Fatalf("weights sum to %s: %v", sum, e.Weights)
		}
		weight := e.Weights[s.To.Number]
		if weight > w.given && e.Key.String() != w.lastKey && s.Request.Kind != pluginapi.KindRollback && weight > w.allowed {
			w.t.Fatalf("weight rises to %s; the gate allowed %s", weight, w.allowed)
		}
		if weight > w.given && (!w.ready || w.dead) {
			w.t.Fatalf("weight rises to %s for a candidate that is not ready", weight)
		}
		if weight > w.given {
			w.allowed = 0
		}
		w.given, w.lastKey = weight, e.Key.String()
	case Abandon:
		if w.given > 0 && s.From.Number != 0 && s.End.Returns < 10 {
			w.t.Fatalf("abandoned with %s of the weight", w.given)
		}
	case Commit:
		if s.Request.Weighted && (w.given != pluginapi.FullWeight || s.To.Applied != pluginapi.FullWeight) {
			w.t.Fatalf("committed with %s given, %s applied", w.given, s.To.Applied)
		}
	}
}

// waits: a rollout that has not ended waits for something with a deadline, or
// for someone with a name.
func (w *walk) waits() {
	s := w.d.s
	if s.Name.Ended() {
		if s.Wait.Armed() || s.Limits.Rollout.Timer.Armed() || s.Limits.Step.Timer.Armed() || len(w.d.timers) > 0 {
			w.t.Fatalf("%s with a timer", s.Name)
		}
		return
	}
	checkWait(w.t, s)
	armed := false
	for _, timer := range w.d.timers {
		armed = armed || timer.Kind == s.Wait.Kind && timer.Key.Attempt == s.Wait.Attempt && timer.At.Equal(s.Wait.At)
	}
	if s.Wait.Armed() != armed {
		w.t.Fatalf("%s: the state's timer is %+v, armed are %+v", s.Name, s.Wait, w.d.timers)
	}
}

// replays: a state and an event that went through their recorded form lead to
// the same state and the same effects.
func (w *walk) replays(f Fact) {
	s, e := w.d.s, Event{At: w.d.now, Fact: f}
	stored := s
	if s.Name != "" {
		var err error
		if stored, err = DecodeState([]byte(encode(w.t, s))); err != nil {
			w.t.Fatal(err)
		}
	}
	var recorded Event
	if err := json.Unmarshal([]byte(encode(w.t, e)), &recorded); err != nil {
		w.t.Fatal(err)
	}
	live, liveEffects, liveErr := Step(s, e)
	again, againEffects, againErr := Step(stored, recorded)
	if encode(w.t, live) != encode(w.t, again) || encode(w.t, liveEffects) != encode(w.t, againEffects) || (liveErr == nil) != (againErr == nil) {
		w.t.Fatalf("%s in %s differs after a crash:\n%s\n%s", f.Name(), s.Name, encode(w.t, live), encode(w.t, again))
	}
}

// abortEnds: from anywhere an abort is taken, and leads to an end however the
// weights behave and with no strategy and no gate.
func (w *walk) abortEnds() {
	if w.d.s.Name.Ended() {
		return
	}
	fails := rapid.Bool().Draw(w.t, "weights fail")
	w.step(OperatorAborted{Actor: alice})
	for n := 0; !w.d.s.Name.Ended(); n++ {
		s := w.d.s
		switch {
		case s.Name != StateReturning || n > 100:
			w.t.Fatalf("aborted, and %s", s.Name)
		case s.Wait.Kind == TimerRetry || fails && n%2 == 0:
			w.d.now = s.Wait.At
			w.step(TimerFired{Kind: s.Wait.Kind, Attempt: s.Wait.Attempt})
		case fails:
			w.step(WeightFailed{Attempt: s.Attempt, Reason: "EPERM"})
		default:
			w.step(WeightApplied{Attempt: s.Attempt})
		}
	}
}

// erratic is bluegreen on a bad day: now and then it answers anything.
type erratic struct {
	bluegreen.Strategy
	w *walk
}

func (e erratic) Next(s pluginapi.Snapshot) (pluginapi.Decision, error) {
	t := e.w.t
	if e.w.calm >= 0 || rapid.IntRange(0, 4).Draw(t, "mood") < 4 {
		return e.Strategy.Next(s)
	}
	d := pluginapi.Decision{Revision: s.Revision, Step: rapid.SampledFrom([]string{s.Step, "shift", "bake", "commit", "x"}).Draw(t, "step")}
	d.Verdict = rapid.SampledFrom([]pluginapi.DecisionVerdict{"progress", "hold", "commit", "abort"}).Draw(t, "verdict")
	rest := pluginapi.FullWeight
	for i, g := range s.Generations {
		weight := pluginapi.Weight(rapid.SampledFrom([]int{-1, 0, 100, 3000, 10000}).Draw(t, "weight"))
		if i == len(s.Generations)-1 && rapid.Bool().Draw(t, "sums") {
			weight = rest
		}
		rest -= weight
		d.Generations = append(d.Generations, pluginapi.GenerationTarget{
			Number: g.Number, Instances: rapid.IntRange(g.Instances, 3).Draw(t, "instances"), Weight: weight,
			Phase: rapid.SampledFrom([]pluginapi.Phase{"standby", "serving", "serving", "warm", "gone"}).Draw(t, "phase"),
		})
	}
	if rapid.Bool().Draw(t, "waits") {
		kind := rapid.SampledFrom([]pluginapi.WaitKind{"time", "bake", "evidence", "approval", "x"}).Draw(t, "wait")
		d.Waits = []pluginapi.Wait{{Kind: kind, Until: s.Now.Add(time.Duration(rapid.IntRange(-1, 60).Draw(t, "until")) * time.Second)}}
	}
	return d, nil
}

// TestCrashAnywhere loses the host, every question and every timer at each event
// of each rollout in turn; the end is the same.
func TestCrashAnywhere(t *testing.T) {
	for _, r := range requests() {
		for _, settings := range []string{"", `{"bake": 0, "warm": 0}`} {
			r := withSettings(r, settings)
			whole := newDriver(t)
			whole.send(r)
			whole.run()
			for n := 1; n <= len(whole.events); n++ {
				d := newDriver(t)
				d.send(r)
				d.until(func(State) bool { return len(d.events) >= n })
				stored, err := DecodeState([]byte(encode(t, d.s)))
				if err != nil {
					t.Fatal(err)
				}
				ended := stored.Name.Ended()
				d.s, d.finished = stored, nil
				effects := d.send(HostRestarted{})
				if ended && len(effects) == 0 {
					t.Errorf("a crash after event %d of a %s loses the last effects", n, r.Kind)
				}
				d.run()
				if d.s.Name != whole.s.Name || len(d.finished) != 1 || !reflect.DeepEqual(d.asked, whole.asked) {
					t.Errorf("a crash after event %d of a %s: %s, %d Finish, weights %v", n, r.Kind, d.s.Name, len(d.finished), d.asked)
				}
			}
		}
	}
}
