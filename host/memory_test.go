package host

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/zdhost/zdhost/host/config"
	"github.com/zdhost/zdhost/host/journal"
	"github.com/zdhost/zdhost/host/keeper"
	"github.com/zdhost/zdhost/host/rollout"
	"github.com/zdhost/zdhost/pluginapi"
	"github.com/zdhost/zdhost/plugins/strategies/bluegreen"
)

// notes is a journal and what a host would write into it.
type notes struct {
	t      *testing.T
	log    *journal.Log
	keeper int // where the host's requests arrive
}

func newNotes(t *testing.T) notes {
	t.Helper()
	log, err := journal.Open(t.TempDir(), journal.Options{Known: knownRecord})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	return notes{t: t, log: log}
}

func (n notes) write(typ uint16, body any) {
	n.t.Helper()
	b, err := json.Marshal(body)
	if err == nil {
		_, err = n.log.Append(journal.Record{Type: typ, Version: 1, Payload: b})
	}
	if err != nil {
		n.t.Fatal(err)
	}
}

// event is one of a rollout.
func (n notes) event(id string, f rollout.Fact) {
	n.t.Helper()
	n.write(recordRollout, rolloutRecord{Rollout: id, Service: "shop", Event: rollout.Event{At: time.Unix(1, 0), Fact: f}})
}

// memory is what the next host knows.
func (n notes) memory() *memory {
	n.t.Helper()
	m, err := remember(n.log)
	if err != nil {
		n.t.Fatalf("the journal can't be read: %v", err)
	}
	return m
}

func requested(id string, to uint64) rollout.Requested {
	return rollout.Requested{
		ID: id, Service: "shop", Kind: pluginapi.KindStart, Strategy: "bluegreen", Instances: 1,
		To: rollout.Generation{GenerationRef: pluginapi.GenerationRef{Number: to}},
	}
}

func TestMemory_GoesOnWithoutAnEvent(t *testing.T) {
	n := newNotes(t)
	n.event("r-1", requested("r-1", 1))
	n.event("r-1", rollout.OperatorAborted{}) // it has ended
	n.event("r-1", rollout.OperatorPaused{})  // which can't be of a rollout that has
	n.event("r-2", rollout.OperatorPaused{})  // whose beginning was let go
	n.event("r-3", requested("r-3", 3))
	m := n.memory()
	if len(m.broken) != 2 || m.rollouts["r-1"].broken == nil {
		t.Errorf("broken: %v", m.broken)
	}
	if got := m.rollouts["r-1"].state.Name; got != rollout.StateAborted {
		t.Errorf("r-1 is %s", got)
	}
	if m.rollouts["r-2"] != nil {
		t.Error("a rollout without its beginning is known")
	}
	if r := m.rollouts["r-3"]; r == nil || r.state.To.Number != 3 || r.broken != nil {
		t.Errorf("r-3 is %+v", r)
	}
}

func TestService_NeverReusesANumber(t *testing.T) {
	h := New(Options{}, nil)
	h.memory = newMemory()
	last := uint64(0)
	for range 3 { // a reload removes the service and adds it again
		s := h.addService(config.Service{Name: "shop"})
		if g := s.generation(payload{}); g.number <= last {
			t.Errorf("number %d after %d", g.number, last)
		} else {
			last = g.number
		}
		delete(h.services, "shop")
	}
}

func TestPayload_WithoutCommand(t *testing.T) {
	if path, err := (payload{}).path(); err == nil {
		t.Errorf("its path is %q", path)
	}
}

func TestMemory_KnowsThatTheLastChangeWasRefused(t *testing.T) {
	n := newNotes(t)
	refuse := func(service string) {
		n.write(recordRefusal, refusalRecord{Service: service, What: "upgrade", Reason: "why"})
	}
	refuse("shop")
	refuse("")
	if m := n.memory(); m.refusals["shop"] == nil || m.refusals["shop"].Reason != "why" || m.refusals[""] == nil {
		t.Errorf("refusals %v", m.refusals)
	}
	n.write(recordHost, hostRecord{What: hostConfigured})
	n.commit("r-1", 1)
	if m := n.memory(); len(m.refusals) != 0 {
		t.Errorf("refusals %v after changes that were taken", m.refusals)
	}
	refuse("shop")
	n.event("r-1", rollout.Closed{})
	if m := n.memory(); m.refusals["shop"] == nil {
		t.Error("the end of an older rollout takes a refusal back")
	}
}

func TestMemory_CountsACommitOnce(t *testing.T) {
	n := newNotes(t)
	n.write(recordGeneration, generationRecord{Service: "shop", Number: 1, What: "made", Payload: payload{Release: "sha256:1"}})
	n.commit("r-1", 1)
	n.event("r-1", rollout.Closed{})
	if past := n.memory().commits["shop"]; len(past) != 1 {
		t.Errorf("committed %v", past)
	}
}

// commit writes a whole rollout, as the state machine wants it.
func (n notes) commit(id string, to uint64) {
	n.t.Helper()
	state, queue := rollout.State{}, []rollout.Fact{requested(id, to)}
	for len(queue) > 0 && state.Name != rollout.StateCommitted {
		f := queue[0]
		queue = queue[1:]
		n.event(id, f)
		next, effects, err := rollout.Step(state, rollout.Event{At: time.Unix(1, 0), Fact: f})
		if err != nil {
			n.t.Fatal(err)
		}
		state = next
		for _, e := range effects {
			if f := answerTo(e, state); f != nil {
				queue = append(queue, f)
			}
		}
	}
	if state.Name != rollout.StateCommitted {
		n.t.Fatalf("the rollout is %s", state.Name)
	}
}

// answerTo is what a host for which everything goes well answers.
func answerTo(e rollout.Effect, s rollout.State) rollout.Fact {
	strategy := bluegreen.Strategy{}
	switch e := e.(type) {
	case rollout.AskGate:
		return rollout.GateAnswered{Attempt: e.Attempt, Verdict: rollout.VerdictAllow}
	case rollout.RunHook:
		return rollout.HookEnded{Attempt: e.Attempt, OK: true}
	case rollout.AskPlan:
		plan, _ := strategy.Plan(e.Request)
		return rollout.Planned{Attempt: e.Attempt, Plan: plan}
	case rollout.AskNext:
		d, _ := strategy.Next(e.Snapshot)
		return rollout.Decided{Decision: d}
	case rollout.StartGeneration:
		return rollout.CandidateReady{Generation: s.To.Number, Ready: e.Instances}
	case rollout.ApplyWeights:
		return rollout.WeightApplied{Attempt: e.Attempt}
	}
	return nil
}

func TestMemory_NumbersFollowTheProcessesThatLive(t *testing.T) {
	m := newMemory() // of a journal that could not take the last records
	m.meet([]keeper.Child{{ID: "shop-7-41", Meta: json.RawMessage(`{"service":"shop","generation":7,"number":41}`)}})
	if n := m.nextInstance(); n != 42 {
		t.Errorf("the next instance is %d", n)
	}
	if g := m.lastGeneration("shop"); g != 7 {
		t.Errorf("the last generation is %d", g)
	}
}
