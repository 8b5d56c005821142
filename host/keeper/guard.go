package keeper

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/internal/seqpacket"
)

// guard keeps a host running and owns the link to it.
type guard struct {
	k        *Keeper
	pid      int
	epoch    int // counts the hosts; what belongs to an older one is ignored
	link     *link
	out      chan message
	hello    bool
	served   bool // some host has served: from then on it is always restarted
	since    time.Time
	backoff  time.Duration
	restarts int
}

const (
	firstBackoff = 10 * time.Millisecond
	maxBackoff   = 5 * time.Second
	// steady is how long a host must live for the backoff to begin anew.
	steady = 10 * time.Second
	// maxPending is how many messages may wait for a host that doesn't read;
	// with more it is taken for hung and its link is cut.
	maxPending = 8192
)

func newGuard(k *Keeper) *guard { return &guard{k: k, backoff: firstBackoff} }

func (g *guard) linked() bool { return g.link != nil && g.hello }

func (g *guard) start() error {
	ours, theirs, err := seqpacket.Pair()
	if err != nil {
		return err
	}
	defer unix.Close(theirs)
	g.pid, err = syscall.ForkExec("/proc/self/exe", g.k.opts.Host, &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: []uintptr{0, 1, 2, uintptr(theirs)},
		Sys:   &syscall.SysProcAttr{Setpgid: true},
	})
	if err != nil {
		_ = unix.Close(ours)
		return fmt.Errorf("cannot start the host: %w", err)
	}
	g.epoch++
	g.since, g.hello = time.Now(), false
	if g.link, err = newLink(ours); err != nil {
		return err
	}
	g.out = make(chan message, maxPending)
	go sendAll(g.link, g.out)
	go g.receiveAll(g.link, g.epoch)
	return nil
}

// sendAll sends until out is closed; descriptors of events are duplicates that
// end here.
func sendAll(l *link, out <-chan message) {
	var failed error
	for m := range out {
		if failed == nil {
			failed = l.send(m)
		}
		seqpacket.CloseAll(m.fds)
	}
	l.close()
}

func (g *guard) receiveAll(l *link, epoch int) {
	for {
		m, err := l.receive()
		if err != nil {
			g.k.post(func() { g.cut(epoch) })
			return
		}
		m.epoch = epoch
		done := make(chan struct{})
		g.k.post(func() {
			if g.epoch == epoch {
				g.k.serve(m)
			} else {
				seqpacket.CloseAll(m.fds)
			}
			close(done)
		})
		<-done
	}
}

// send queues m for the host and takes over its descriptors.
func (g *guard) send(m message) {
	if g.out == nil {
		seqpacket.CloseAll(m.fds)
		return
	}
	select {
	case g.out <- m:
	default:
		seqpacket.CloseAll(m.fds)
		g.k.log.Error("the host reads nothing; its link is cut", "pid", g.pid)
		g.cut(g.epoch)
	}
}

// cut ends the link. A host whose link is cut exits and is started again.
func (g *guard) cut(epoch int) {
	if epoch != g.epoch || g.link == nil {
		return
	}
	close(g.out)
	g.link, g.out, g.hello = nil, nil, false
	if g.pid != 0 {
		pid := g.pid
		time.AfterFunc(2*time.Second, func() {
			g.k.post(func() {
				if g.pid == pid && g.epoch == epoch {
					_ = unix.Kill(pid, unix.SIGKILL)
				}
			})
		})
	}
}

func (g *guard) signal(s syscall.Signal) {
	if g.pid != 0 {
		_ = unix.Kill(g.pid, s)
	}
}

func (g *guard) kill() { g.signal(unix.SIGKILL) }

// exited is called for every process that is no child of the children's table.
func (g *guard) exited(pid int, ws unix.WaitStatus) {
	if pid != g.pid {
		return // an orphan of an instance
	}
	g.cut(g.epoch)
	g.pid = 0
	switch {
	case g.k.ended:
	case !g.served:
		g.k.code, g.k.ended = max(ws.ExitStatus(), 1), true
	case g.k.stopping:
		g.k.stopChildren()
	default:
		g.restart(ws)
	}
}

func (g *guard) restart(ws unix.WaitStatus) {
	if time.Since(g.since) > steady {
		g.backoff = firstBackoff
	}
	wait := g.backoff
	g.backoff = min(2*g.backoff, maxBackoff)
	g.restarts++
	e := Exit{Code: ws.ExitStatus()}
	if ws.Signaled() {
		e.Signal = ws.Signal()
	}
	g.k.log.Warn("the host ended; services go on", "how", e.String(), "restart_in", wait)
	time.AfterFunc(wait, func() {
		g.k.post(func() {
			if g.pid != 0 || g.k.ended || g.k.stopping {
				return
			}
			if err := g.start(); err != nil {
				g.k.log.Error("cannot start the host", "error", err)
				g.restart(unix.WaitStatus(0))
			}
		})
	})
}

// tell sends an event with an optional descriptor, of which the host gets a
// duplicate. Without a host it is dropped: the next one asks for the state.
func (k *Keeper) tell(e Event, fd int) {
	if !k.host.linked() {
		return
	}
	body, err := json.Marshal(e)
	if err != nil {
		k.log.Error("cannot tell the host", "event", e.Kind, "error", err)
		return
	}
	m := message{Kind: e.Kind, Body: body}
	if fd >= 0 {
		dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			k.log.Error("cannot tell the host", "event", e.Kind, "error", err)
			return
		}
		m.fds = []int{dup}
	}
	k.host.send(m)
}

var errNoHello = errors.New("cannot serve the host: it has not said hello")
