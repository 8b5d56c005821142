package host

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/zdhost/zdhost/host/inetdiag"
	"github.com/zdhost/zdhost/host/instance"
	"github.com/zdhost/zdhost/host/listener"
	"github.com/zdhost/zdhost/pluginapi"
	"github.com/zdhost/zdhost/zdapp/workload"
)

// leaving is the end of a generation: nothing new reaches it, its queue is
// served, its instances are drained, its lanes go back to the pool. Where nobody
// is left to serve its queue, a sweeper does: an instance of the release that
// serves now, started on the lanes that were left.
type leaving struct {
	g       *generation
	why     string
	haste   instance.Haste
	working bool   // a goroutine is looking at the queues
	enough  func() // ends a wait for queues that nobody serves any more
	empty   bool   // the queues were, while instances served them
	sweeps  int
	held    map[*lane]bool // by processes that are not ours
}

// maxSweeps is how often a sweeper is started for one generation.
const maxSweeps = 3

// retire lets the generation go. Its weight must be 0 already.
func (g *generation) retire(why string) {
	if g.leaving != nil {
		return
	}
	g.svc.h.log.Info("generation leaves", "service", g.svc.name, "generation", g.number, "reason", why)
	g.phase, g.want = pluginapi.PhaseGone, 0
	g.leaving = &leaving{g: g, why: why, haste: g.svc.h.haste()}
	g.leaving.step()
}

// step does what is next; it is called whenever an instance of the generation
// has changed.
func (l *leaving) step() {
	left := l.g.running()
	if l.working {
		if len(left) == 0 && l.enough != nil {
			l.enough()
		}
		return
	}
	if len(left) == 0 {
		l.check()
		return
	}
	for _, r := range left {
		if r.sweeps && r.state == instance.Starting {
			return
		}
	}
	if !l.empty && l.haste == instance.Orderly {
		l.drainQueues()
		return
	}
	for _, r := range left {
		r.drain(l.g.successor(), l.haste)
	}
}

// drain begins an instance's end, once for each degree of haste. Connections that
// can be moved go to another generation, unless that is nil.
func (r *running) drain(to *generation, haste instance.Haste) {
	if r.draining && haste <= r.haste {
		return
	}
	r.draining, r.haste, r.to = true, haste, to
	successor := -1
	if to != nil {
		successor = to.inbox.sendEnd()
	}
	r.inst.Drain(successor, haste)
}

// drainQueues waits until no handshake is under way and the accept queues are
// empty, for as long as a drain may last.
func (l *leaving) drainQueues() {
	l.working = true
	lanes := l.g.ownLanes()
	timeout := l.g.cfg.Drain.Timeout
	h := l.g.svc.h
	ctx, cancel := context.WithTimeout(h.ctx, timeout)
	l.enough = cancel
	go func() {
		defer cancel()
		err := drainLanes(ctx, lanes)
		h.post(func() {
			l.working, l.enough = false, nil
			if errors.Is(err, listener.ErrWeighted) && !h.stopping { // whoever takes the listener over isn't there yet
				h.after(queueSample, l.step)
				return
			}
			l.empty = true
			if err != nil {
				h.log.Warn("queue not empty", "service", l.g.svc.name, "generation", l.g.number, "error", err)
			}
			l.step()
		})
	}()
}

func drainLanes(ctx context.Context, lanes []*lane) error {
	errs := make(chan error, len(lanes))
	for _, l := range lanes {
		go func() {
			_, err := l.DrainQueue(ctx)
			errs <- err
		}()
	}
	var all []error
	for range lanes {
		all = append(all, <-errs)
	}
	return errors.Join(all...)
}

// ownLanes are the lanes that are the generation's alone, on listeners that
// others serve too: what only it has opened ends with it, and so does what the
// configuration has taken from its service.
func (g *generation) ownLanes() []*lane {
	var own []*lane
	for _, l := range g.lanes {
		if !l.port.shared() && !slices.Contains(g.extra, l.port) && slices.Contains(g.svc.ports, l.port) {
			own = append(own, l)
		}
	}
	return own
}

