package host

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/zdhost/zdhost/host/config"
	"github.com/zdhost/zdhost/host/journal"
	"github.com/zdhost/zdhost/host/rollout"
	"github.com/zdhost/zdhost/pluginapi"
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
