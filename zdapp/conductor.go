package zdapp

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"sync"
	"time"

	"github.com/zdhost/zdhost/zdapp/workload"
)

const (
	statsEvery = 250 * time.Millisecond
	passEvery  = 2 * time.Millisecond  // how often a quiesce looks whether it is done
	drainEvery = 10 * time.Millisecond // how often a drain looks what is left
	passMost   = 3 * time.Second       // a quiesce that takes longer answers with what it has
)

// conductor is the one goroutine that decides what the app does next. Connections follow by themselves.
type conductor struct {
	app        *App
	fleet      *fleet
	log        *slog.Logger
	attachment *attachment // nil when alone
	detach     func()      // ends the attachment
	asks       chan ask
	early      []ask // what the host asked before there was anything to ask it of
	started    sync.WaitGroup

	intakes map[string]*intake // fixed once the app serves
	main    *intake            // for connections of a listener that this program doesn't have
	alone   bool               // nobody else holds the lanes
	served  chan error         // why serving on a lane ended
	inbox   *inbox
	deaf    bool // the inbox is left to the siblings

	phase    string
	epoch    uint64
	pass     *pass
	farewell *farewell
	goodbye  <-chan struct{} // closed when the OnDrain hooks have returned
	timeUp   func()          // ends the context of the hooks
	sent     workload.Stats
}

// pass is a quiesce that has not been answered yet.
type pass struct {
	out    *outbox
	before uint64 // connections moved before it
	until  time.Time
}

func newConductor(a *App, buffer int) *conductor {
	f := newFleet(buffer)
	f.rule = a.rule
	return &conductor{
		app: a, fleet: f, log: a.log, detach: func() {}, timeUp: func() {},
		asks: make(chan ask, 16), phase: workload.PhaseStarting,
	}
}

// run does what the host, the signals and ctx ask for until the last connection is gone.
func (c *conductor) run(ctx context.Context, signals <-chan os.Signal) error {
	for _, a := range c.early {
		c.handle(ctx, a)
	}
	stats := time.NewTicker(statsEvery)
	defer stats.Stop()
	var broken error
	over := ctx.Done()
	for {
		select {
		case a := <-c.asks:
			c.handle(ctx, a)
		case <-signals:
			c.signalled(ctx)
		case <-over:
			over = nil
			c.drain(ctx, ask{})
		case broken = <-c.served:
			c.drain(ctx, ask{})
		case <-stats.C:
			c.sendStats()
		case <-c.nextLook():
		}
		c.lookAtPass()
		if done, err := c.lookAtDrain(ctx); done {
			if broken != nil {
				return broken
			}
			return err
		}
	}
}

// nextLook fires when a pass or a drain wants to look at the fleet again.
func (c *conductor) nextLook() <-chan time.Time {
	switch {
	case c.pass != nil:
		return time.After(passEvery)
	case c.farewell != nil:
		return time.After(drainEvery)
	}
	return nil
}

func (c *conductor) handle(ctx context.Context, a ask) {
	switch a.Type {
	case workload.TypeWelcome:
		c.welcomed(a)
	case workload.TypeQuiesce:
		c.quiesce(a)
	case workload.TypeResume:
		c.resume(a)
	case workload.TypeDrain:
		c.drain(ctx, a)
	default: // lanes that came too late
		workload.CloseAll(a.fds)
	}
}

// welcomed learns who we are to the host, and where connections will arrive.
func (c *conductor) welcomed(a ask) {
	c.app.generation.Store(a.Generation)
	if a.Instance != "" {
		c.app.instance.Store(&a.Instance)
	}
	fd := a.claim()
	if fd < 0 {
		return
	}
	in, err := newInbox(fd, c.arrived, &c.fleet.tally, c.log)
	if err != nil {
		c.log.Error("cannot read inbox", "error", err)
		return
	}
	if c.inbox != nil { // the same one, from a host that was restarted
		c.inbox.close()
	}
	c.inbox = in
	switch c.phase {
	case workload.PhaseStarting: // serve starts it
		return
	case workload.PhaseDraining:
		if c.deaf {
			in.halt()
		}
	}
	c.started.Go(in.run)
}

// quiesce makes connections move to the successor, if there is one. What reaches the app all the same, from a lane's
// queue or from who was given its inbox, it takes and moves on: nobody else may be there to do so. It can be undone.
// While the app drains it only changes the successor.
func (c *conductor) quiesce(a ask) {
	out := c.outboxOf(&a)
	if c.phase == workload.PhaseDraining {
		if out != nil {
			c.head(out)
		}
		return
	}
	c.pass = &pass{out: out, before: c.fleet.tally.movedOut.Load(), until: time.Now().Add(passMost)}
	c.head(out)
	c.reach(workload.PhaseQuiesced, a.Epoch)
}

func (c *conductor) resume(a ask) {
	workload.CloseAll(a.fds)
	if c.phase != workload.PhaseQuiesced {
		c.log.Warn("cannot resume", "phase", c.phase, "epoch", a.Epoch)
		return
	}
	c.pass = nil
	c.head(nil)
	c.reach(workload.PhaseServing, a.Epoch)
	c.reply(workload.Message{Type: workload.TypeResumed, Epoch: c.epoch, Stats: c.stats()})
}

