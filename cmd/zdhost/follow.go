package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/zdhost/zdhost/cmd/zdhost/internal/view"
	"github.com/zdhost/zdhost/host/control"
	"github.com/zdhost/zdhost/pluginapi"
)

// following is a rollout that a verb begins or watches, and shows until it ends.
type following struct {
	verb    string // for errors: "cannot ‹verb› ‹service›"
	service string
	json    bool
	// stayHeld goes on watching while the rollout waits for someone; otherwise that is the end.
	stayHeld bool
	// wanted is how it must end for the verb to have done its work.
	wanted string
	undoes bool // taking back a rollout that is under way does the work, too
	call   func(context.Context, control.Emit) (control.Outcome, error)
}

// follow shows progress on standard error and the outcome on standard output. A rollout that ends
// in another way than wanted is an error; Ctrl-C ends the watching only.
func (s *session) follow(ctx context.Context, f following) error {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	progress := s.progress()
	defer progress.Done()
	var latest control.RolloutEvent
	held := false
	outcome, err := f.call(ctx, func(event control.RolloutEvent) {
		latest = event
		progress.Event(event)
		if event.Held() && !f.stayHeld {
			held = true
			leave()
		}
	})
	progress.Done()
	if held && errors.Is(err, context.Canceled) {
		outcome, err = heldOutcome(f.service, latest), nil
	}
	if errors.Is(err, context.Canceled) {
		return interrupted(f, latest.Rollout)
	}
	if err != nil {
		return err
	}
	if err := s.outcome(f, outcome); err != nil {
		return err
	}
	return f.judge(outcome)
}

func heldOutcome(service string, event control.RolloutEvent) control.Outcome {
	reason := "it waits for " + event.WaitsFor
	if event.WaitsFor == control.WaitsForOperator {
		reason = "it waits for an operator"
	}
	if event.Reason != "" {
		reason += ": " + event.Reason
	}
	return control.Outcome{
		Rollout: event.Rollout, Service: service, Trace: event.Trace, Ended: control.EndedHeld, Reason: reason,
	}
}

func interrupted(f following, rollout string) error {
	if rollout == "" {
		return fmt.Errorf("cannot %s %s: interrupted before the host answered; it may have begun", f.verb, f.service)
	}
	return &control.Error{
		Code:    control.Failed,
		Message: fmt.Sprintf("cannot %s %s: interrupted; rollout %s goes on", f.verb, f.service, rollout),
		Hint:    fmt.Sprintf("zdhost rollout watch %s, or zdhost rollout abort %s", f.service, f.service),
	}
}

func (s *session) outcome(f following, outcome control.Outcome) error {
	if outcome.Service == "" {
		outcome.Service = f.service
	}
	if f.json {
		return s.json(outcome)
	}
	if outcome.Ended == control.EndedHeld {
		return nil
	}
	return view.Outcome(s.out, outcome)
}

func (f following) judge(outcome control.Outcome) error {
	if outcome.Service == "" {
		outcome.Service = f.service
	}
	switch outcome.Ended {
	case f.wanted, control.EndedPlanned, control.EndedDetached, control.EndedUnchanged:
		return nil
	case control.EndedAborted, control.EndedRolledBack:
		if f.undoes && outcome.Kind != string(pluginapi.KindRollback) {
			return nil // what was under way was taken back: that is what was asked for
		}
	}
	return &outcomeError{verb: f.verb, outcome: outcome}
}