// abandonedQueue bounds the look at a queue that nobody serves: as long as a
// handshake may take (three seconds), and a little.
const abandonedQueue = 3500 * time.Millisecond

// check looks whether anybody still waits in a queue that nobody serves.
func (l *leaving) check() {
	l.working = true
	lanes, h := l.g.ownLanes(), l.g.svc.h
	go func() {
		empty := true
		for _, lane := range lanes {
			if n, _, err := lane.Queue(); err == nil && n > 0 {
				empty = false
			}
		}
		if empty {
			ctx, cancel := context.WithTimeout(h.ctx, abandonedQueue)
			empty = drainLanes(ctx, lanes) == nil
			cancel()
		}
		held := h.heldElsewhere(h.ctx, lanes)
		h.post(func() {
			l.working, l.held = false, held
			l.checked(empty)
		})
	}()
}

func (l *leaving) checked(empty bool) {
	s := l.g.svc
	if !empty && s.serving == nil && l.haste == instance.Orderly && s.closed() == "" {
		s.h.after(queueSample, l.step) // a first start is tried again; what it starts will sweep
		return
	}
	if empty || l.haste != instance.Orderly || s.serving == nil || s.serving == l.g || l.sweeps == maxSweeps {
		if !empty {
			s.h.log.Error("clients wait in a queue that nobody serves", "service", s.name, "generation", l.g.number)
		}
		l.finish()
		return
	}
	l.sweeps++
	l.empty = false
	s.h.log.Info("sweeper started", "service", s.name, "generation", l.g.number, "release", s.serving.payload.Release)
	l.g.cfg, l.g.ports = s.serving.cfg, slices.Clone(s.serving.ports)
	l.working = true
	l.g.lanesFor(func(err error) {
		l.working = false
		if err != nil {
			l.sweeperFailed(err)
			return
		}
		l.g.spawn(s.serving.payload, true)
	})
}

func (l *leaving) sweeperFailed(err error) {
	l.g.svc.h.log.Error("cannot start sweeper", "service", l.g.svc.name, "generation", l.g.number, "error", err)
	l.step()
}

// finish gives back what the generation held.
func (l *leaving) finish() {
	g, s, h := l.g, l.g.svc, l.g.svc.h
	if s.gens[g.number] != g {
		return
	}
	g.tally.lanes(g)
	for _, lane := range g.lanes {
		if lane.gen == g {
			lane.release(l.held[lane])
		}
	}
	g.forwardInbox(s.serving)
	for _, p := range g.extra {
		h.dropPort(p)
	}
	delete(s.gens, g.number)
	s.dropUnserved()
	h.dropAbandoned(s)
	h.record(recordGeneration, "", generationRecord{Service: s.name, Number: g.number, What: "gone", Payload: g.payload, Reason: l.why})
	h.log.Info("generation gone", "service", s.name, "generation", g.number, "report", g.tally.String())
	h.settled(g)
	h.stopStep()
}

// release ends a generation's hold on a lane. A shared one goes to another
// generation that has it. Any other goes to the pool with the options of a new
// socket, unless some process still holds it: what that accepts would be lost to
// whoever gets the lane next.
func (l *lane) release(held bool) {
	h, before := l.port.h, l.gen
	l.gen = nil
	if l.port.shared() {
		for _, g := range before.svc.living() {
			if g != before && g.lanes[l.port.name] == l {
				l.gen = g
			}
		}
		return
	}
	if held {
		l.gen = before
		h.log.Warn("a process still holds a lane; it is not used again", "lane", l.name)
		return
	}
	if err := l.ResetOptions(); err != nil {
		h.log.Warn("cannot reset a lane", "lane", l.name, "error", err)
	}
}

