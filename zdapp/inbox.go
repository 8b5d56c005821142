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
// connection has it.
type inbox struct {
	conn    *workload.Conn
	welcome func(nc net.Conn, listener string, requests uint64) // must not wait
	log     *slog.Logger
	stile   *turnstile
}

// newInbox takes over the descriptor.
func newInbox(fd int, welcome func(net.Conn, string, uint64), log *slog.Logger) (*inbox, error) {
	c, err := workload.NewConn(fd)
	if err != nil {
		return nil, err
	}
	return &inbox{conn: c, welcome: welcome, log: log, stile: newTurnstile()}, nil
}

// run takes connections until close, or until the inbox breaks.
func (b *inbox) run() {
	for b.stile.enter() {
		m, fds, err := b.conn.Receive()
		if err == nil {
			b.take(m, fds)
		}
		b.stile.leave()
		switch {
		case err == nil, errors.Is(err, os.ErrDeadlineExceeded):
		case errors.Is(err, workload.ErrTruncated):
			b.log.Error("cannot take a moved connection", "error", err)
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
		m, fds, err := b.conn.TryReceive()
		if err != nil {
			return
		}
		b.take(m, fds)
	}
}

// halt stops reading at once.
func (b *inbox) halt() {
	b.stile.pause(func() { _ = b.conn.SetReadDeadline(longAgo) })
}

// close ends run; what is in the inbox is left to others.
func (b *inbox) close() {
	b.halt()
	b.stile.close(func() { _ = b.conn.Close() })
}

func (b *inbox) take(m workload.Message, fds []int) {
	if m.Type != workload.TypeMove || len(fds) != 1 {
		workload.CloseAll(fds)
		b.log.Warn("ignored a message in the inbox", "type", m.Type, "descriptors", len(fds))
		return
	}
	nc, err := connOf(fds[0])
	if err != nil {
		b.log.Error("cannot take a moved connection", "error", err)
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
