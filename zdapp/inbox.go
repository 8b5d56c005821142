package zdapp

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/zdhost/zdhost/zdapp/workload"
)

// inbox is where connections arrive that others move here. It is shared with the sibling instances: whoever reads a
// connection has it. What there are no descriptors for stays in the inbox.
type inbox struct {
	conn    *workload.Conn
	welcome func(nc net.Conn, listener string, requests uint64) // must not wait
	tally   *tally
	log     *slog.Logger
	stile   *turnstile
	shut    chan struct{}
}

// newInbox takes over the descriptor.
func newInbox(fd int, welcome func(net.Conn, string, uint64), t *tally, log *slog.Logger) (*inbox, error) {
	c, err := workload.NewConn(fd)
	if err != nil {
		return nil, err
	}
	return &inbox{conn: c, welcome: welcome, tally: t, log: log, stile: newTurnstile(), shut: make(chan struct{})}, nil
}

// run takes connections until close, or until the inbox breaks.
func (b *inbox) run() {
	var backoff time.Duration
	for b.stile.enter() {
		err := b.conn.Await()
		if err == nil {
			err = b.receive()
		}
		b.stile.leave()
		switch {
		case err == nil:
			backoff = 0
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, workload.ErrEmpty): // paused, or a sibling was quicker
		case errors.Is(err, errNoRoom):
			backoff = min(max(2*backoff, 5*time.Millisecond), time.Second)
			b.log.Warn("cannot take moved connections; they wait", "retry", backoff, "error", err)
			select {
			case <-time.After(backoff):
			case <-b.shut:
			}
		default:
			if !errors.Is(err, os.ErrClosed) {
				b.log.Warn("cannot read inbox", "error", err)
			}
			return
		}
	}
}

// pause stops reading, after it has taken what was there already: it may be that nobody else reads it.
func (b *inbox) pause() {
	b.halt()
	_ = b.conn.SetReadDeadline(time.Time{})
	for range 10_000 { // as others may go on sending
		if err := b.receive(); err != nil {
			if errors.Is(err, errNoRoom) {
				b.log.Warn("moved connections are left to others", "error", err)
			}
			return
		}
	}
}

// halt stops reading at once.
func (b *inbox) halt() {
	b.stile.pause(func() { _ = b.conn.SetReadDeadline(longAgo) })
}

// close ends run; what is in the inbox is left to others. It is called once.
func (b *inbox) close() {
	b.halt()
	close(b.shut)
	b.stile.close(func() { _ = b.conn.Close() })
}

// receive takes the next connection if one is there and there is room for it.
func (b *inbox) receive() error {
	r, err := reserve(b.conn.SyscallConn())
	if err != nil {
		return err
	}
	defer r.giveUp()
	r.yield()
	m, fds, err := b.conn.TryReceive()
	if errors.Is(err, workload.ErrTruncated) { // somebody else took the room
		b.lose(err)
		return nil
	}
	if err != nil {
		return err
	}
	r.yield()
	b.take(m, fds)
	return nil
}

// lose notes the end of a connection that nobody has any more.
func (b *inbox) lose(err error) {
	b.tally.cut.Add(1)
	b.log.Error("cannot take a moved connection", "error", err)
}

func (b *inbox) take(m workload.Message, fds []int) {
	if m.Type != workload.TypeMove || len(fds) != 1 {
		workload.CloseAll(fds)
		b.log.Warn("ignored a message in the inbox", "type", m.Type, "descriptors", len(fds))
		return
	}
	nc, err := connOf(fds[0])
	if err != nil {
		b.lose(err)
		return
	}
	b.welcome(nc, m.Listener, m.Requests)
}

// connOf turns a descriptor into a connection. It closes the descriptor.
func connOf(fd int) (net.Conn, error) {
	file, err := fileOf(fd, "connection")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	nc, err := net.FileConn(file)
	if err != nil {
		return nil, fmt.Errorf("cannot use descriptor %d: %w", fd, err)
	}
	return nc, nil
}
