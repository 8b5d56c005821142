package host

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/zdhost/zdhost/host/control"
	"github.com/zdhost/zdhost/host/rollout"
	"github.com/zdhost/zdhost/pluginapi"
)

// request is a rollout that is asked for.
type request struct {
	kind     pluginapi.RolloutKind
	payload  payload
	to       *generation    // set for a return to one that is warm
	resolve  func() payload // what to start, where that depends on what serves when it begins
	undo     func()         // takes back what came with it, where it doesn't commit
	strategy string
	settings json.RawMessage
	actor    control.Actor
	reason   string
}

// rolling drives the state machine of one rollout: it writes each event to the
// journal, folds it, and performs the effects in their order.
type rolling struct {
	svc       *service
	state     rollout.State
	candidate *generation
	from      *generation
	began     time.Time
	crashed   bool // the candidate died while clients were with it
	undo      func()

	queue   []rollout.Effect
	syncing bool // a durable effect waits for the journal
	weighed int  // attempt of the weights that were applied last
	timers  map[rollout.TimerKind]*time.Timer
	watch   []*watcher
	done    bool
}

// watcher is somebody who waits for a rollout.
type watcher struct {
	emit func(control.RolloutEvent)
	end  func(ended)
}

// ended is how a rollout ended.
type ended struct {
	state  rollout.State
	report control.LossReport
	began  time.Time
	at     time.Time
}

// begin starts a rollout; the service has none. The watcher, if any, hears of
// it from its first event.
func (s *service) begin(q request, w *watcher) {
	h := s.h
	if why := s.closed(); why != "" {
		w.refused(why)
		return
	}
	if s.serving == nil && q.to == nil {
		q.kind = pluginapi.KindStart // there is nothing to go from, whatever was asked for
	} else if q.resolve != nil {
		q.payload = q.resolve()
	}
	to := q.to
	if to == nil {
		to = s.generation(q.payload)
	}
	r := &rolling{
		svc: s, candidate: to, from: s.serving, began: time.Now(), timers: map[rollout.TimerKind]*time.Timer{}, undo: q.undo,
	}
	if w != nil {
		r.watch = append(r.watch, w)
	}
	s.roll = r
	for _, g := range []*generation{r.from, to} {
		if g != nil {
			g.begins()
		}
	}
	if q.to == nil {
		h.record(recordGeneration, "", generationRecord{Service: s.name, Number: to.number, What: "made", Payload: to.payload})
	}
	strategy, settings := q.strategy, q.settings
	if strategy == "" {
		strategy, settings = s.cfg.Strategy.Name, merged(s.cfg.Strategy.Settings, q.settings)
	}
	f := rollout.Requested{
		ID: newID(), Trace: newTrace(), Service: s.name, Kind: q.kind, To: to.ref(),
		Strategy: strategy, Settings: settings, Instances: s.cfg.Instances, Weighted: s.weighted(),
		WarmFor: warmDefault, Actor: rollout.Actor{UID: int(q.actor.UID), Name: q.actor.Name}, Reason: q.reason,
		// The instance's own deadline comes first, with the better reason.
		Deadlines: rollout.Deadlines{Ready: s.cfg.Ready.Timeout + time.Second},
	}
	if r.from != nil {
		f.From = r.from.ref()
	}
	r.step(f)
	if r.state.Name == "" { // the machine or the journal refused the very first event
		s.roll = nil
		if q.to == nil {
			delete(s.gens, to.number)
		}
		w.refused(r.state.End.Reason)
		s.nextInLine()
	}
}

// closed says why nothing can be begun any more.
func (s *service) closed() string {
	switch {
	case s.h.stopping:
		return "everything is being stopped"
	case s.h.services[s.name] != s:
		return "the configuration no longer names the service"
	}
	return ""
}

// refused tells a watcher that there will be no rollout.
func (w *watcher) refused(why string) {
	if w == nil {
		return
	}
	now := time.Now()
	end := rollout.End{Outcome: rollout.StateFailed, Reason: why}
	w.end(ended{state: rollout.State{Name: rollout.StateFailed, End: end}, began: now, at: now})
}

// warmDefault is how long a generation stays warm after a rollout that the host
// plans itself.
const warmDefault = time.Minute

func (g *generation) ref() rollout.Generation {
	ref := rollout.Generation{
		GenerationRef: pluginapi.GenerationRef{Number: g.number, Release: string(g.payload.Release), Revision: g.svc.h.revision},
		Instances:     max(g.want, len(g.running())), Ready: g.ready(), Desired: g.weight, Applied: g.weight,
	}
	if g.phase == pluginapi.PhaseServing || g.phase == pluginapi.PhaseWarm {
		ref.Phase = g.phase
	}
	return ref
}

