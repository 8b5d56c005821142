package host

import (
	"context"
	"time"

	"github.com/zdhost/zdhost/host/control"
	"github.com/zdhost/zdhost/host/instance"
	"github.com/zdhost/zdhost/host/rollout"
)

// stop ends every instance in order and then the keeper; urgent leaves them a
// second. New connections still reach the instances, so each is told at once and
// has its drain timeout to end what it has.
func (h *Host) stop(urgent bool) {
	if h.stopping && !urgent {
		return
	}
	first := !h.stopping
	h.stopping = true
	if urgent {
		h.urgent = true
	}
	if first {
		h.log.Info("stopping", "urgent", urgent)
		h.record(recordHost, "", hostRecord{What: "stopping", Version: h.opts.Version})
	}
	for _, s := range h.services {
		s.abandon("zdhost is being stopped")
	}
	for _, r := range h.live { // those of services that only leave, too
		if r.state != instance.Exited {
			r.drain(nil, h.haste())
		}
	}
	h.stopStep()
}

// abandon ends the service's rollout and refuses those that wait; it must be
// closed.
func (s *service) abandon(why string) {
	for _, begin := range s.waiting {
		begin()
	}
	s.waiting = nil
	if s.roll != nil && rollout.Legal(s.roll.state.Name, rollout.FactOperatorAborted) {
		s.roll.step(rollout.OperatorAborted{Reason: why})
	}
}

// haste is how much time an end has.
func (h *Host) haste() instance.Haste {
	switch {
	case h.urgent:
		return instance.Hurry
	case h.stopping:
		return instance.Stop
	}
	return instance.Orderly
}

// stopStep ends the host once no instance is left.
func (h *Host) stopStep() {
	if h.stopping && len(h.live) == 0 {
		h.quit = true
	}
}

// end takes leave of the journal and then of the keeper, which ends with
// everything that is left.
func (h *Host) end(ctx context.Context) {
	h.record(recordHost, "", hostRecord{What: "stopped", Version: h.opts.Version})
	if err := h.journal.Sync(); err != nil {
		h.log.Error("cannot sync the journal", "error", err)
	}
	ctx, cancel := context.WithTimeout(ctx, shutdownTimeout)
	defer cancel()
	_ = h.keeper.Shutdown(ctx, h.code)
}

const shutdownTimeout = 5 * time.Second

// Stop implements control.Stopper.
func (b backend) Stop(ctx context.Context, actor control.Actor, req control.StopRequest) error {
	return b.h.ask(ctx, func() {
		b.h.log.Info("asked to stop", "uid", actor.UID, "reason", req.Reason)
		b.h.stop(false)
	})
}
