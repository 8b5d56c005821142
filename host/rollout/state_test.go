package rollout_test

import (
	"testing"

	. "github.com/zdhost/zdhost/host/rollout"
	"github.com/zdhost/zdhost/pluginapi"
)

// TestEveryState checks in every state that can be reached that something ends
// the wait, that weights add up, and that an abort leads to an end with no help
// but the answers to its own effects.
func TestEveryState(t *testing.T) {
	done := map[string]bool{}
	explore(func(_ State, f Fact, s State, effects []Effect, err error) {
		if err != nil {
			return
		}
		for _, e := range effects {
			if a, ok := e.(ApplyWeights); ok && sum(a.Weights) != pluginapi.FullWeight {
				t.Errorf("%s leads to weights %v", f.Name(), a.Weights)
			}
		}
		if s.Name == StateNew || s.Name.Ended() || done[shape(s)] {
			return
		}
		done[shape(s)] = true
		who, until := s.WaitsFor()
		person := who == "an operator" || who == "an approval" || who == "a permit"
		if who == "" || until.IsZero() && !person {
			t.Errorf("%s waits for %q until %v", s.Name, who, until)
		}
		abortEnds(t, s)
	})
	if len(done) < 1000 {
		t.Errorf("only %d shapes of states were seen", len(done))
	}
}

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