// heldElsewhere waits a moment for the lanes' last holders besides keeper and
// host to end, and names the lanes that still have one.
func (h *Host) heldElsewhere(ctx context.Context, lanes []*lane) map[*lane]bool {
	ctx, cancel := context.WithTimeout(ctx, holdersTimeout)
	defer cancel()
	for {
		held := map[*lane]bool{}
		for _, l := range lanes {
			holding, err := inetdiag.Holders(l.Inode())
			if err != nil {
				continue // it can't be told: as it was before there was this check
			}
			for _, pid := range holding.ByInode[l.Inode()] {
				held[l] = held[l] || pid != os.Getpid() && pid != h.welcome.KeeperPID
			}
		}
		if len(held) == 0 || !slices.Contains(slices.Collect(maps.Values(held)), true) {
			return nil
		}
		select {
		case <-ctx.Done():
			return held
		case <-time.After(holdersPause):
		}
	}
}

const (
	holdersTimeout = 2 * time.Second
	holdersPause   = 50 * time.Millisecond
)

// forwardInbox sends on the connections that reached the generation's inbox and
// that nobody took, and closes the inbox.
func (g *generation) forwardInbox(to *generation) {
	if g.inbox == noInbox {
		return
	}
	next := -1
	if to != nil && to != g && to.takes() {
		next = dup(to.inbox.send)
	}
	cut, err := forward(dup(g.inbox.receive), next)
	g.tally.cut += cut
	if err != nil || cut > 0 {
		g.svc.h.log.Error("moved connections were lost: nobody takes them", "service", g.svc.name, "connections", cut, "error", err)
	}
	closeFDs(g.inbox.send, g.inbox.receive)
	g.inbox = noInbox
	h, name := g.svc.h, g.inboxName()
	go func() {
		_ = h.keeper.Drop(h.ctx, name+"/send")
		_ = h.keeper.Drop(h.ctx, name+"/receive")
	}()
}

// forward moves what waits in one inbox into another and returns how many
// connections it had to close because there is no other (-1) or it takes none.
// It takes over both descriptors.
func forward(from, to int) (cut int, err error) {
	src, err := workload.NewConn(from)
	if err != nil {
		closeFDs(to)
		return 0, err
	}
	defer src.Close()
	var dst *workload.Conn
	if to >= 0 {
		if dst, err = workload.NewConn(to); err != nil {
			return 0, err
		}
		defer dst.Close()
		_ = dst.SetWriteDeadline(time.Now().Add(time.Second))
	}
	for {
		m, fds, err := src.TryReceive()
		if errors.Is(err, workload.ErrEmpty) {
			return cut, nil
		}
		if err != nil {
			return cut, err
		}
		if dst == nil || dst.Send(m, fds...) != nil {
			cut += len(fds)
		}
		closeFDs(fds...)
	}
}

// dropUnserved gives up addresses that no configuration names and that no
// generation serves any more.
func (s *service) dropUnserved() {
	kept := s.ports[:0]
	for _, p := range s.ports {
		if !p.adopted || s.serves(p) {
			kept = append(kept, p)
			continue
		}
		s.h.dropPort(p)
	}
	s.ports = kept
}

func (s *service) serves(p *port) bool {
	for _, g := range s.gens {
		if g.lanes[p.name] != nil {
			return true
		}
	}
	return false
}

// dropPort closes an address: all its lanes at once, since closing one of a
// group would give its place to another.
func (h *Host) dropPort(p *port) {
	delete(h.ports, p.name)
	var names []string
	for _, l := range p.lanes {
		names = append(names, l.name)
		if p.unix() {
			_ = l.set.Close()
		}
	}
	if p.listener != nil && !p.unix() {
		_ = p.listener.Close()
	}
	p.lanes, p.listener = nil, nil
	go func() { _ = h.keeper.Drop(h.ctx, names...) }()
}
