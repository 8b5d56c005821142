package host

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/zdhost/zdhost/host/config"
	"github.com/zdhost/zdhost/host/control"
	"github.com/zdhost/zdhost/host/release"
	"github.com/zdhost/zdhost/host/rollout"
	"github.com/zdhost/zdhost/pluginapi"
)

// backend is the host as the control API sees it. Its methods run on the API's
// goroutines and reach the host through ask.
type backend struct{ h *Host }

var _ control.Backend = backend{}

// self is the actor of what the host does by itself.
func self() control.Actor {
	return control.Actor{UID: uint32(os.Getuid()), PID: os.Getpid(), Name: "zdhost"}
}

// Upgrade implements control.Changer.
func (b backend) Upgrade(ctx context.Context, actor control.Actor, req control.UpgradeRequest, emit control.Emit) (control.Outcome, error) {
	h := b.h
	var s *service
	if err := h.askErr(ctx, func() (err error) { s, err = h.changeable(req.Service, "upgrade", req.IfBusy); return err }); err != nil {
		return control.Outcome{}, err
	}
	p, err := b.payload(ctx, s, req, emit)
	if err != nil {
		_ = h.ask(ctx, func() { s.refuse("upgrade", err.Error()) })
		return control.Outcome{}, refused(control.Usage, "upgrade", s.name, err)
	}
	settings, err := settingsJSON(req.Set)
	if err != nil {
		return control.Outcome{}, err
	}
	q := request{kind: pluginapi.KindUpgrade, payload: p, strategy: req.Strategy, settings: settings, actor: actor, reason: req.Reason}
	if err := h.askErr(ctx, func() error { return s.validStrategy(q) }); err != nil {
		return control.Outcome{}, err
	}
	if req.Plan {
		return b.plan(ctx, s, q)
	}
	var same bool
	if err := h.ask(ctx, func() {
		g := s.serving
		same = g != nil && s.roll == nil && g.payload.Release == p.Release && slices.Equal(g.payload.Command, p.Command)
	}); err != nil {
		return control.Outcome{}, err
	}
	if same {
		return control.Outcome{Service: s.name, Kind: string(q.kind), To: string(p.Release), Ended: control.EndedUnchanged, Reason: "that release runs already"}, nil
	}
	return h.follow(ctx, req.Detach, emit, func(w *watcher) (*rolling, error) { return s.submit(q, req.IfBusy, w) })
}

// payload takes in what the request names.
func (b backend) payload(ctx context.Context, s *service, req control.UpgradeRequest, emit control.Emit) (payload, error) {
	h := b.h
	var cfg config.Service
	if err := h.ask(ctx, func() { cfg = s.cfg }); err != nil {
		return payload{}, err
	}
	command := req.Command
	if len(command) == 0 {
		command = cfg.Command
	}
	said := time.Now()
	progress := func(done, total int64) {
		if now := time.Now(); now.Sub(said) >= importPause {
			said = now
			emit(control.RolloutEvent{Time: now, Service: s.name, State: "importing", Text: fmt.Sprintf("taking in the release: %d of %d MiB", done>>20, total>>20)})
		}
	}
	var p payload
	var err error
	switch {
	case strings.HasPrefix(req.Release, "sha256:"):
		p, err = s.stored(ctx, req.Release, command, req.Command)
	case req.Release != "":
		p, err = h.importDir(ctx, req.Release, command, progress)
	case len(req.Command) > 0:
		p, err = h.importCommand(ctx, command, req.Dir)
	default:
		p, err = s.configured(ctx, progress)
	}
	if err != nil {
		return p, err
	}
	p.Configured = cfg.Command
	if p.Kind == release.KindDirectory && cfg.Dir != "" {
		p.Dir = cfg.Dir
	}
	_, err = p.path()
	var missing *noProgramError
	switch {
	case errors.Is(err, errNotExecutable):
		err = nil // its start shows it
	case errors.As(err, &missing) && p.Root != "":
		err = missing.explained(p, cmp.Or(req.Release, cfg.Release))
	}
	return p, err
}

// importPause is the time between two words about the progress of an import.
const importPause = 500 * time.Millisecond

// plan asks the strategy and changes nothing.
func (b backend) plan(ctx context.Context, s *service, q request) (control.Outcome, error) {
	var strategy pluginapi.Strategy
	var r pluginapi.PlanRequest
	name := q.strategy
	err := b.h.ask(ctx, func() {
		settings := q.settings
		if name == "" {
			name, settings = s.cfg.Strategy.Name, merged(s.cfg.Strategy.Settings, q.settings)
		}
		strategy = b.h.opts.Strategies[name]
		r = pluginapi.PlanRequest{
			Rollout: "plan", Service: s.name, Kind: q.kind, Instances: s.cfg.Instances, Weighted: s.weighted(), Settings: settings,
			To: pluginapi.GenerationRef{Number: s.next, Release: string(q.payload.Release)},
		}
		if s.serving != nil {
			r.From = s.serving.ref().GenerationRef
		}
	})
	if err != nil {
		return control.Outcome{}, err
	}
	plan, err := strategy.Plan(r)
	if err != nil {
		return control.Outcome{}, &control.Error{Code: control.Usage, Message: fmt.Sprintf("cannot plan upgrade of %s: %v", s.name, err)}
	}
	out := control.Plan{Strategy: name, From: r.From.Release, To: r.To.Release}
	for _, st := range plan.Steps {
		out.Steps = append(out.Steps, control.PlanStep{ID: st.ID, Weight: float64(max(st.Weight, 0)) / 100, Instances: st.Instances, Text: st.Summary})
	}
	return control.Outcome{Service: s.name, Kind: string(q.kind), From: out.From, To: out.To, Ended: control.EndedPlanned, Plan: &out}, nil
}

