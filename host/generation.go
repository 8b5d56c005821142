package host

import (
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/host/config"
	"github.com/zdhost/zdhost/host/instance"
	"github.com/zdhost/zdhost/host/keeper"
	"github.com/zdhost/zdhost/pluginapi"
	"github.com/zdhost/zdhost/zdapp/workload"
)

// generation is one (release, revision) of a service with its instances and its
// lanes, one a listener.
type generation struct {
	svc     *service
	number  uint64
	payload payload
	cfg     config.Service // as it was when the generation was made
	phase   pluginapi.Phase
	weight  pluginapi.Weight // applied
	begun   time.Time

	ports    []*port // that it has to serve: the service's when it was made, and what it opened
	lanes    map[string]*lane
	extra    []*port // opened by its programs, the service's once it is committed
	inst     map[string]*running
	want     int
	failed   bool // it could not start: said once
	inbox    inbox
	restarts instance.Restarts
	loop     bool      // in a crash loop
	lastEnd  string    // how the last instance that had to be replaced ended
	retryAt  time.Time // when its replacement is due

	leaving *leaving // once it drains
	moves   *generation
	tally   tally
	account *account // of the rollout that it leaves because of
}

// inbox is the pair over which moved connections reach a generation; the keeper
// holds both ends too, so that none is lost with a process.
type inbox struct{ send, receive int }

var noInbox = inbox{-1, -1}

// required lists what its instances must listen on: every address that the
// service was known to serve when the generation was made, by configuration or by
// a generation before. A port goes by its listener's name, since a wildcard's lane
// may not exist yet.
func (g *generation) required() []instance.Port {
	var ports []instance.Port
	for _, p := range g.ports {
		ports = append(ports, instance.Port{Name: p.name, Address: p.text()})
	}
	return ports
}

// rules say which lane answers for which address.
func (g *generation) rules() []keeper.Rule {
	var rules []keeper.Rule
	for _, p := range slices.Concat(g.ports, g.extra) {
		r := keeper.Rule{Listener: p.name, Address: p.address}
		if l := g.lanes[p.name]; l != nil {
			r.Descriptor = l.name
		}
		rules = append(rules, r)
	}
	return rules
}

// laneOf finds a lane by its descriptor's name.
func (g *generation) laneOf(descriptor string) *lane {
	for _, l := range g.lanes {
		if l.name == descriptor {
			return l
		}
	}
	return nil
}

// scale brings the generation to n instances: lanes first, then processes.
func (g *generation) scale(n int) {
	g.want = n
	g.openInbox()
	g.lanesFor(func(err error) {
		if err != nil {
			g.fail(fmt.Sprintf("cannot bind: %v", err), nil)
			return
		}
		if g.svc.serving == nil {
			if err := g.svc.reweigh(); err != nil { // clients may queue from the first moment
				g.fail(err.Error(), nil)
				return
			}
		}
		for len(g.running()) < g.want {
			g.spawn(g.payload, false)
		}
	})
}

// running lists the instances whose process has not ended.
func (g *generation) running() []*running {
	var all []*running
	for _, r := range g.inst {
		if r.state != instance.Exited {
			all = append(all, r)
		}
	}
	return all
}

// ready counts the instances that are.
func (g *generation) ready() int {
	n := 0
	for _, r := range g.inst {
		if r.state == instance.Ready {
			n++
		}
	}
	return n
}

// openInbox makes the pair and has the keeper hold it.
func (g *generation) openInbox() {
	if g.inbox != noInbox {
		return
	}
	send, receive, err := workload.Pair()
	if err != nil {
		g.svc.h.log.Error("cannot make an inbox", "service", g.svc.name, "error", err)
		return
	}
	g.inbox = inbox{send, receive}
	h, name := g.svc.h, g.inboxName()
	go func() {
		if err := h.keeper.Stash(h.ctx, name+"/send", send, nil); err == nil {
			_ = h.keeper.Stash(h.ctx, name+"/receive", receive, nil)
		}
	}()
}

func (g *generation) inboxName() string { return fmt.Sprintf("inbox/%s/%d", g.svc.name, g.number) }

// sendEnd duplicates the send end of the inbox, -1 where there is none.
func (i inbox) sendEnd() int { return dup(i.send) }

