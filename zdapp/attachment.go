package zdapp

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/zdhost/zdhost/zdapp/workload"
)

const (
	dialFirst    = 20 * time.Millisecond  // pause after the first failure to reach the host
	dialMost     = 2 * time.Second        // longest pause between two attempts
	hostPatience = 250 * time.Millisecond // how long a send may wait for a host that doesn't read
)

// ask is a message from the host with its descriptors, which whoever handles it must close.
type ask struct {
	workload.Message
	fds []int
}

// claim returns the only descriptor of the ask, or -1, and closes what else came.
func (a *ask) claim() int {
	fds := a.fds
	a.fds = nil
	if len(fds) == 1 {
		return fds[0]
	}
	workload.CloseAll(fds)
	return -1
}

// attachment is the line to the host. It breaks when the host restarts, and comes back: the program serves meanwhile.
type attachment struct {
	path string
	asks chan<- ask
	log  *slog.Logger

	mu     sync.Mutex
	conn   *workload.Conn    // nil while there is no host
	hello  workload.Message  // what a new host is told first
	lanes  bool              // lanes are wanted
	answer *workload.Message // the last answer; a new host may not have got it
}

func newAttachment(path string, hello workload.Message, lanes bool, asks chan<- ask, log *slog.Logger) *attachment {
	return &attachment{path: path, hello: hello, lanes: lanes, asks: asks, log: log}
}

// run keeps the line up until ctx ends.
func (a *attachment) run(ctx context.Context) {
	pause := dialFirst
	for ctx.Err() == nil {
		heard := false
		c, err := workload.Dial(ctx, a.path)
		if err == nil {
			heard, err = a.speak(ctx, c)
		}
		if heard {
			pause = dialFirst
		}
		if ctx.Err() != nil {
			return
		}
		a.log.Debug("no host", "socket", a.path, "retry", pause, "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(pause/2 + rand.N(pause)):
		}
		pause = min(2*pause, dialMost)
	}
}

// speak says hello and hands on what the host says, until the line breaks. Heard says that there was a host.
func (a *attachment) speak(ctx context.Context, c *workload.Conn) (heard bool, err error) {
	stop := context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(longAgo) })
	defer stop()
	defer a.disconnect(c)
	if err := a.connect(c); err != nil {
		return false, err
	}
	for ; ; heard = true {
		m, fds, err := c.Receive()
		switch {
		case errors.Is(err, workload.ErrTruncated):
			a.log.Error("cannot understand the host", "error", err)
			return heard, err
		case err != nil:
			return heard, err
		}
		switch m.Type {
		case workload.TypeWelcome, workload.TypeLanes, workload.TypeQuiesce, workload.TypeResume, workload.TypeDrain:
			select {
			case a.asks <- ask{m, fds}:
			case <-ctx.Done():
				workload.CloseAll(fds)
				return true, ctx.Err()
			}
		default:
			workload.CloseAll(fds)
		}
	}
}

// connect tells a new host where the program stands. It holds the lock so that nothing overtakes the hello; a fresh
// socket has room for all of it, so nothing waits.
func (a *attachment) connect(c *workload.Conn) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	first := []workload.Message{a.hello}
	if a.lanes {
		first = append(first, workload.Message{Type: workload.TypeLanes})
	}
	if a.hello.Ready {
		first = append(first, workload.Message{Type: workload.TypeReady})
	}
	if a.answer != nil {
		first = append(first, *a.answer)
	}
	_ = c.SetWriteDeadline(time.Now().Add(hostPatience))
	for _, m := range first {
		if err := c.Send(m); err != nil {
			return err
		}
	}
	a.conn = c
	return nil
}

func (a *attachment) disconnect(c *workload.Conn) {
	a.mu.Lock()
	a.conn = nil
	a.mu.Unlock()
	_ = c.Close()
}

// reach notes how far the program has come, for hosts to come.
func (a *attachment) reach(phase string, epoch uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hello.Phase, a.hello.Epoch = phase, epoch
}

// ready says that the program serves, now and to hosts to come.
func (a *attachment) ready() {
	a.mu.Lock()
	a.hello.Ready, a.lanes = true, false
	a.mu.Unlock()
	a.send(workload.Message{Type: workload.TypeReady})
}

// reply sends an answer, now or to the next host.
func (a *attachment) reply(m workload.Message) {
	a.mu.Lock()
	a.answer = &m
	a.mu.Unlock()
	a.send(m)
}

// send sends what may get lost. A host that doesn't read for hostPatience loses the line.
func (a *attachment) send(m workload.Message) {
	a.mu.Lock()
	c := a.conn
	a.mu.Unlock()
	if c == nil {
		return
	}
	_ = c.SetWriteDeadline(time.Now().Add(hostPatience))
	if err := c.Send(m); err != nil {
		if !errors.Is(err, os.ErrClosed) && !errors.Is(err, io.EOF) {
			a.log.Debug("lost the host", "error", err)
		}
		_ = c.Close()
	}
}
