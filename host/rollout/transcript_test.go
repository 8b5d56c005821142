package rollout_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/zdhost/zdhost/host/rollout"
	"github.com/zdhost/zdhost/pluginapi"
)

var update = flag.Bool("update", false, "write the golden files anew")

var alice = Actor{UID: 1000, Name: "alice"}

// scenarios are rollouts that are kept as golden transcripts, and how they end.
var scenarios = []struct {
	name string
	play func(d *driver)
	end  Outcome
}{
	{"good-upgrade", func(d *driver) {
		d.send(upgrade())
		d.run()
		d.send(Closed{})
		d.send(HostRestarted{})
	}, StateCommitted},
	{"first-start", func(d *driver) {
		d.send(firstStart())
		d.run()
	}, StateCommitted},
	{"first-start-fails", func(d *driver) {
		d.startTime = 0
		d.send(firstStart())
		d.untilState(StateStarting)
		d.now = d.now.Add(time.Second)
		d.send(CandidateFailed{Generation: 13, Reason: "exited with status 1", LogTail: []string{"bind: permission denied"}})
	}, StateFailed},
	{"without-weights", func(d *driver) {
		r := upgrade()
		r.Weighted = false
		d.send(r)
		d.run()
	}, StateCommitted},
	{"never-ready", func(d *driver) {
		d.startTime = 0
		d.send(upgrade())
		d.untilState(StateStarting)
		d.now = d.now.Add(20 * time.Second)
		d.send(CandidateReady{Generation: 13, Ready: 1})
		d.send(StartExtended{Generation: 13, Until: d.now.Add(15 * time.Second)})
		d.run()
	}, StateRolledBack},
	{"dies-while-baking", func(d *driver) {
		d.send(upgrade())
		d.untilState(StateBaking)
		d.now = d.now.Add(500 * time.Millisecond)
		d.send(GuardTripped{Generation: 12, Reason: "exited with status 0"})
		d.send(GuardTripped{Generation: 13, Reason: "exited with status 2", LogTail: []string{"panic: nil map"}})
		d.run()
	}, StateRolledBack},
	{"hold-at-50-and-promote", func(d *driver) {
		d.send(withSettings(upgrade(), `{"weight": 50, "bake": "5s"}`))
		d.run()
		d.now = d.now.Add(time.Hour)
		d.send(OperatorPromoted{Actor: alice})
		d.run()
	}, StateCommitted},
	{"promotion-denied", func(d *driver) {
		d.verdicts[PointPromote] = GateAnswered{Verdict: VerdictDeny, Reason: "outside the window"}
		d.send(withSettings(upgrade(), `{"weight": 50}`))
		d.run()
		d.send(OperatorPromoted{Actor: alice})
		d.run()
		d.send(OperatorAborted{Actor: alice, Reason: "not today"})
		d.run()
	}, StateAborted},
	{"rollback-while-warm", func(d *driver) {
		d.send(rollback())
		d.run()
	}, StateCommitted},
	{"rollback-when-gone", func(d *driver) {
		r := rollback()
		r.To = Generation{GenerationRef: pluginapi.GenerationRef{Number: 14, Release: "sha256:old", Revision: 7}}
		d.send(r)
		d.run()
	}, StateCommitted},
	{"denied", func(d *driver) {
		d.verdicts[PointAdmit] = GateAnswered{Verdict: VerdictDeny, Reason: "unsigned release"}
		d.send(upgrade())
		d.run()
	}, StateDenied},
	{"denied-at-commit", func(d *driver) {
		d.verdicts[PointCommit] = GateAnswered{Verdict: VerdictDeny, Reason: "freeze"}
		d.send(upgrade())
		d.run()
	}, StateDenied},
	{"approval", func(d *driver) {
		d.verdicts[PointAdmit] = GateAnswered{Verdict: VerdictPending, Reason: "a second pair of eyes"}
		d.send(upgrade())
		d.untilState(StateAwaitingApproval)
		d.now = d.now.Add(3 * time.Hour)
		delete(d.verdicts, PointAdmit)
		d.send(GateAnswered{Attempt: d.s.Attempt, Verdict: VerdictAllow, Reason: "approved by bob"})
		d.run()
	}, StateCommitted},
	{"gate-silent", func(d *driver) {
		d.send(upgrade())
		d.until(func(s State) bool { return s.Point == PointShift })
		d.open = nil
		d.fire()
		d.send(OperatorResumed{Actor: alice})
		d.run()
	}, StateCommitted},
	{"strategy-away", func(d *driver) {
		good, calls := d.strategy, 0
		d.strategy = strategyFunc{next: func(s pluginapi.Snapshot) (pluginapi.Decision, error) {
			if calls++; calls > 2 && calls < 5 {
				return pluginapi.Decision{}, errAway
			}
			return good.Next(s)
		}}
		d.send(upgrade())
		d.run()
	}, StateCommitted},
	{"strategy-broken", func(d *driver) {
		good := d.strategy
		d.strategy = strategyFunc{next: func(s pluginapi.Snapshot) (pluginapi.Decision, error) {
			if s.Step == "shift" {
				return pluginapi.Decision{}, errors.New("division by zero")
			}
			return good.Next(s)
		}}
		d.send(upgrade())
		d.run()
		d.now = d.now.Add(time.Minute)
		d.send(GuardTripped{Generation: 13, Reason: "exited with status 1"})
		d.run()
	}, StateRolledBack},
	{"strategy-goes-too-far", func(d *driver) {
		good := d.strategy
		d.strategy = strategyFunc{next: func(s pluginapi.Snapshot) (pluginapi.Decision, error) {
			decision, err := good.Next(s)
			if decision.Step == "shift" {
				decision.Generations[0].Weight, decision.Generations[1].Weight = 0, pluginapi.FullWeight
			}
			return decision, err
		}}
		d.send(withSettings(upgrade(), `{"weight": 10}`))
		d.run()
		d.send(OperatorAborted{Actor: alice})
	}, StateAborted},
	{"host-restarted", func(d *driver) {
		d.send(upgrade())
		for _, state := range []StateName{StateAwaitingDecision, StatePlanning, StateStarting, StateShifting, StateDeciding, StateBaking} {
			d.untilState(state)
			d.open = nil
			d.now = d.now.Add(100 * time.Millisecond)
			d.send(HostRestarted{})
		}
		d.run()
	}, StateCommitted},
	{"superseded", func(d *driver) {
		d.send(upgrade())
		d.untilState(StateBaking)
		d.send(Superseded{By: "r2", Actor: Actor{UID: 1001, Name: "bob"}})
		d.run()
	}, StateAborted},
	{"paused-and-resumed", func(d *driver) {
		d.send(upgrade())
		d.untilState(StateStarting)
		d.send(OperatorPaused{Actor: alice, Reason: "lunch"})
		d.run()
		d.now = d.now.Add(time.Hour)
		d.send(OperatorResumed{Actor: alice})
		d.run()
	}, StateCommitted},
	{"weights-fail", func(d *driver) {
		d.send(upgrade())
		d.untilState(StateShifting)
		d.send(WeightFailed{Attempt: d.s.Attempt, Reason: "operation not permitted"})
		d.send(WeightFailed{Attempt: d.s.Attempt, Reason: "operation not permitted"})
		d.run()
	}, StateRolledBack},
}

