package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"syscall"

	"github.com/zdhost/zdhost/internal/seqpacket"
)

// LinkFD is the descriptor at which a host finds its link to the keeper.
const LinkFD = 3

// ErrCut reports that the keeper is gone or has cut the link. The host must end:
// its keeper starts the next one.
var ErrCut = errors.New("the link to the keeper is cut")

// Client is the host's side of the link. Its methods may be called from any
// goroutine.
type Client struct {
	link   *link
	events chan Event

	mu      sync.Mutex // guards what follows; never held over a send
	next    uint64
	waiting map[uint64]chan message
	err     error
	pending []Event

	more    chan struct{} // some event is pending; closed at the end
	sending sync.Mutex    // guards the link's sending half: one message at a time
}

// NewClient takes over the link's descriptor.
func NewClient(fd int) (*Client, error) {
	l, err := newLink(fd)
	if err != nil {
		return nil, err
	}
	return &Client{link: l, events: make(chan Event, 64), more: make(chan struct{}, 1), waiting: map[uint64]chan message{}}, nil
}

// Run receives until the link is cut, and returns why.
func (c *Client) Run() error {
	go c.pump()
	for {
		m, err := c.link.receive()
		if err != nil {
			c.fail(fmt.Errorf("%w: %w", ErrCut, err))
			return err
		}
		if m.ID == 0 {
			c.event(m)
			continue
		}
		c.mu.Lock()
		reply := c.waiting[m.ID]
		delete(c.waiting, m.ID)
		c.mu.Unlock()
		if reply == nil {
			seqpacket.CloseAll(m.fds)
			continue
		}
		reply <- m
	}
}

// Events delivers what the keeper tells by itself; it is closed when the link is
// cut. The receiver owns an event's descriptor.
func (c *Client) Events() <-chan Event { return c.events }

func (c *Client) event(m message) {
	e := Event{FD: -1}
	if err := json.Unmarshal(m.Body, &e); err != nil {
		seqpacket.CloseAll(m.fds)
		return
	}
	if len(m.fds) == 1 {
		e.FD = m.fds[0]
	} else {
		seqpacket.CloseAll(m.fds)
	}
	c.mu.Lock()
	c.pending = append(c.pending, e)
	c.mu.Unlock()
	select {
	case c.more <- struct{}{}:
	default:
	}
}

// pump hands events on in their order, so that replies never wait behind events
// that nobody takes yet.
func (c *Client) pump() {
	defer close(c.events)
	for range c.more {
		c.mu.Lock()
		batch := c.pending
		c.pending = nil
		c.mu.Unlock()
		for _, e := range batch {
			c.events <- e
		}
	}
}

func (c *Client) fail(err error) {
	c.mu.Lock()
	c.err = err
	waiting := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	for _, reply := range waiting {
		close(reply)
	}
	close(c.more)
}

// Close cuts the link.
func (c *Client) Close() { c.link.close() }

// Hello greets the keeper, which tells what it holds. It comes first.
func (c *Client) Hello(ctx context.Context) (Welcome, error) {
	var w Welcome
	_, err := c.call(ctx, kindHello, helloRequest{Version: Version}, &w)
	return w, err
}

// Bind has a socket bound and held by the keeper; the duplicate is the caller's.
// A unix socket answers at the private path until it is published.
func (c *Client) Bind(ctx context.Context, r BindRequest) (fd int, private string, err error) {
	var reply bindReply
	fds, err := c.call(ctx, kindBind, r, &reply)
	fd, err = one(fds, err)
	return fd, reply.Private, err
}

// Publish gives a unix listener's path to one of its sockets: one rename, by which
// new connections reach it.
func (c *Client) Publish(ctx context.Context, name string) error {
	_, err := c.call(ctx, kindPublish, namesRequest{Names: []string{name}}, nil)
	return err
}

// Stash has the keeper hold a duplicate of fd under a name.
func (c *Client) Stash(ctx context.Context, name string, fd int, meta json.RawMessage) error {
	_, err := c.call(ctx, kindStash, stashRequest{Name: name, Meta: meta}, nil, fd)
	return err
}

