package rollout_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	. "github.com/zdhost/zdhost/host/rollout"
	"github.com/zdhost/zdhost/pluginapi"
)

// explore steps, from the new state on, every fact that facts offers in every
// state that differs in shape from those before. It returns those states.
func explore(visit func(s State, f Fact, next State, effects []Effect, err error)) []State {
	seen := map[string]bool{}
	states := []State{{Name: StateNew}}
	for i := 0; i < len(states); i++ {
		s := states[i]
		at := epoch
		for _, timer := range []Timer{s.Wait, s.Limits.Step.Timer} {
			if timer.Armed() && timer.At.Before(epoch.Add(time.Hour)) {
				at = timer.At
			}
		}
		for _, f := range facts(s) {
			next, effects, err := Step(s, Event{At: at, Fact: f})
			visit(s, f, next, effects, err)
			if err != nil || len(effects) == 0 && next.Name == s.Name && next.Paused == s.Paused && next.To.Ready == s.To.Ready {
				continue
			}
			if key := shape(next); !seen[key] {
				seen[key] = true
				states = append(states, next)
			}
		}
	}
	return states
}

// shape is what makes one state differ from another in what can happen next.
func shape(s State) string {
	shared := fmt.Sprint(s.Name, s.Request.Kind, s.Request.Weighted, s.To.Phase, s.To.Applied > 0, s.To.Desired > 0)
	switch {
	case s.Name.Ended():
		return fmt.Sprint(shared, s.End.Closed)
	case s.Name == StateReturning:
		return fmt.Sprint(shared, s.End.Outcome, s.End.Returns, s.Wait.Kind)
	case s.Name == StateHeld && s.Hold.Cause == HoldStrategy || s.Name == StateBaking:
		shared += fmt.Sprint(s.Decision.Waits)
	case s.Name == StateHeld || s.Point == PointPromote:
		shared += fmt.Sprint(s.Hold.Cause)
	}
	return fmt.Sprint(
		shared, s.Planned, s.Step, s.Paused, s.Point, s.Wait.Kind,
		s.To.Instances, s.To.Ready >= s.To.Instances, s.Limits.Step.Timer.Armed(),
	)
}

// requests are requests of every kind, with and without weights.
func requests() []Requested {
	cold := rollback()
	cold.To.Phase = ""
	var list []Requested
	for _, r := range []Requested{upgrade(), firstStart(), rollback(), cold} {
		r.Deadlines = Deadlines{Hold: time.Hour, Rollout: 50 * time.Minute}
		unweighted := r
		unweighted.Weighted = false
		list = append(list, r, unweighted)
	}
	return list
}

// facts are facts of every kind that could come in that state.
func facts(s State) []Fact {
	a, full := s.Attempt, pluginapi.FullWeight
	if !s.Request.Weighted {
		full = pluginapi.NoWeight
	}
	plan := pluginapi.Plan{Steps: []pluginapi.Step{
		{ID: "start", Weight: full, Instances: 2, Deadline: time.Minute, OnDeadline: pluginapi.DeadlineHold},
		{ID: "commit", Weight: full, Instances: 2, Deadline: time.Minute},
	}}
	list := []Fact{
		GateFailed{Attempt: a, Reason: "policy crashed"},
		HookEnded{Attempt: a, OK: true}, HookEnded{Attempt: a},
		Planned{Attempt: a, Plan: plan}, Planned{Attempt: a},
		StrategyFailed{Attempt: a, Reason: "x", Retry: true}, StrategyFailed{Attempt: a, Reason: "x"},
		CandidateReady{Generation: s.To.Number, Ready: 1}, CandidateReady{Generation: s.To.Number, Ready: 2},
		CandidateFailed{Generation: s.To.Number, Reason: "x"},
		StartExtended{Generation: s.To.Number, Until: epoch.Add(24 * time.Hour)},
		GuardTripped{Generation: s.To.Number, Reason: "x"},
		WeightApplied{Attempt: a}, WeightFailed{Attempt: a, Reason: "x"},
		OperatorPaused{Actor: alice}, OperatorResumed{Actor: alice},
		OperatorPromoted{Actor: alice}, OperatorPromoted{Actor: alice, To: "nowhere"}, OperatorPromoted{Actor: alice, To: "start"},
		OperatorAborted{Actor: alice}, Superseded{By: "r2"}, HostRestarted{}, Closed{},
	}
	for _, r := range requests() {
		if s.Name == StateNew || r.Kind == pluginapi.KindStart {
			list = append(list, r)
		}
	}
	for _, v := range []Verdict{VerdictAllow, VerdictDeny, VerdictPending, "perhaps"} {
		list = append(list, GateAnswered{Attempt: a, Verdict: v})
	}
	for _, k := range []pluginapi.WaitKind{pluginapi.WaitEvidence, pluginapi.WaitApproval, pluginapi.WaitPermit} {
		list = append(list, WaitEnded{WaitEnd: pluginapi.WaitEnd{Kind: k, OK: true}})
	}
	for _, timer := range []Timer{s.Wait, s.Limits.Step.Timer, s.Limits.Rollout.Timer} {
		list = append(list, TimerFired{Kind: timer.Kind, Attempt: timer.Attempt})
	}
	return append(list, decisions(s)...)
}