func dup(fd int) int {
	if fd < 0 {
		return -1
	}
	d, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return -1
	}
	return d
}

// quiesce has programs that can move their connections give them to another
// generation; they stay, ready to come back.
func (g *generation) quiesce(to *generation) {
	g.moves = to
	g.svc.moveConnections()
}

// moveConnections asks the instances of quiesced and of leaving generations to
// give their connections away, as soon as somebody takes them: an instance of the
// successor that can, and none that is itself still giving its own away. Where
// the successor is another than before, they are told.
func (s *service) moveConnections() {
	for _, g := range s.gens {
		to := g.successor()
		if to == nil {
			g.takeBack()
			continue
		}
		for _, r := range g.running() {
			if r.moves && r.to != to && (r.state == instance.Ready || r.draining && r.haste == instance.Orderly) {
				r.to = to
				r.inst.Quiesce(to.inbox.sendEnd())
			}
		}
	}
}

// takeBack resumes instances that say they give their connections away though
// their generation keeps them: an earlier host had asked them to, or a resume
// didn't reach them. Each report is answered once.
func (g *generation) takeBack() {
	if g.moves != nil || g.leaving != nil {
		return
	}
	for _, r := range g.running() {
		if r.quiesced && !r.draining && !r.resumed {
			r.resumed, r.to = true, nil
			r.inst.Resume()
		}
	}
}

// successor is the generation that takes this one's connections now; nil if this
// one keeps them, or if that one can't.
func (g *generation) successor() *generation {
	to := g.moves
	if g.leaving != nil {
		to = g.svc.serving
	}
	if to == nil || to == g || to.phase == pluginapi.PhaseGone || !to.takes() {
		return nil
	}
	return to
}

// takes says that connections which are sent to the generation's inbox are read.
func (g *generation) takes() bool {
	some := false
	for _, r := range g.running() {
		if r.quiesced {
			return false
		}
		some = some || r.moves && r.state == instance.Ready
	}
	return some
}

// resume takes a quiesce back.
func (g *generation) resume() {
	g.moves = nil
	for _, r := range g.running() {
		r.to = nil
		r.inst.Resume()
	}
}

// fail says that the generation can't be started.
func (g *generation) fail(reason string, tail []string) {
	if g.failed {
		return
	}
	g.failed = true
	if roll := g.rollout(); roll != nil {
		roll.candidateFailed(reason, tail)
	}
}

// rollout is the one whose candidate the generation is, nil if there is none or
// if it is decided already.
func (g *generation) rollout() *rolling {
	if roll := g.svc.roll; roll != nil && roll.candidate == g && !roll.state.Name.Ended() {
		return roll
	}
	return nil
}

// crashed decides about an instance that ended unasked.
func (g *generation) crashed(r *running, reason string) {
	s := g.svc
	tail := s.h.tail(r.log, tailLines)
	s.h.record(recordInstance, "", instanceRecord{Service: s.name, Instance: r.id, Number: r.number, Generation: g.number, What: "ended", Reason: reason})
	s.h.log.Warn("instance ended unasked", "service", s.name, "instance", r.id, "generation", g.number, "how", reason)
	roll := g.rollout()
	switch {
	case g.phase == pluginapi.PhaseGone || s.h.stopping:
		return
	case roll != nil && !r.wasReady:
		g.fail(reason, tail)
		return
	case roll != nil:
		roll.guardTripped(reason, tail)
		return
	}
	wait, loop := g.restarts.Exited(time.Now(), r.begun, s.restartPolicy())
	s.crashes++
	g.loop, g.lastEnd, g.retryAt = loop, reason, time.Now().Add(wait)
	s.h.after(wait, func() {
		if g.phase != pluginapi.PhaseGone && !s.h.stopping && len(g.running()) < g.want {
			g.spawn(g.payload, false)
		}
	})
}

// tail is the end of what its instances printed, the newest instance's first.
func (g *generation) tail() []string {
	var newest *running
	for _, r := range g.inst {
		if newest == nil || r.number > newest.number {
			newest = r
		}
	}
	if newest == nil {
		return nil
	}
	return g.svc.h.tail(newest.log, tailLines)
}