// step takes a fact: journal first, then the state, then the effects. A fact
// that the journal doesn't take is one that goes back, or is refused: what is
// safety goes on without it.
func (r *rolling) step(f rollout.Fact) {
	h := r.svc.h
	e := rollout.Event{At: time.Now(), Fact: f}
	next, effects, err := rollout.Step(r.state, e)
	if err != nil {
		h.log.Error("rollout refuses an event", "service", r.svc.name, "rollout", r.state.ID, "event", f.Name(), "error", err)
		if _, first := f.(rollout.Requested); first {
			r.state.End.Reason = err.Error()
		}
		return
	}
	if err := h.write(recordRollout, next.Trace, rolloutRecord{Rollout: next.ID, Service: r.svc.name, Event: e}, actorText(next.Actor)); err != nil {
		if _, first := f.(rollout.Requested); first {
			r.state.End.Reason = fmt.Sprintf("the journal takes nothing: %v", err)
			return
		}
		h.log.Error("rollout goes on; the journal gets this event later, if it can", "rollout", next.ID, "error", err)
	}
	before := r.state.Name
	r.state = next
	h.memory.note(r)
	for _, e := range effects {
		if w, ok := e.(rollout.ApplyWeights); ok && next.Name == rollout.StateReturning {
			r.apply(w) // clients are with a candidate that fails: not behind an fsync
			continue
		}
		r.queue = append(r.queue, e)
	}
	r.perform()
	if next.Name != before {
		r.tell("")
	}
}

func actorText(a rollout.Actor) string { return fmt.Sprintf("uid:%d %s", a.UID, a.Name) }

// perform carries out effects in their order. One that can't be taken back waits
// until the journal is on disk; the loop goes on meanwhile.
func (r *rolling) perform() {
	h := r.svc.h
	for len(r.queue) > 0 && !r.syncing {
		e := r.queue[0]
		if _, hook := e.(rollout.RunHook); e.Durable() && !hook && !h.synced() { // no hook can be configured yet
			r.syncing = true
			go func() {
				err := h.journal.Sync()
				h.post(func() {
					r.syncing = false
					if err != nil {
						h.log.Error("cannot sync the journal", "error", err)
					}
					if len(r.queue) > 0 {
						e := r.queue[0]
						r.queue = r.queue[1:]
						r.do(e)
					}
					r.perform()
				})
			}()
			return
		}
		r.queue = r.queue[1:]
		r.do(e)
	}
}

// synced says that there is nothing to wait for.
func (h *Host) synced() bool { return h.journal.Err() != nil }

// do performs one effect.
func (r *rolling) do(e rollout.Effect) {
	switch e := e.(type) {
	case rollout.AskGate:
		r.askGate(e)
	case rollout.TellGate:
		r.svc.h.log.Info("gate told", "rollout", r.state.ID, "point", e.Point, "reason", e.Reason)
	case rollout.RunHook: // no hook can be configured yet
		r.answer(rollout.HookEnded{Attempt: e.Attempt, OK: true})
	case rollout.AskPlan:
		r.askPlan(e)
	case rollout.AskNext:
		r.askNext(e)
	case rollout.StartGeneration:
		r.start(e)
	case rollout.ApplyWeights:
		r.apply(e)
	case rollout.SetPhase:
		r.setPhase(e)
	case rollout.ArmTimer:
		r.arm(e)
	case rollout.CancelTimer:
		r.cancel(e.Kind)
	case rollout.Commit:
		// Finish follows and says for how long the old one stays warm.
	case rollout.Abandon:
		r.abandon(e)
	case rollout.Finish:
		r.finish(e)
	}
}

// answer gives the machine the answer to an effect after the present step.
func (r *rolling) answer(f rollout.Fact) {
	r.svc.h.later(func() {
		if !r.done {
			r.step(f)
		}
	})
}

// from another goroutine:
func (r *rolling) postAnswer(f rollout.Fact) {
	r.svc.h.post(func() {
		if !r.done {
			r.step(f)
		}
	})
}

func newID() string {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return "r-" + hex.EncodeToString(b[:])
}

// newTrace makes a W3C trace id.
func newTrace() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// merged lays settings of a command over those of the configuration.
func merged(base, over json.RawMessage) json.RawMessage {
	if len(over) == 0 {
		return base
	}
	all := map[string]json.RawMessage{}
	_ = json.Unmarshal(base, &all)
	_ = json.Unmarshal(over, &all)
	b, err := json.Marshal(all)
	if err != nil {
		return over
	}
	return b
}
