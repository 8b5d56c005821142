package zdapp

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"
)

// lane is a listening socket whose accept can be woken: *net.TCPListener and *net.UnixListener are.
type lane interface {
	net.Listener
	SetDeadline(time.Time) error
}

// intake is the listener that net/http gets: connections come from the lane and, moved, from the inbox. It can stop
// taking from the lane and leave its queue to whoever else holds it.
type intake struct {
	name   string
	lane   lane
	secure bool // net/http speaks TLS on it
	fleet  *fleet
	log    *slog.Logger

	stile *turnstile
	next  chan *conn

	asked chan struct{} // closed when net/http accepts for the first time
	shut  chan struct{}
	ask   sync.Once
	once  sync.Once
}

func newIntake(name string, l lane, f *fleet, log *slog.Logger) *intake {
	return &intake{
		name: name, lane: l, fleet: f, log: log, stile: newTurnstile(),
		next: make(chan *conn), asked: make(chan struct{}), shut: make(chan struct{}),
	}
}

// run takes connections from the lane until Close.
func (in *intake) run() {
	var backoff time.Duration
	for in.stile.enter() {
		c, err := in.take()
		in.stile.leave()
		switch {
		case err == nil:
			backoff = 0
			in.deliver(c)
		case errors.Is(err, os.ErrDeadlineExceeded):
		case errors.Is(err, net.ErrClosed):
			return
		default:
			backoff = min(max(2*backoff, 5*time.Millisecond), time.Second)
			in.log.Warn("cannot accept", "listener", in.name, "retry", backoff, "error", err)
			select {
			case <-time.After(backoff):
			case <-in.shut:
			}
		}
	}
}

func (in *intake) take() (*conn, error) {
	nc, err := in.lane.Accept()
	if err != nil {
		return nil, err
	}
	c, err := newConn(nc, in.name, 0, in.fleet)
	if err != nil {
		_ = nc.Close()
		return nil, err
	}
	in.fleet.tally.accepted.Add(1)
	return c, nil
}

// deliver hands the connection to net/http, or closes it if net/http takes no more.
func (in *intake) deliver(c *conn) {
	select {
	case in.next <- c:
	case <-in.shut:
		_ = c.Close()
	}
}

// pause stops taking connections. The lane stays open and keeps its queue for its other holders.
func (in *intake) pause() {
	in.stile.pause(func() { _ = in.lane.SetDeadline(longAgo) })
}

// retire is pause for a lane that nobody else holds, for good: what comes into the queue within 20 ms is taken, and
// the lane is closed, so that later clients are refused at once instead of reset at the end.
func (in *intake) retire() {
	in.pause()
	_ = in.lane.SetDeadline(time.Now().Add(20 * time.Millisecond))
	for {
		c, err := in.take()
		if err != nil {
			break
		}
		go in.deliver(c)
	}
	_ = in.lane.Close()
}

// Accept gives net/http the next connection.
func (in *intake) Accept() (net.Conn, error) {
	in.ask.Do(func() { close(in.asked) })
	select {
	case c := <-in.next:
		return c, nil
	case <-in.shut:
		return nil, net.ErrClosed
	}
}

// Close closes our descriptor of the lane and ends run.
func (in *intake) Close() error {
	in.once.Do(func() { close(in.shut) })
	in.stile.close(func() { _ = in.lane.Close() })
	return nil
}

func (in *intake) Addr() net.Addr { return in.lane.Addr() }