// decisions are decisions of every verdict, good ones and nonsense.
func decisions(s State) []Fact {
	if s.Name != StateDeciding {
		return []Fact{Decided{Decision: pluginapi.Decision{Revision: uint64(s.Attempt)}}}
	}
	var list []Fact
	verdicts := []pluginapi.DecisionVerdict{pluginapi.DecisionProgress, pluginapi.DecisionHold, pluginapi.DecisionCommit, pluginapi.DecisionAbort, "sideways"}
	later := epoch.Add(365 * 24 * time.Hour)
	waits := [][]pluginapi.Wait{
		nil, {{Kind: pluginapi.WaitBake, Until: later}, {Kind: pluginapi.WaitEvidence, Until: later}},
		{{Kind: pluginapi.WaitTime, Until: later}}, {{Kind: pluginapi.WaitApproval}, {Kind: pluginapi.WaitPermit}},
	}
	for _, verdict := range verdicts {
		for _, w := range []pluginapi.Weight{0, 2000, pluginapi.FullWeight} {
			for _, wait := range waits {
				for _, step := range []string{"start", "commit"} {
					list = append(list, Decided{Decision: decision(s, verdict, step, w, wait)})
				}
			}
		}
	}
	return list
}

func decision(s State, verdict pluginapi.DecisionVerdict, step string, w pluginapi.Weight, waits []pluginapi.Wait) pluginapi.Decision {
	old := pluginapi.GenerationTarget{Number: s.From.Number, Instances: s.From.Instances, Weight: pluginapi.FullWeight - w, Phase: pluginapi.PhaseServing}
	to := pluginapi.GenerationTarget{Number: s.To.Number, Instances: 1, Weight: w, Phase: pluginapi.PhaseServing}
	if w == 0 {
		to.Phase = pluginapi.PhaseStandby
	}
	if w == pluginapi.FullWeight {
		to.Instances = 2
	}
	if verdict == pluginapi.DecisionCommit {
		old.Phase = pluginapi.PhaseGone
	}
	if !s.Request.Weighted {
		old.Weight, to.Weight = pluginapi.NoWeight, pluginapi.NoWeight
	}
	return pluginapi.Decision{
		Revision: uint64(s.Attempt), Step: step, Verdict: verdict,
		Generations: []pluginapi.GenerationTarget{old, to}, Waits: waits,
	}
}

// TestEveryPair steps every kind of fact in every state, and compares with the
// table: nothing else happens, and all that it lists can happen. Every state
// that comes up is then looked at by itself.
func TestEveryPair(t *testing.T) {
	type arrow struct {
		from StateName
		fact FactName
		to   StateName
	}
	reached := map[arrow]bool{}
	states := explore(func(s State, f Fact, next State, effects []Effect, err error) {
		if checkPair(t, s, f, next, effects, err) && err == nil {
			reached[arrow{s.Name, f.Name(), next.Name}] = true
		}
	})
	for _, from := range States() {
		for _, fact := range Facts() {
			for _, to := range Targets(from, fact) {
				if to != from && !reached[arrow{from, fact, to}] {
					t.Errorf("the table says that %s leads from %s to %s; nothing does", fact, from, to)
				}
			}
		}
	}
	if len(states) < 1000 {
		t.Errorf("only %d states came up", len(states))
	}
	for _, s := range states[1:] {
		checkStale(t, s)
		if !s.Name.Ended() {
			checkWait(t, s)
			abortEnds(t, s)
		}
	}
}

