package keeper

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// signals are what the keeper is sent. Children that end in a crowd must not
// crowd out an order.
type signals struct {
	children chan os.Signal // one stands for all: reap collects whoever has ended
	orders   chan os.Signal
}

func takeSignals() signals {
	s := signals{children: make(chan os.Signal, 1), orders: make(chan os.Signal, 16)}
	signal.Notify(s.children, unix.SIGCHLD)
	signal.Notify(s.orders, unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2)
	return s
}

func (s signals) stop() {
	signal.Stop(s.children)
	signal.Stop(s.orders)
}

func (k *Keeper) signalled(s syscall.Signal) {
	switch s {
	case unix.SIGTERM, unix.SIGINT:
		k.stop(k.stopping)
	default:
		k.host.signal(s)
	}
}

const (
	// stopGrace is what children get after SIGTERM where no host is there to drain
	// them.
	stopGrace = 10 * time.Second
	// urgentGrace is what a host gets for a stop that hurries: a second for its
	// instances, five for its leave of the keeper, and some for the journal.
	urgentGrace = 10 * time.Second
)

// stop asks the host to end everything in order, or does it without one. A host
// that was asked to hurry and does not is done without.
func (k *Keeper) stop(urgent bool) {
	k.stopping = true
	if !k.host.linked() {
		k.stopChildren()
		return
	}
	k.tellStop(urgent)
	if !urgent || k.hurried {
		return
	}
	k.hurried = true
	time.AfterFunc(urgentGrace, func() { k.post(k.stopWithoutHost) })
}

func (k *Keeper) tellStop(urgent bool) { k.tell(Event{Kind: EventStop, Urgent: urgent}, -1) }

func (k *Keeper) stopWithoutHost() {
	if k.ended || !k.host.linked() {
		return
	}
	k.log.Error("the host stops nothing; everything is stopped without it", "pid", k.host.pid)
	k.host.cut(k.host.epoch)
	k.host.kill()
	k.stopChildren()
}

// stopChildren may be called again: what is left is told again.
func (k *Keeper) stopChildren() {
	for _, c := range k.children {
		_ = c.signal(unix.SIGTERM, false)
	}
	time.AfterFunc(stopGrace, func() { k.post(func() { k.ended = true }) })
	k.endIfEmpty()
}

// endIfEmpty ends a keeper that is stopping by itself once no child is left.
func (k *Keeper) endIfEmpty() {
	if !k.stopping || k.host.linked() {
		return
	}
	for _, c := range k.children {
		if c.exit == nil {
			return
		}
	}
	k.ended = true
}