// submit begins the rollout now, or does what the caller wants while another
// one runs. The result is nil where it waits for its turn.
func (s *service) submit(q request, ifBusy string, w *watcher) (*rolling, error) {
	if s.roll == nil && len(s.waiting) == 0 {
		s.begin(q, w)
		return s.roll, nil
	}
	switch ifBusy {
	case control.IfBusyQueue, control.IfBusySupersede:
		s.waiting = append(s.waiting, func() { s.begin(q, w) })
		if ifBusy == control.IfBusySupersede && s.roll != nil {
			s.roll.step(rollout.Superseded{By: "a newer request", Actor: rollout.Actor{UID: int(q.actor.UID), Name: q.actor.Name}})
		} else {
			w.emit(control.RolloutEvent{Time: time.Now(), Service: s.name, State: "queued", Text: "waiting for the rollout that is under way"})
		}
		return nil, nil
	}
	return nil, s.busy(string(q.kind))
}

func (s *service) busy(verb string) error {
	return &control.Error{
		Code: control.Busy, Message: fmt.Sprintf("cannot %s %s: another rollout is under way", verb, s.name),
		Hint: "zdhost rollout watch " + s.name + ", or add --if-busy queue or --if-busy supersede",
	}
}

// changeable finds a service and says why it can't be changed now.
func (h *Host) changeable(name, verb, ifBusy string) (*service, error) {
	s, err := h.find(name, verb)
	if err != nil {
		return nil, err
	}
	if h.stopping {
		return nil, &control.Error{Code: control.Unavailable, Message: fmt.Sprintf("cannot %s %s: everything is being stopped", verb, name)}
	}
	if why := h.journal.Err(); why != nil {
		return nil, &control.Error{Code: control.Unavailable, Message: fmt.Sprintf("cannot %s %s: %v", verb, name, why), Hint: "what runs goes on; see zdhost doctor"}
	}
	if s.roll != nil && (ifBusy == "" || ifBusy == control.IfBusyReject) {
		return nil, s.busy(verb)
	}
	return s, nil
}

func (h *Host) find(name, verb string) (*service, error) {
	if s := h.services[name]; s != nil {
		return s, nil
	}
	hint := ""
	if len(h.services) > 0 {
		names := slices.Clone(h.order)
		sort.Strings(names)
		hint = "services here: " + strings.Join(names, ", ")
	}
	return nil, &control.Error{Code: control.NotFound, Message: fmt.Sprintf("cannot %s %s: no such service", verb, name), Hint: hint}
}

// validStrategy checks name and settings before anything is begun.
func (s *service) validStrategy(q request) error {
	name, settings := q.strategy, q.settings
	if name == "" {
		name, settings = s.cfg.Strategy.Name, merged(s.cfg.Strategy.Settings, q.settings)
	}
	st := s.h.opts.Strategies[name]
	if st == nil {
		var known []string
		for n := range s.h.opts.Strategies {
			known = append(known, n)
		}
		sort.Strings(known)
		return &control.Error{Code: control.Usage, Message: fmt.Sprintf("cannot %s %s: no strategy is called %q", q.kind, s.name, name), Hint: "strategies here: " + strings.Join(known, ", ")}
	}
	if problems := st.Validate(settings); len(problems) > 0 {
		return &control.Error{Code: control.Usage, Message: fmt.Sprintf("cannot %s %s: strategy %s: %s", q.kind, s.name, name, problems[0]), Hint: problems[0].Hint}
	}
	return nil
}

// settingsJSON turns KEY=VALUE pairs into an object; a value that is JSON keeps
// its type.
func settingsJSON(set map[string]string) (json.RawMessage, error) {
	if len(set) == 0 {
		return nil, nil
	}
	all := map[string]any{}
	for k, v := range set {
		var value any
		if json.Unmarshal([]byte(v), &value) != nil {
			value = v
		}
		all[k] = value
	}
	return json.Marshal(all)
}

// Restart implements control.Changer. It is to what is there now: where the files
// of a command have changed, the release that it goes to is another one.
func (b backend) Restart(ctx context.Context, actor control.Actor, req control.RestartRequest, emit control.Emit) (control.Outcome, error) {
	h := b.h
	var s *service
	var p payload
	err := h.askErr(ctx, func() (err error) {
		if s, err = h.changeable(req.Service, "restart", req.IfBusy); err != nil {
			return err
		}
		if s.serving == nil {
			return &control.Error{Code: control.Failed, Message: fmt.Sprintf("cannot restart %s: nothing of it runs", s.name), Hint: "zdhost upgrade " + s.name}
		}
		p = s.serving.payload
		return nil
	})
	if err != nil {
		return control.Outcome{}, err
	}
	settings, err := settingsJSON(req.Set)
	if err != nil {
		return control.Outcome{}, err
	}
	was := p.Release
	if p, err = s.present(ctx, p); err != nil {
		return control.Outcome{}, refused(control.Failed, "restart", s.name, err)
	}
	q := request{kind: pluginapi.KindRestart, payload: p, settings: settings, actor: actor, reason: req.Reason}
	q.resolve = func() payload {
		if now := s.serving.payload; now.Release != was {
			return now // it waited, and another release was committed meanwhile
		}
		return p
	}
	if err := h.askErr(ctx, func() error { return s.validStrategy(q) }); err != nil {
		return control.Outcome{}, err
	}
	return h.follow(ctx, req.Detach, emit, func(w *watcher) (*rolling, error) { return s.submit(q, req.IfBusy, w) })
}

// askErr is ask for what can fail.
func (h *Host) askErr(ctx context.Context, f func() error) error {
	var err error
	if askErr := h.ask(ctx, func() { err = f() }); askErr != nil {
		return askErr
	}
	return err
}
