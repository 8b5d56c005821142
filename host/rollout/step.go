package rollout

import (
	"time"

	"github.com/zdhost/zdhost/pluginapi"
)

// Step takes one event and answers with the next state and what is to be done,
// in that order. On an error the state is the one it was given.
//
// Answers to questions that are no longer open, firings of timers that are no
// longer armed, reports about other generations and reports after the end are
// dropped: the state is unchanged, there are no effects and no error. Anything
// else that the table doesn't list is an *UnexpectedError.
func Step(s State, e Event) (State, []Effect, error) {
	if e.Fact == nil {
		return s, nil, &UnexpectedError{State: s.name()}
	}
	if s.drops(e.Fact) {
		return s, nil, nil
	}
	if !Legal(s.name(), e.Fact.Name()) {
		return s, nil, &UnexpectedError{State: s.name(), Fact: e.Fact.Name()}
	}
	m := &machine{s: s, at: e.At.Round(0).UTC()}
	if err := m.take(e.Fact); err != nil {
		return s, nil, err
	}
	m.runClocks()
	_, restarted := e.Fact.(HostRestarted)
	m.setTimers(s, restarted)
	return m.s, m.effects, nil
}

// name is the state's name; a zero State is new.
func (s State) name() StateName {
	if s.Name == "" {
		return StateNew
	}
	return s.Name
}

// drops reports whether the fact is stale or about nothing of this rollout's.
func (s State) drops(f Fact) bool {
	if s.name() == StateNew {
		return false
	}
	switch f := f.(type) {
	case answer:
		return f.attempt() != s.Attempt
	case TimerFired:
		for _, t := range s.timers() {
			if t.Armed() && t.Kind == f.Kind && t.Attempt == f.Attempt {
				return false
			}
		}
		return true
	case CandidateReady:
		return s.dropsReport(f.Generation)
	case CandidateFailed:
		return s.dropsReport(f.Generation)
	case StartExtended:
		return s.dropsReport(f.Generation) || s.Name != StateStarting
	case GuardTripped:
		return s.dropsReport(f.Generation)
	case WaitEnded:
		return !s.waitsOn(f.Kind)
	}
	return false
}

func (s State) dropsReport(generation uint64) bool {
	return s.Name.Ended() || generation != s.To.Number
}

// waitsOn reports whether the rollout waits for something of that kind now.
func (s State) waitsOn(kind pluginapi.WaitKind) bool {
	if s.Name != StateBaking && !(s.Name == StateHeld && s.Hold.Cause == HoldStrategy) {
		return false
	}
	for _, w := range s.Decision.Waits {
		if w.Kind == kind {
			return true
		}
	}
	return false
}

// machine is one Step at work: a copy of the state, and the effects so far.
type machine struct {
	s       State
	at      time.Time
	effects []Effect
	// fired is the kind of timer whose firing is being taken.
	fired TimerKind
}

// take takes a fact that the table lists for the state.
func (m *machine) take(f Fact) error {
	switch f := f.(type) {
	case Requested:
		return m.requested(f)
	case GateAnswered:
		m.gateAnswered(f)
	case GateFailed:
		m.gateFailed(f.Reason)
	case HookEnded:
		m.hookEnded(f)
	case Planned:
		m.planned(f.Plan)
	case Decided:
		m.decided(f.Decision)
	case StrategyFailed:
		m.strategyFailed(f.Reason, f.Retry)
	case CandidateReady:
		m.candidateReady(f)
	case CandidateFailed:
		m.candidateFailed(f.Reason, f.LogTail)
	case StartExtended:
		m.startExtended(f.Until)
	case GuardTripped:
		m.candidateFailed(f.Reason, f.LogTail)
	case WeightApplied:
		m.weightApplied()
	case WeightFailed:
		m.weightFailed(f.Reason)
	case WaitEnded:
		m.waitEnded(f.WaitEnd)
	case TimerFired:
		m.timerFired(f)
	case OperatorPaused:
		m.paused(f)
	case OperatorResumed:
		m.resumed()
	case OperatorPromoted:
		return m.promoted(f)
	case OperatorAborted:
		m.giveUp(StateAborted, "aborted by "+f.Actor.String()+because(f.Reason))
	case Superseded:
		m.giveUp(StateAborted, "superseded by "+f.By+" of "+f.Actor.String())
	case HostRestarted:
		m.restarted()
	case Closed:
		m.s.End.Closed = true
	}
	return nil
}

// number is a new attempt's number.
func (m *machine) number() int {
	m.s.Seq++
	return m.s.Seq
}

// enter moves to a state, with a new attempt and a deadline; no duration is no
// deadline.
func (m *machine) enter(name StateName, kind TimerKind, d time.Duration) {
	m.s.Name, m.s.Attempt = name, m.number()
	m.s.Wait = Timer{}
	if d > 0 {
		m.s.Wait = Timer{Kind: kind, Attempt: m.s.Attempt, At: m.at.Add(d)}
	}
}

func (m *machine) emit(e Effect) { m.effects = append(m.effects, e) }

// key is the key of the current attempt's effects.
func (m *machine) key() Key {
	return Key{Rollout: m.s.ID, Step: m.s.Step, Attempt: m.s.Attempt}
}
