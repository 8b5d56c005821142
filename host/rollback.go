package host

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/zdhost/zdhost/host/control"
	"github.com/zdhost/zdhost/host/release"
	"github.com/zdhost/zdhost/host/rollout"
	"github.com/zdhost/zdhost/pluginapi"
)

// Rollback implements control.Changer. Where the older generation is still warm
// the weight goes back in the very step that takes the request.
func (b backend) Rollback(ctx context.Context, actor control.Actor, req control.RollbackRequest, emit control.Emit) (control.Outcome, error) {
	h := b.h
	var s *service
	var target payload
	now := false
	if filepath.IsAbs(req.To) {
		to, err := digestAt(ctx, req.To)
		if err != nil {
			return control.Outcome{}, refused(control.Usage, "roll back", req.Service, err)
		}
		req.To = string(to)
	}
	begin := func(w *watcher) (*rolling, error) {
		var err error
		if s, err = h.find(req.Service, "roll back"); err != nil {
			return nil, err
		}
		switch r := s.roll; {
		case r == nil:
		case r.state.Name.Ended():
			return nil, errClosing
		case r.state.Request.Kind == pluginapi.KindRollback || r.from == nil || req.To != "" && !matches(r.from.payload, req.To):
			return nil, s.busy("roll back")
		default:
			r.watch = append(r.watch, w)
			r.step(rollout.OperatorAborted{Actor: rollout.Actor{UID: int(actor.UID), Name: actor.Name}, Reason: reasonOf(req.Reason, "rolled back by an operator")})
			now = true
			return r, nil
		}
		if g := s.warm; g != nil && (req.To == "" || matches(g.payload, req.To)) && g.ready() > 0 {
			s.begin(request{kind: pluginapi.KindRollback, to: g, actor: actor, reason: req.Reason}, w)
			now = true
			return s.roll, nil
		}
		target, err = s.earlier(req.To)
		if err != nil {
			return nil, err
		}
		return nil, errStart
	}
	o, err := h.follow(ctx, req.Detach, emit, begin)
	for err == errClosing { //nolint:errorlint // the sentinel never leaves this file
		select {
		case <-time.After(closingPause):
		case <-ctx.Done():
			return o, ctx.Err()
		}
		o, err = h.follow(ctx, req.Detach, emit, begin)
	}
	if now || err != errStart { //nolint:errorlint // the sentinel never leaves this file
		return o, err
	}
	if target, err = s.asItWas(ctx, target); err != nil {
		return o, refused(control.Failed, "roll back", s.name, err)
	}
	q := request{kind: pluginapi.KindRollback, payload: target, actor: actor, reason: req.Reason}
	return h.follow(ctx, req.Detach, emit, func(w *watcher) (*rolling, error) { return s.submit(q, control.IfBusyReject, w) })
}

// digestAt is the release that a directory or a packed release makes.
func digestAt(ctx context.Context, path string) (digest, error) {
	m, err := release.Inspect(ctx, path)
	if err != nil {
		return "", err
	}
	return m.Digest()
}

// errStart says that the older release must be started first, errClosing that a
// rollout has ended and its last effects wait for the journal.
var (
	errStart   = errors.New("the older release must be started")
	errClosing = errors.New("the last rollout is being closed")
)

const closingPause = 5 * time.Millisecond

func reasonOf(given, otherwise string) string {
	if given != "" {
		return given
	}
	return otherwise
}

// earlier finds what a service ran before: the named release, or the one before
// the present one.
func (s *service) earlier(to string) (payload, error) {
	past := s.h.memory.commits[s.name]
	var found []payload
	for i := len(past) - 1; i >= 0; i-- {
		p := past[i]
		if to == "" && s.serving != nil && p.Release == s.serving.payload.Release {
			continue
		}
		if to == "" {
			return p, nil
		}
		if matches(p, to) && !slices.ContainsFunc(found, func(q payload) bool { return q.Release == p.Release }) {
			found = append(found, p)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return payload{}, &control.Error{
			Code: control.Usage, Message: fmt.Sprintf("cannot roll back %s to %s: more than one release begins so", s.name, to),
			Hint: found[0].Release.Short() + " and " + found[1].Release.Short() + " do",
		}
	case to == "":
		return payload{}, &control.Error{Code: control.Failed, Message: fmt.Sprintf("cannot roll back %s: no earlier release is known", s.name)}
	}
	return payload{}, &control.Error{
		Code: control.NotFound, Message: fmt.Sprintf("cannot roll back %s to %s: it never ran that", s.name, to),
		Hint: "zdhost history " + s.name + " lists what ran; zdhost upgrade takes a new release",
	}
}

// matches says that to names the payload's release: all of its digest, or the
// beginning of it.
func matches(p payload, to string) bool {
	digits := strings.TrimPrefix(to, "sha256:")
	return len(digits) >= leastDigits && strings.HasPrefix(strings.TrimPrefix(string(p.Release), "sha256:"), digits)
}

// Tell implements control.RolloutOperator.
func (b backend) Tell(ctx context.Context, actor control.Actor, req control.RolloutRequest) (control.RolloutStatus, error) {
	var status control.RolloutStatus
	err := b.h.askErr(ctx, func() error {
		s, err := b.h.find(req.Service, req.Verb)
		if err != nil {
			return err
		}
		r := s.roll
		if r == nil || req.Rollout != "" && req.Rollout != r.state.ID {
			return &control.Error{Code: control.NotFound, Message: fmt.Sprintf("cannot %s rollout of %s: none is under way", req.Verb, s.name)}
		}
		who := rollout.Actor{UID: int(actor.UID), Name: actor.Name}
		var f rollout.Fact
		switch req.Verb {
		case control.Pause:
			f = rollout.OperatorPaused{Actor: who, Reason: req.Reason}
		case control.Resume:
			f = rollout.OperatorResumed{Actor: who, Reason: req.Reason}
		case control.Promote:
			f = rollout.OperatorPromoted{Actor: who, Reason: req.Reason}
		case control.Abort:
			f = rollout.OperatorAborted{Actor: who, Reason: req.Reason}
		default:
			return &control.Error{Code: control.Usage, Message: fmt.Sprintf("cannot %s rollout: unknown verb", req.Verb)}
		}
		if !rollout.Legal(r.state.Name, f.Name()) {
			return &control.Error{Code: control.Failed, Message: fmt.Sprintf("cannot %s rollout of %s: it is %s", req.Verb, s.name, r.state.Name)}
		}
		r.step(f)
		status = r.status()
		return nil
	})
	return status, err
}

// Watch implements control.RolloutOperator.
func (b backend) Watch(ctx context.Context, _ control.Actor, req control.WatchRequest, emit control.Emit) (control.Outcome, error) {
	h := b.h
	var over *control.Outcome
	o, err := h.follow(ctx, false, emit, func(w *watcher) (*rolling, error) {
		s, err := h.find(req.Service, "watch rollout of")
		if err != nil {
			return nil, err
		}
		if r := s.roll; r != nil && (req.Rollout == "" || req.Rollout == r.state.ID) {
			if !r.passing() { // where it stands is told in a moment
				w.emit(r.event())
			}
			r.watch = append(r.watch, w)
			return r, nil
		}
		if e, ok := h.memory.rollouts[req.Rollout]; ok && e.service == s.name {
			o := outcome(e.ended())
			over = &o
			return nil, errStart
		}
		return nil, &control.Error{Code: control.NotFound, Message: fmt.Sprintf("cannot watch rollout of %s: none is under way", s.name), Hint: "zdhost history " + s.name}
	})
	if over != nil {
		return *over, nil
	}
	return o, err
}