// Fetch returns duplicates of named descriptors, in order; all or none.
func (c *Client) Fetch(ctx context.Context, names ...string) ([]int, error) {
	return c.call(ctx, kindFetch, namesRequest{Names: names}, nil)
}

// Drop has the keeper close descriptors; a unix socket's path goes with it.
func (c *Client) Drop(ctx context.Context, names ...string) error {
	_, err := c.call(ctx, kindDrop, namesRequest{Names: names}, nil)
	return err
}

// Spawn starts a program and returns when it has been executed. An *Error says
// at which step it failed.
func (c *Client) Spawn(ctx context.Context, s Spawn) (Child, error) {
	var child Child
	_, err := c.call(ctx, kindSpawn, s, &child)
	return child, err
}

// SetRules replaces the rules by which a child's binds are answered.
func (c *Client) SetRules(ctx context.Context, child string, rules []Rule) error {
	_, err := c.call(ctx, kindRules, rulesRequest{Child: child, Rules: rules}, nil)
	return err
}

// Signal sends a signal to a child's main process, or to all that belong to it.
// The error is ESRCH where the main process has ended.
func (c *Client) Signal(ctx context.Context, child string, sig syscall.Signal, group bool) error {
	_, err := c.call(ctx, kindSignal, signalRequest{Child: child, Signal: sig, Group: group}, nil)
	return err
}

// Forget drops children, and kills what is left of them.
func (c *Client) Forget(ctx context.Context, children ...string) error {
	_, err := c.call(ctx, kindForget, namesRequest{Names: children}, nil)
	return err
}

// Serving says that the first start has succeeded: from now on the keeper starts
// the host again when it ends.
func (c *Client) Serving(ctx context.Context) error {
	_, err := c.call(ctx, kindServing, struct{}{}, nil)
	return err
}

// Shutdown ends the keeper, with everything that is left, with this exit status.
func (c *Client) Shutdown(ctx context.Context, code int) error {
	_, err := c.call(ctx, kindShutdown, shutdownRequest{Code: code}, nil)
	return err
}

// call sends a request and waits for its reply, whose descriptors are the
// caller's.
func (c *Client) call(ctx context.Context, kind string, body, into any, fds ...int) ([]int, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	reply := make(chan message, 1)
	c.mu.Lock()
	if c.err != nil {
		defer c.mu.Unlock()
		return nil, c.err
	}
	c.next++
	id := c.next
	c.waiting[id] = reply
	c.mu.Unlock()

	c.sending.Lock()
	err = c.link.send(message{ID: id, Kind: kind, Body: b, fds: fds})
	c.sending.Unlock()
	if err != nil {
		c.abandon(id)
		return nil, fmt.Errorf("%w: %w", ErrCut, err)
	}
	select {
	case m, ok := <-reply:
		if !ok {
			return nil, ErrCut
		}
		return decode(m, into)
	case <-ctx.Done():
		c.abandon(id)
		select { // a reply that came at the same moment
		case m, ok := <-reply:
			if ok {
				seqpacket.CloseAll(m.fds)
			}
		default:
		}
		return nil, ctx.Err()
	}
}

func (c *Client) abandon(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, id)
}

func decode(m message, into any) ([]int, error) {
	if m.Error != nil {
		seqpacket.CloseAll(m.fds)
		return nil, m.Error
	}
	if into != nil {
		if err := json.Unmarshal(m.Body, into); err != nil {
			seqpacket.CloseAll(m.fds)
			return nil, fmt.Errorf("cannot read the keeper's reply: %w", err)
		}
	}
	return m.fds, nil
}

func one(fds []int, err error) (int, error) {
	if err != nil {
		return -1, err
	}
	if len(fds) != 1 {
		seqpacket.CloseAll(fds)
		return -1, fmt.Errorf("cannot read the keeper's reply: %d descriptors", len(fds))
	}
	return fds[0], nil
}
