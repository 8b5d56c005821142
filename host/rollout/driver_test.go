package rollout_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	. "github.com/zdhost/zdhost/host/rollout"
	"github.com/zdhost/zdhost/pluginapi"
	"github.com/zdhost/zdhost/plugins/strategies/bluegreen"
)

var epoch = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// tb is what *testing.T and *rapid.T share.
type tb interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// driver plays the host: it performs effects in memory and answers them.
type driver struct {
	t   tb
	now time.Time
	s   State
	log transcript

	// open are the questions that have no answer yet, timers the armed timers.
	open   []Effect
	timers []ArmTimer
	// asked are the weights last asked for, dead is set when the candidate died.
	asked    map[uint64]pluginapi.Weight
	finished []Finish

	strategy pluginapi.Strategy
	// verdicts are the gate's answers where it doesn't allow.
	verdicts map[Point]GateAnswered
	// startTime is how long the candidate takes to be ready; 0 is never.
	startTime time.Duration
	// events are all events that were taken.
	events []Event
}

func newDriver(t tb) *driver {
	return &driver{
		t: t, now: epoch, strategy: bluegreen.Strategy{},
		verdicts: map[Point]GateAnswered{}, startTime: 800 * time.Millisecond,
	}
}

// upgrade is the request of most tests.
func upgrade() Requested {
	return Requested{
		ID: "r1", Trace: "4bf92f3577b34da6a3ce929d0e0e4736", Service: "shop", Kind: pluginapi.KindUpgrade,
		From:     Generation{GenerationRef: pluginapi.GenerationRef{Number: 12, Release: "sha256:old", Revision: 7}, Instances: 2, Ready: 2},
		To:       Generation{GenerationRef: pluginapi.GenerationRef{Number: 13, Release: "sha256:new", Revision: 7}},
		Strategy: "bluegreen", Instances: 2, Weighted: true, WarmFor: time.Minute,
		Actor: Actor{UID: 1000, Name: "alice"},
	}
}

// rollback is a request to return to generation 12, which is still warm.
func rollback() Requested {
	r := upgrade()
	r.Kind = pluginapi.KindRollback
	r.From, r.To = r.To, r.From
	r.From.Instances, r.From.Ready = 2, 2
	r.To.Phase = pluginapi.PhaseWarm
	return r
}

// firstStart is a request with nothing to go from.
func firstStart() Requested {
	r := upgrade()
	r.Kind, r.From = pluginapi.KindStart, Generation{}
	return r
}

func withSettings(r Requested, settings string) Requested {
	r.Settings = json.RawMessage(settings)
	return r
}

// send steps a fact that must be taken.
func (d *driver) send(f Fact) []Effect {
	d.t.Helper()
	effects, err := d.try(f)
	if err != nil {
		d.t.Fatalf("step %s in %s: %v", f.Name(), d.s.Name, err)
	}
	return effects
}

// try steps a fact and keeps the books.
func (d *driver) try(f Fact) ([]Effect, error) {
	before := d.s
	next, effects, err := Step(d.s, Event{At: d.now, Fact: f})
	if err != nil {
		return nil, err
	}
	d.events = append(d.events, Event{At: d.now, Fact: f})
	d.log.event(d.now, f, before, next, effects)
	switch f := f.(type) {
	case HostRestarted:
		d.open, d.timers = nil, nil
	case TimerFired:
		d.timers = slices.DeleteFunc(d.timers, func(t ArmTimer) bool { return t.Kind == f.Kind && t.Key.Attempt == f.Attempt })
	}
	if next.Attempt != before.Attempt {
		d.open = nil
	}
	d.s = next
	for _, e := range effects {
		d.keep(e)
	}
	return effects, nil
}

func (d *driver) keep(e Effect) {
	switch e := e.(type) {
	case ArmTimer:
		d.timers = slices.DeleteFunc(d.timers, func(t ArmTimer) bool { return t.Kind == e.Kind })
		d.timers = append(d.timers, e)
	case CancelTimer:
		n := len(d.timers)
		d.timers = slices.DeleteFunc(d.timers, func(t ArmTimer) bool { return t.Kind == e.Kind && t.Key == e.Key })
		if len(d.timers) != n-1 {
			d.t.Fatalf("cancelled %s %s, which is not armed", e.Kind, e.Key)
		}
	case Finish:
		d.finished = append(d.finished, e)
	case ApplyWeights:
		d.asked = e.Weights
		d.open = append(d.open, e)
	case TellGate, SetPhase, Commit, Abandon:
	default:
		d.open = append(d.open, e)
	}
}

