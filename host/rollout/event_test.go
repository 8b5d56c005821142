package rollout_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	. "github.com/zdhost/zdhost/host/rollout"
	"github.com/zdhost/zdhost/pluginapi"
)

// TestEventRoundTrip writes and reads one fact of every kind.
func TestEventRoundTrip(t *testing.T) {
	d := newDriver(t)
	d.send(upgrade())
	d.untilState(StateDeciding)
	kinds := map[FactName]bool{}
	for _, f := range append(facts(d.s), withSettings(upgrade(), `{"bake":"1s"}`)) {
		kinds[f.Name()] = true
		text := encode(t, Event{At: epoch, Fact: f})
		var got Event
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%s: %v", f.Name(), err)
		}
		if !reflect.DeepEqual(got.Fact, f) || !got.At.Equal(epoch) {
			t.Errorf("%s comes back as %+v", text, got)
		}
	}
	for _, name := range Facts() {
		if !kinds[name] {
			t.Errorf("no %s was tried", name)
		}
	}
}

func TestEventRefused(t *testing.T) {
	for text, want := range map[string]string{
		`{"at":"2026-11-22T09:00:00Z","fact":"exploded","data":{}}`:             `unknown fact "exploded"`,
		`{"at":"2026-11-22T09:00:00Z","fact":"planned","data":{"attempt":"x"}}`: "cannot read rollout event planned",
		`[]`: "cannot read rollout event",
	} {
		var e Event
		if err := json.Unmarshal([]byte(text), &e); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := json.Marshal(Event{At: epoch}); err == nil {
		t.Error("an event with no fact can be written")
	}
	if _, _, err := Step(State{}, Event{At: epoch}); err == nil {
		t.Error("an event with no fact is taken")
	}
}

// TestStateGolden keeps the recorded form of version 1 readable.
func TestStateGolden(t *testing.T) {
	d := newDriver(t)
	r := withSettings(upgrade(), `{"weight":25,"bake":"5s"}`)
	r.Deadlines.Rollout = time.Hour
	d.send(r)
	d.run()
	pretty, err := json.MarshalIndent(d.s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "state-v1.json", string(pretty)+"\n")
	s, err := DecodeState(pretty)
	if err != nil || encode(t, s) != encode(t, d.s) {
		t.Errorf("the state comes back as %+v, %v", s, err)
	}
	if s.Name != StateHeld {
		t.Errorf("the golden state is %s", s.Name)
	}
	for _, text := range []string{strings.Replace(string(pretty), `"version": 1`, `"version": 2`, 1), "x"} {
		if _, err := DecodeState([]byte(text)); err == nil {
			t.Error("a state of another version is read")
		}
	}
}

func TestRequestRefused(t *testing.T) {
	for name, change := range map[string]func(*Requested){
		"id":        func(r *Requested) { r.ID = "" },
		"service":   func(r *Requested) { r.Service = "" },
		"candidate": func(r *Requested) { r.To.Number = 0 },
		"itself":    func(r *Requested) { r.To.Number = r.From.Number },
		"instances": func(r *Requested) { r.Instances = 0 },
		"from":      func(r *Requested) { r.From = Generation{} },
		"start":     func(r *Requested) { r.Kind = pluginapi.KindStart },
		"kind":      func(r *Requested) { r.Kind = "party" },
		"settings":  func(r *Requested) { r.Settings = json.RawMessage("{") },
	} {
		r := upgrade()
		change(&r)
		if _, effects, err := Step(State{}, Event{At: epoch, Fact: r}); err == nil || len(effects) > 0 {
			t.Errorf("a request with a wrong %s is taken", name)
		} else if !strings.HasPrefix(err.Error(), "cannot begin rollout: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLogTailBounded keeps the last lines only, each of bounded length.
func TestLogTailBounded(t *testing.T) {
	d := newDriver(t)
	d.send(upgrade())
	d.untilState(StateStarting)
	lines := make([]string, 1000)
	lines[999] = strings.Repeat("ä", 1<<20)
	d.send(CandidateFailed{Generation: 13, Reason: "exited", LogTail: lines})
	if n := len(d.s.LogTail); n != 50 || len(d.s.LogTail[49]) > 4096 || lines[999] == d.s.LogTail[49] {
		t.Errorf("%d lines are kept, the last of %d bytes", n, len(d.s.LogTail[n-1]))
	}
}

// TestOnlyWallClock: neither a time zone nor a monotonic reading gets into the
// state, where a replay could not find them.
func TestOnlyWallClock(t *testing.T) {
	now := time.Now().In(time.FixedZone("far", 9*3600))
	s, _, err := Step(State{}, Event{At: now, Fact: upgrade()})
	if err != nil {
		t.Fatal(err)
	}
	if want := now.Round(0).UTC().Add(DefaultDeadlines().Gate); s.Wait.At != want {
		t.Errorf("the deadline is %#v, not %#v", s.Wait.At, want)
	}
}
