package zdapp

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/zdhost/zdhost/zdapp/workload"
)

// movePatience bounds how long one connection waits for room in the successor's inbox, in which nobody answers it.
const movePatience = time.Second

// outbox is the way to the successor: the send end of its inbox.
type outbox struct {
	conn   *workload.Conn
	log    *slog.Logger
	failed atomic.Bool
}

// newOutbox takes over the descriptor.
func newOutbox(fd int, log *slog.Logger) (*outbox, error) {
	c, err := workload.NewConn(fd)
	if err != nil {
		return nil, err
	}
	return &outbox{conn: c, log: log}, nil
}

// send gives the socket away. After an error the socket is still ours, and was not given away.
func (o *outbox) send(socket syscall.RawConn, listener string, requests uint64) error {
	m := workload.Message{Type: workload.TypeMove, V: workload.Version, Listener: listener, Stats: workload.Stats{Requests: requests}}
	err := o.sendBefore(time.Now().Add(movePatience), socket, m)
	if err != nil && !o.failed.Swap(true) {
		o.log.Warn("cannot move connections", "listener", listener, "error", err)
	}
	return err
}

func (o *outbox) sendBefore(deadline time.Time, socket syscall.RawConn, m workload.Message) error {
	_ = o.conn.SetWriteDeadline(deadline)
	for pause := time.Millisecond; ; pause *= 2 {
		var sent error
		if err := socket.Control(func(fd uintptr) { sent = o.conn.Send(m, int(fd)) }); err != nil {
			return err
		}
		if !errors.Is(sent, workload.ErrCongested) || time.Now().Add(pause).After(deadline) {
			return sent
		}
		<-time.After(pause)
	}
}

func (o *outbox) close() { _ = o.conn.Close() }