// drain begins the end: as quiesce, and what can't be moved is told. The host's ask without a successor says that there
// is none any more; a signal says nothing about it. Asked again it changes the times and the successor.
func (c *conductor) drain(ctx context.Context, a ask) {
	out := c.outboxOf(&a)
	again := c.farewell != nil
	if again && a.Type == "" { // a signal has nothing to add
		return
	}
	now := time.Now()
	f := &farewell{begun: now, window: now.Add(c.app.window), deadline: now.Add(c.app.timeout)}
	if a.WindowMS != 0 {
		f.window = now.Add(workload.Milliseconds(a.WindowMS))
	}
	if a.DeadlineMS != 0 {
		f.deadline = now.Add(workload.Milliseconds(a.DeadlineMS))
	}
	c.farewell, c.pass = f, nil
	c.reach(workload.PhaseDraining, max(a.Epoch, c.epoch))
	if !again {
		close(c.app.draining)
		if err := notify("STOPPING=1"); err != nil {
			c.log.Warn("no service manager", "error", err)
		}
		hooked, cancel := context.WithCancel(context.WithoutCancel(ctx))
		c.timeUp = cancel
		c.goodbye = c.app.sayGoodbye(hooked)
	}
	if out != nil || a.Type == workload.TypeDrain {
		c.head(out)
	}
	if !again {
		c.stopTaking(a.Type == workload.TypeDrain)
	}
	c.fleet.telling.Store(true) // not before there is a way out: who can move needn't be told
}

// signalled drains. The second signal cuts what is left of a program that runs alone; a host sends its own in any case.
func (c *conductor) signalled(ctx context.Context) {
	if c.farewell != nil && c.attachment == nil {
		c.farewell.deadline = time.Now()
	}
	c.drain(ctx, ask{})
}

// outboxOf returns the way to the successor that the ask names, nil if there is none.
func (c *conductor) outboxOf(a *ask) *outbox {
	fd := a.claim()
	if fd < 0 || !a.Successor || c.fleet.buffer == 0 {
		if fd >= 0 {
			workload.CloseAll([]int{fd})
		}
		return nil
	}
	out, err := newOutbox(fd, c.log)
	if err != nil {
		c.log.Error("cannot reach the successor", "error", err)
		return nil
	}
	return out
}

// head changes where connections go.
func (c *conductor) head(out *outbox) {
	if before := c.fleet.head(out); before != nil {
		before.close()
	}
}

func (c *conductor) reach(phase string, epoch uint64) {
	c.phase, c.epoch = phase, epoch
	if c.attachment != nil {
		c.attachment.reach(phase, epoch)
	}
}

// lookAtPass answers a quiesce as soon as nothing more can move.
func (c *conductor) lookAtPass() {
	p := c.pass
	if p == nil || !c.fleet.settled(p.out) && time.Now().Before(p.until) {
		return
	}
	c.pass = nil
	m := workload.Message{Type: workload.TypeQuiesced, Epoch: c.epoch, Stats: c.stats()}
	m.Moved, m.Kept = int(m.MovedOut-p.before), m.Connections
	c.reply(m)
}

// lookAtDrain takes the drain a step further; done says that the app has ended.
func (c *conductor) lookAtDrain(ctx context.Context) (done bool, err error) {
	if c.farewell == nil {
		return false, nil
	}
	dismiss, then := c.farewell.step(time.Now(), c.headcount())
	if then == shutdown && c.inbox != nil { // what arrives from now on is left to the host
		c.inbox.halt()
		dismiss, then = c.farewell.step(time.Now(), c.headcount())
	}
	c.fleet.dismiss(dismiss)
	switch then {
	case wait:
		return false, nil
	case shutdown:
		c.shutDown(ctx)
	}
	c.timeUp()
	left := c.fleet.cut()
	_ = c.app.server.Close()
	c.reply(workload.Message{Type: workload.TypeDrained, Epoch: c.epoch, Stats: c.stats()})
	if left > 0 {
		return true, fmt.Errorf("cannot drain: %d %w", left, ErrCut)
	}
	return true, nil
}

// headcount is what the drain still waits for.
func (c *conductor) headcount() headcount {
	h := c.fleet.count()
	select {
	case <-c.goodbye:
	default:
		h.hooks = true
	}
	return h
}

// shutDown sends GOAWAY on what is left, HTTP/2, and waits for its streams until the deadline.
func (c *conductor) shutDown(ctx context.Context) {
	for _, conn := range c.fleet.all() {
		conn.tell()
	}
	bounded, cancel := context.WithDeadline(context.WithoutCancel(ctx), c.farewell.deadline)
	defer cancel()
	if err := c.app.server.Shutdown(bounded); err != nil {
		c.log.Warn("cannot shut down in time", "error", err)
	}
}

func (c *conductor) stats() workload.Stats { return c.fleet.tally.stats(c.fleet.len()) }

func (c *conductor) sendStats() {
	if c.attachment == nil {
		return
	}
	if s := c.stats(); !reflect.DeepEqual(s, c.sent) {
		c.sent = s
		c.attachment.send(workload.Message{Type: workload.TypeStats, Epoch: c.epoch, Stats: s})
	}
}

func (c *conductor) reply(m workload.Message) {
	if c.attachment != nil {
		c.sent = m.Stats
		c.attachment.reply(m)
	}
}
