package host

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/zdhost/zdhost/host/control"
	"github.com/zdhost/zdhost/host/rollout"
)

// tell lets whoever watches the rollout know where it stands.
func (r *rolling) tell(text string) {
	if len(r.watch) == 0 || r.passing() {
		return
	}
	e := r.event()
	if text != "" {
		e.Text = text
	}
	for _, w := range r.watch {
		w.emit(e)
	}
}

// passing says that the rollout only waits for an answer that takes a moment:
// nothing that anyone would want to read.
func (r *rolling) passing() bool {
	switch r.state.Name {
	case rollout.StateAwaitingDecision, rollout.StateAwaitingHook, rollout.StatePlanning, rollout.StateDeciding:
		return true
	}
	return false
}

// event is where the rollout stands.
func (r *rolling) event() control.RolloutEvent {
	s := r.state
	who, until := r.waitsFor()
	e := control.RolloutEvent{
		Time: time.Now(), Rollout: s.ID, Service: r.svc.name, Trace: s.Trace, State: string(s.Name), Step: s.Step,
		Text: r.words(who), WaitsFor: who, Until: until, LogTail: s.LogTail, Reason: s.End.Reason,
	}
	if s.Name == rollout.StateHeld {
		e.Reason = s.Hold.Reason
	}
	for _, g := range []*generation{r.from, r.candidate} {
		if g != nil {
			e.Weights = append(e.Weights, control.GenerationWeight{Generation: g.number, Weight: float64(g.weight) / 100})
		}
	}
	return e
}

// waitsFor names who or what the rollout waits for; people by the words of the
// control API.
func (r *rolling) waitsFor() (who string, until time.Time) {
	who, until = r.state.WaitsFor()
	switch r.state.Name {
	case rollout.StateHeld:
		words := map[string]string{"an operator": control.WaitsForOperator, "an approval": control.WaitsForApproval, "a permit": control.WaitsForPermit}
		if word, ok := words[who]; ok {
			who = word
		}
	case rollout.StateAwaitingApproval:
		who = control.WaitsForApproval
	}
	return who, until
}

// words says in a line where the rollout stands.
func (r *rolling) words(who string) string {
	s := r.state
	switch s.Name {
	case rollout.StateStarting:
		return fmt.Sprintf("starting generation %d", s.To.Number)
	case rollout.StateShifting:
		return fmt.Sprintf("shifting new connections to generation %d", s.To.Number)
	case rollout.StateBaking:
		return fmt.Sprintf("generation %d serves; watching it", s.To.Number)
	case rollout.StateHeld:
		return s.Hold.Reason
	case rollout.StateReturning:
		return fmt.Sprintf("returning to generation %d: %s", s.From.Number, s.End.Reason)
	}
	if s.Name.Ended() {
		text := strings.ReplaceAll(string(s.Name), "_", " ")
		if s.End.Reason != "" {
			text += ": " + s.End.Reason
		}
		return text
	}
	return "waiting for " + who
}

// follow submits something that begins a rollout and waits for its end, unless
// the caller does not want to.
func (h *Host) follow(ctx context.Context, detach bool, emit control.Emit, submit func(*watcher) (*rolling, error)) (control.Outcome, error) {
	ends := make(chan ended, 1)
	w := &watcher{emit: emit, end: func(e ended) { ends <- e }}
	var err error
	var began *rolling
	if askErr := h.ask(ctx, func() { began, err = submit(w) }); askErr != nil {
		return control.Outcome{}, askErr
	}
	if err != nil {
		return control.Outcome{}, err
	}
	if detach {
		o := control.Outcome{Ended: control.EndedDetached} // of one that waits for its turn nothing is known
		err := h.ask(ctx, func() {
			w.emit = func(control.RolloutEvent) {} // the caller has gone by then
			if began == nil {
				return
			}
			began.unwatch(w)
			o = outcome(ended{state: began.state, began: began.began})
			o.Ended, o.Report = control.EndedDetached, nil // nothing is known yet
		})
		return o, err
	}
	select {
	case e := <-ends:
		return outcome(e), nil
	case <-ctx.Done():
		_ = h.ask(h.ctx, func() {
			for _, s := range h.services {
				if s.roll != nil {
					s.roll.unwatch(w)
				}
			}
		})
		return control.Outcome{}, ctx.Err()
	case <-h.ctx.Done():
		return control.Outcome{}, errEnding
	}
}

func (r *rolling) unwatch(w *watcher) {
	kept := r.watch[:0]
	for _, other := range r.watch {
		if other != w {
			kept = append(kept, other)
		}
	}
	r.watch = kept
}

func outcome(e ended) control.Outcome {
	s := e.state
	o := control.Outcome{
		Rollout: s.ID, Service: s.Request.Service, Kind: string(s.Request.Kind), Trace: s.Trace,
		From: s.From.Release, To: s.To.Release, Ended: string(s.End.Outcome), Reason: s.End.Reason, LogTail: s.LogTail,
		Started: e.began, Finished: e.at,
	}
	report := e.report
	o.Report = &report
	return o
}
