package instance

import (
	"fmt"
	"syscall"
	"time"

	"github.com/zdhost/zdhost/zdapp/workload"
)

// DrainSpec says how an instance ends.
type DrainSpec struct {
	Timeout time.Duration
	// Auto takes, instead of Timeout, autoFactor times the longest wait for an
	// answer that was seen, between AutoMin and Timeout.
	Auto   bool
	Settle time.Duration
	Signal syscall.Signal
	// Grace is what of the timeout is left to the program after its signal:
	// a fifth of it, at most five seconds, where this is 0.
	Grace time.Duration
}

const (
	autoFactor = 4
	// AutoMin is the least that a drain timeout of auto comes to.
	AutoMin     = 5 * time.Second
	sampleEvery = time.Second
)

// timeout is how long a drain may last, with the tail that was measured.
func (d DrainSpec) timeout(tail time.Duration) time.Duration {
	if !d.Auto {
		return d.Timeout
	}
	return min(max(autoFactor*tail, AutoMin), d.Timeout)
}

func (d DrainSpec) grace(timeout time.Duration) time.Duration {
	if d.Grace > 0 {
		return min(d.Grace, timeout)
	}
	return min(timeout/5, 5*time.Second)
}

// drain is the end of an instance under way. Whoever began it has made sure that
// no new connection can reach the program.
type drain struct {
	deadline  time.Time // SIGKILL
	quietBy   time.Time // the signal, quiet or not
	haste     Haste
	asked     bool // over the workload API
	signalled bool
	killed    bool
	// left counts the connections that were not quiet when it was last looked,
	// after a signal that came before they were; seen, at seenAt, is the last
	// count above 0.
	left, seen int
	seenAt     time.Time
	pause      time.Duration
	tick       *time.Timer
	report     Report
}

// Haste says how much of a drain there is time for.
type Haste int

const (
	// Orderly waits until the program is quiet before it is told to stop.
	Orderly Haste = iota
	// Stop tells it at once, since new connections still reach it and nobody
	// takes over; it has the whole timeout to end what it has.
	Stop
	// Hurry leaves it a second.
	Hurry
)

// Drain ends the instance. successor is the send end of another generation's
// inbox for connections that can be moved, -1 for none; the instance owns it. A
// second call counts only with more haste.
func (i *Instance) Drain(successor int, haste Haste) {
	i.mail.give(successor, func(l *life) { l.beginDrain(successor, haste) })
}

func (l *life) beginDrain(successor int, haste Haste) {
	if l.drain != nil {
		if haste > l.drain.haste {
			quietBy := l.drain.quietBy
			l.drain.hasten(haste)
			l.askAgain(quietBy, successor)
		}
		closeFD(successor)
		return
	}
	timeout := l.spec.Drain.timeout(l.tail)
	now := time.Now()
	l.drain = &drain{
		deadline: now.Add(timeout), quietBy: now.Add(timeout - l.spec.Drain.grace(timeout)),
		pause: 5 * time.Millisecond, tick: time.NewTimer(0),
	}
	if l.state == Starting && haste == Orderly {
		haste = Stop // it never had work
	}
	l.drain.hasten(haste)
	l.state = Draining
	l.readyTimer.Stop()
	l.checkTimer.Stop()
	l.watchdog.Stop()
	if l.program.attached() && haste != Hurry {
		by := timeout - l.spec.Drain.grace(timeout)
		l.drain.asked = l.program.tell(workload.Message{
			Type: workload.TypeDrain, DeadlineMS: by.Milliseconds(),
			WindowMS: min(l.spec.Drain.Settle, timeout/2).Milliseconds(), Successor: successor >= 0,
		}, successor)
		if l.drain.asked {
			l.drain.quietBy = now.Add(by)
		}
	}
	closeFD(successor)
	l.note(Notice{})
}