func TestTranscripts(t *testing.T) {
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			d := newDriver(t)
			sc.play(d)
			if d.s.Name != sc.end {
				t.Errorf("ended %s, not %s:\n%s", d.s.Name, sc.end, d.log.String())
			}
			golden(t, sc.name+".txt", d.log.String())
		})
	}
}

// TestAbortAtEachStep aborts a rollout after each of its events in turn.
func TestAbortAtEachStep(t *testing.T) {
	var log transcript
	for n := 1; ; n++ {
		d := newDriver(t)
		d.send(upgrade())
		steps := 1
		d.until(func(State) bool { steps++; return steps > n })
		if d.s.Name.Ended() {
			break
		}
		state, step := d.s.Name, d.s.Step
		if step == "" {
			step = "(none)"
		}
		log.note("aborted while %s at step %s", state, step)
		d.log.Reset()
		d.send(OperatorAborted{Actor: alice})
		d.run()
		if d.s.Name != StateAborted {
			t.Errorf("aborted while %s at step %s: ended %s", state, step, d.s.Name)
		}
		log.WriteString(d.log.String())
	}
	golden(t, "abort-at-each-step.txt", log.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	goldenFile(t, filepath.Join("testdata", name), got)
}

func goldenFile(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s differs; run with -update and review the change.\ngot:\n%s", path, got)
	}
}