// answer answers the first open question; false means that there is none that
// will be answered.
func (d *driver) answer() bool {
	for i, e := range d.open {
		f := d.reply(e)
		if f == nil {
			continue
		}
		if s, ok := e.(StartGeneration); ok {
			if d.fireBefore(d.now.Add(d.startTime)) {
				return true
			}
			d.now = d.now.Add(d.startTime)
			f = CandidateReady{Generation: s.Generation, Ready: s.Instances}
		}
		d.open = slices.Delete(d.open, i, i+1)
		d.send(f)
		return true
	}
	return false
}

// reply is the good answer to a question, or nil for one that stays open.
func (d *driver) reply(e Effect) Fact {
	attempt := e.EffectKey().Attempt
	switch e := e.(type) {
	case AskGate:
		if v, ok := d.verdicts[e.Point]; ok {
			if d.s.Name == StateAwaitingApproval {
				return nil
			}
			v.Attempt = attempt
			return v
		}
		return GateAnswered{Attempt: attempt, Verdict: VerdictAllow, Reason: "open"}
	case RunHook:
		return HookEnded{Attempt: attempt, OK: true, Detail: "no hook"}
	case AskPlan:
		plan, err := d.strategy.Plan(e.Request)
		if err != nil {
			return StrategyFailed{Attempt: attempt, Reason: err.Error()}
		}
		return Planned{Attempt: attempt, Plan: plan}
	case AskNext:
		decision, err := d.strategy.Next(e.Snapshot)
		if err != nil {
			return StrategyFailed{Attempt: attempt, Reason: err.Error(), Retry: errors.Is(err, errAway)}
		}
		return Decided{Decision: decision}
	case StartGeneration:
		if d.startTime == 0 {
			return nil
		}
		return CandidateReady{}
	case ApplyWeights:
		return WeightApplied{Attempt: attempt}
	}
	d.t.Fatalf("no answer to %T", e)
	return nil
}

// fire fires the timer that is due first.
func (d *driver) fire() bool {
	if len(d.timers) == 0 {
		return false
	}
	first := slices.MinFunc(d.timers, func(a, b ArmTimer) int { return a.At.Compare(b.At) })
	d.timers = slices.DeleteFunc(d.timers, func(t ArmTimer) bool { return t == first })
	if first.At.After(d.now) {
		d.now = first.At
	}
	f := TimerFired{Kind: first.Kind, Attempt: first.Key.Attempt}
	if first.Kind == TimerReady {
		f.LogTail = []string{"listening on :8080", "waiting for database"}
	}
	d.send(f)
	return true
}

func (d *driver) fireBefore(at time.Time) bool {
	for _, t := range d.timers {
		if t.At.Before(at) {
			return d.fire()
		}
	}
	return false
}

// until runs the rollout until the condition holds, it ends, or nothing but a
// person can go on.
func (d *driver) until(stop func(State) bool) {
	d.t.Helper()
	for range 1000 {
		if d.s.Name.Ended() || stop(d.s) {
			return
		}
		if !d.answer() && !d.fire() {
			return
		}
	}
	d.t.Fatalf("the rollout doesn't stop: %s at step %s", d.s.Name, d.s.Step)
}

func (d *driver) run() { d.t.Helper(); d.until(func(State) bool { return false }) }

func (d *driver) untilState(name StateName) {
	d.t.Helper()
	d.until(func(s State) bool { return s.Name == name })
	if d.s.Name != name {
		d.t.Fatalf("the rollout is %s, not %s", d.s.Name, name)
	}
}

// errAway is a strategy whose plugin is being restarted.
var errAway = errors.New("the plugin is away")

// strategyFunc is a strategy with another Next.
type strategyFunc struct {
	bluegreen.Strategy
	next func(pluginapi.Snapshot) (pluginapi.Decision, error)
}

func (s strategyFunc) Next(snap pluginapi.Snapshot) (pluginapi.Decision, error) { return s.next(snap) }

func encode(t tb, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func effectsText(effects []Effect) string {
	var text string
	for _, e := range effects {
		text += fmt.Sprintf("%T %+v\n", e, e)
	}
	return text
}