// askAgain tells a program that was asked to be quiet by then where its
// connections go now, before the signal comes: where they went may be ending too.
func (l *life) askAgain(quietBy time.Time, successor int) {
	if !l.drain.asked || !l.program.attached() {
		return
	}
	by := max(min(time.Until(quietBy), time.Until(l.drain.deadline)*4/5), time.Millisecond)
	l.program.tell(workload.Message{
		Type: workload.TypeDrain, DeadlineMS: by.Milliseconds(),
		WindowMS: max(min(l.spec.Drain.Settle, by/2).Milliseconds(), 1), Successor: successor >= 0,
	}, successor)
}

func (l *life) drainTick() <-chan time.Time {
	if l.drain == nil {
		return nil
	}
	return l.drain.tick.C
}

// drainStep does what is due and sets the next tick.
func (l *life) drainStep() {
	d := l.drain
	now := time.Now()
	switch {
	case !now.Before(d.deadline):
		if !d.killed {
			d.killed, d.report.Killed = true, true
			d.look(l.busy())
		}
		_ = l.world.Signal(l.ctx, syscall.SIGKILL, true)
		d.tick.Reset(time.Second) // again, should a child have been missed
		return
	case d.signalled:
		next := time.Until(d.deadline)
		if d.look(l.busy()); d.left > 0 {
			next = min(next, signalledEvery)
		}
		d.tick.Reset(next)
		return
	case now.Before(d.quietBy) && (d.asked || l.busy() > 0):
		d.tick.Reset(min(d.pause, time.Until(d.quietBy)))
		d.pause = min(d.pause*3/2, 200*time.Millisecond)
		return
	}
	d.signalled = true
	d.look(l.busy())
	_ = l.world.Signal(l.ctx, l.spec.Drain.Signal, false)
	d.tick.Reset(0)
}

func (d *drain) look(busy int) {
	if d.left = busy; busy > 0 {
		d.seen, d.seenAt = busy, time.Now()
	}
}

// cut is how many connections ended with the program. One that a signal has ended
// had no time to end any, so what was seen just before counts.
func (d *drain) cut(bySignal bool) int {
	if bySignal && time.Since(d.seenAt) < 5*signalledEvery {
		return max(d.left, d.seen)
	}
	return d.left
}

// signalledEvery is how often it is looked which connections a program that was
// told to stop has not ended yet: those of the last look count as cut.
const signalledEvery = 20 * time.Millisecond

// busy counts the connections that are not quiet. What can't be counted is taken
// for one that isn't: then the timeout decides.
func (l *life) busy() int {
	conns, err := l.world.Connections()
	if err != nil {
		l.log.Warn("cannot count connections", "instance", l.spec.ID, "error", err)
		return 1
	}
	return Busy(conns, l.spec.Drain.Settle)
}

// hasten brings forward what there is no time for.
func (d *drain) hasten(haste Haste) {
	d.haste = haste
	now := time.Now()
	if haste >= Stop {
		d.quietBy = now
	}
	if by := now.Add(time.Second); haste == Hurry && by.Before(d.deadline) {
		d.deadline = by
	}
	d.tick.Reset(0)
}

// extend gives a program that asks for it more time, unless there is none.
func (d *drain) extend(at time.Time) {
	if d.haste != Hurry && !d.killed && at.After(d.deadline) {
		d.deadline = at
		if !d.signalled {
			d.quietBy = at.Add(-time.Second)
		}
		d.tick.Reset(0)
	}
}

// sampleTail notes the longest that a client is waiting for its answer now.
func (l *life) sampleTail() {
	if l.state != Ready {
		return
	}
	l.sample.Reset(sampleEvery)
	conns, err := l.world.Connections()
	if err != nil {
		return
	}
	for _, c := range conns {
		if c.Open && c.Received > 0 && c.SinceReceived < c.SinceSent {
			l.tail = max(l.tail, c.SinceReceived)
		}
	}
}

// String says how a drain ended, for the log.
func (r Report) String() string {
	return fmt.Sprintf("moved %d, told %d, cut %d", r.Moved, r.Told, r.Cut)
}