// checkPair checks one step against the table, and reports whether it changed
// anything.
func checkPair(t *testing.T, s State, f Fact, next State, effects []Effect, err error) bool {
	t.Helper()
	for _, e := range effects {
		a, ok := e.(ApplyWeights)
		if !ok {
			continue
		}
		rises := a.Weights[next.To.Number] > s.To.Desired
		if rises && next.Request.Kind != pluginapi.KindRollback && next.To.Ready < next.To.Instances {
			t.Errorf("%s in %s raises the weight of a candidate that is not ready", f.Name(), s.Name)
		}
		if sum(a.Weights) != pluginapi.FullWeight {
			t.Errorf("%s in %s leads to weights %v", f.Name(), s.Name, a.Weights)
		}
	}
	changed := len(effects) > 0 || !reflect.DeepEqual(s, next)
	var unexpected *UnexpectedError
	var step *StepError
	var request *RequestError
	switch {
	case err != nil && changed:
		t.Errorf("%s in %s: an error with a change", f.Name(), s.Name)
	case errors.As(err, &unexpected):
		if Legal(s.Name, f.Name()) || unexpected.State != s.Name || unexpected.Fact != f.Name() {
			t.Errorf("%s in %s: wrong error %v", f.Name(), s.Name, err)
		}
	case err != nil && !errors.As(err, &step) && !errors.As(err, &request):
		t.Errorf("%s in %s: untyped error %v", f.Name(), s.Name, err)
	case changed && !slices.Contains(Targets(s.Name, f.Name()), next.Name):
		t.Errorf("%s in %s leads to %s, which the table lacks", f.Name(), s.Name, next.Name)
	}
	return changed
}

// checkStale: what answers an older question, or is about something else, is
// dropped.
func checkStale(t *testing.T, s State) {
	t.Helper()
	old := s.Attempt - 1
	for _, f := range []Fact{
		GateAnswered{Attempt: old, Verdict: VerdictDeny}, GateFailed{Attempt: old}, HookEnded{Attempt: old},
		Planned{Attempt: old}, Decided{Decision: pluginapi.Decision{Revision: uint64(old)}},
		StrategyFailed{Attempt: old}, WeightApplied{Attempt: old}, WeightFailed{Attempt: old},
		TimerFired{Kind: s.Wait.Kind, Attempt: s.Wait.Attempt - 1}, TimerFired{Kind: TimerHold, Attempt: -1},
		GuardTripped{Generation: s.To.Number + 1}, GuardTripped{Generation: s.From.Number},
		CandidateFailed{Generation: 99}, CandidateReady{Generation: 99},
	} {
		next, effects, err := Step(s, Event{At: epoch, Fact: f})
		if err != nil || len(effects) > 0 || !reflect.DeepEqual(next, s) {
			t.Fatalf("stale %+v in %s: %s, %v", f, s.Name, effectsText(effects), err)
		}
	}
}

// checkWait: something with a deadline, or someone with a name, ends the wait.
func checkWait(t tb, s State) {
	t.Helper()
	who, until := s.WaitsFor()
	person := who == "an operator" || who == "an approval" || who == "a permit"
	if who == "" || until.IsZero() && !person {
		t.Fatalf("%s waits for %q until %v", s.Name, who, until)
	}
}

// abortEnds: an abort leads to an end with no help but the answers to its own
// effects.
func abortEnds(t *testing.T, s State) {
	t.Helper()
	was := s.Name
	s, effects, err := Step(s, Event{At: epoch, Fact: OperatorAborted{Actor: alice}})
	if err != nil {
		t.Fatalf("%s can't be aborted: %v", was, err)
	}
	for n := 0; !s.Name.Ended(); n++ {
		if s.Name != StateReturning || n > 3 {
			t.Fatalf("aborted while %s, and %s", was, s.Name)
		}
		var f Fact = WeightApplied{Attempt: s.Attempt}
		if s.Wait.Kind == TimerRetry {
			f = TimerFired{Kind: TimerRetry, Attempt: s.Wait.Attempt}
		}
		if s, effects, err = Step(s, Event{At: s.Wait.At, Fact: f}); err != nil {
			t.Fatalf("aborted while %s: %v", was, err)
		}
	}
	if s.Request.Weighted && s.From.Number != 0 && s.To.Applied > 0 {
		t.Errorf("aborted while %s, and the candidate keeps %s", was, s.To.Applied)
	}
	finishes, abandons := 0, 0
	for _, e := range effects {
		switch e.(type) {
		case Finish:
			finishes++
		case Abandon:
			abandons++
		}
	}
	if finishes != 1 || (abandons == 1) != (s.To.Phase != "") {
		t.Errorf("aborted while %s: %d Finish, %d Abandon", was, finishes, abandons)
	}
}

func sum(weights map[uint64]pluginapi.Weight) (total pluginapi.Weight) {
	for _, w := range weights {
		total += w
	}
	return total
}
