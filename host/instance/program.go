package instance

import (
	"errors"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zdhost/zdhost/zdapp/workload"
)

// program is the instance's side of the workload API: the connection on which
// its program speaks, if it does. A nil program is one that doesn't.
type program struct {
	conn  *workload.Conn
	epoch uint64
	moves bool
	// quiesced is set from the moment it is asked to move its connections until
	// it says that it has resumed.
	quiesced bool
}

func (p *program) quiescent() bool { return p != nil && p.quiesced }

func (p *program) attached() bool { return p != nil && p.conn != nil }

// tell sends m with a descriptor that stays the caller's, and reports whether it
// went out. It is numbered so that the answer can be told from an older one.
func (p *program) tell(m workload.Message, fd int) bool {
	p.epoch++
	m.V, m.Epoch = workload.Version, p.epoch
	var fds []int
	if fd >= 0 {
		fds = []int{fd}
	}
	return send(p.conn, m, fds...)
}

// sendTimeout bounds a send: whoever doesn't read must not hold up the deadlines.
const sendTimeout = 100 * time.Millisecond

// send closes a connection on which the message can't go out; a program that
// still wants one dials again.
func send(c *workload.Conn, m workload.Message, fds ...int) bool {
	_ = c.SetWriteDeadline(time.Now().Add(sendTimeout))
	err := c.Send(m, fds...)
	if err != nil {
		_ = c.Close()
	}
	return err == nil
}

func (p *program) close() {
	if p.attached() {
		_ = p.conn.Close()
	}
}

// listenWorkload accepts the program's connections until the instance ends; the
// newest one counts, since a program dials again only when it lost the other.
func (l *life) listenWorkload(fd int) {
	if fd < 0 {
		return
	}
	lis, err := workload.NewListener(fd)
	if err != nil {
		l.log.Error("cannot serve the workload API", "instance", l.spec.ID, "error", err)
		return
	}
	go func() { <-l.ctx.Done(); _ = lis.Close() }()
	go func() {
		for {
			c, err := lis.Accept()
			if errors.Is(err, os.ErrClosed) {
				return
			}
			if err == nil {
				go l.receive(c)
			}
		}
	}()
}

func (l *life) receive(c *workload.Conn) {
	defer l.hear(func(l *life) {
		if l.program != nil && l.program.conn == c {
			l.program.conn = nil
		}
	})
	defer c.Close()
	stop := closeAtEnd(l, c)
	defer stop()
	for {
		m, fds, err := c.Receive()
		for _, fd := range fds {
			closeFD(fd)
		}
		if err != nil {
			return
		}
		l.hear(func(l *life) { l.heard(c, m) })
	}
}

// closeAtEnd closes c when the instance ends, unless stop was called.
func closeAtEnd(l *life, c *workload.Conn) (stop func()) {
	over := make(chan struct{})
	go func() {
		select {
		case <-l.ctx.Done():
			_ = c.Close()
		case <-over:
		}
	}()
	return func() { close(over) }
}

func (l *life) heard(c *workload.Conn, m workload.Message) {
	if m.Type != workload.TypeHello && (l.program == nil || l.program.conn != c) {
		return // it has not said hello, or a newer connection has
	}
	switch m.Type {
	case workload.TypeHello:
		l.greet(c, m)
	case workload.TypeLanes:
		l.giveLanes(c)
	case workload.TypeReady:
		l.ready.said = true
		l.consider()
	case workload.TypeResumed:
		l.program.quiesced = false
		l.note(Notice{})
	case workload.TypeStats, workload.TypeQuiesced, workload.TypeDrained:
		s := m.Stats
		l.stats = &s
		l.note(Notice{})
	}
}

func (l *life) greet(c *workload.Conn, m workload.Message) {
	if l.program == nil {
		l.program = &program{}
	}
	if old := l.program.conn; old != nil && old != c {
		_ = old.Close()
	}
	if l.stats == nil {
		l.stats = &workload.Stats{} // it counts, and has nothing to tell yet
	}
	l.program.conn, l.program.moves = c, m.Moves
	l.program.quiesced = m.Phase == workload.PhaseQuiesced
	l.program.epoch = max(l.program.epoch, m.Epoch)
	l.ready.adopts = false // its lanes are given, not bound
	l.ready.needsWord = true
	inbox, err := l.world.Inbox()
	if err != nil {
		l.log.Error("cannot give the inbox", "instance", l.spec.ID, "error", err)
		inbox = -1
	}
	var fds []int
	if inbox >= 0 {
		fds = []int{inbox}
	}
	send(c, workload.Message{
		Type: workload.TypeWelcome, V: workload.Version,
		Service: l.spec.Service, Generation: l.spec.Generation, Instance: l.spec.ID,
	}, fds...)
	closeFD(inbox)
	if m.Ready {
		l.ready.said = true
		l.consider()
	}
	l.note(Notice{})
}

func (l *life) giveLanes(c *workload.Conn) {
	names, addresses, fds, err := l.world.Lanes()
	if err != nil {
		l.log.Error("cannot give lanes", "instance", l.spec.ID, "error", err)
	}
	send(c, workload.Message{Type: workload.TypeLanes, Names: names, Addresses: addresses}, fds...)
	for _, fd := range fds {
		closeFD(fd)
	}
}

// Quiesce has a program that speaks the workload API move what it can into
// successor, an inbox's send end that the instance owns. One that drains already
// has another successor from then on. Programs that don't speak it go on: their
// connections stay theirs.
func (i *Instance) Quiesce(successor int) {
	i.mail.give(successor, func(l *life) {
		m := workload.Message{Type: workload.TypeQuiesce, Successor: successor >= 0}
		switch {
		case !l.program.attached():
		case l.drain != nil && l.drain.asked:
			l.program.tell(m, successor)
		case l.drain == nil && l.state == Ready:
			l.program.quiesced = l.program.tell(m, successor)
			l.note(Notice{})
		}
		closeFD(successor)
	})
}

// Resume takes a Quiesce back.
func (i *Instance) Resume() {
	i.mail.put(func(l *life) {
		if l.program.attached() && l.drain == nil {
			l.program.tell(workload.Message{Type: workload.TypeResume}, -1)
		}
	})
}

// listenNotify reads NOTIFY_SOCKET until the instance ends.
func (l *life) listenNotify(fd int) {
	if fd < 0 {
		return
	}
	f := os.NewFile(uintptr(fd), "notify")
	conn, err := net.FilePacketConn(f)
	_ = f.Close()
	if err != nil {
		l.log.Error("cannot hear notifications", "instance", l.spec.ID, "error", err)
		return
	}
	go func() { <-l.ctx.Done(); _ = conn.Close() }()
	go func() {
		buf := make([]byte, 4096)
		for {
			n, _, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			note := ParseNotification(buf[:n])
			l.hear(func(l *life) { l.notified(note) })
		}
	}()
}

func closeFD(fd int) {
	if fd >= 0 {
		_ = unix.Close(fd)
	}
}
