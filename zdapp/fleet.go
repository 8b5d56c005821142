package zdapp

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// fleet is every open connection of the program, in whatever state, and what is wanted of all of them.
type fleet struct {
	tally   tally
	buffer  int                             // net/http's read buffer in bytes; 0: nothing can move
	rule    func(*stillness, int, int) bool // stillness.movable
	route   atomic.Pointer[outbox]          // where connections move; nil: they stay
	telling atomic.Bool                     // responses say that the connection ends, where it can't move

	mu    sync.Mutex
	conns map[*conn]struct{}
}

func newFleet(buffer int) *fleet {
	return &fleet{buffer: buffer, rule: (*stillness).movable, conns: make(map[*conn]struct{})}
}

func (f *fleet) add(c *conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conns[c] = struct{}{}
}

func (f *fleet) remove(c *conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.conns, c)
}

// moved notes that another process has the connection.
func (f *fleet) moved(c *conn) {
	f.tally.movedOut.Add(1)
	f.remove(c)
}

func (f *fleet) len() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.conns)
}

func (f *fleet) all() []*conn {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]*conn, 0, len(f.conns))
	for c := range f.conns {
		all = append(all, c)
	}
	return all
}

// head makes connections move to out, those that can now and others as soon as they can; nil makes them stay. It
// returns the outbox that was used before; a send that is under way there may still succeed.
func (f *fleet) head(out *outbox) (before *outbox) {
	before = f.route.Swap(out)
	for _, c := range f.all() {
		c.wake()
	}
	return before
}

// settled says that nothing more can move to out until a client does something.
func (f *fleet) settled(out *outbox) bool {
	if out == nil || f.buffer == 0 {
		return true
	}
	return !slices.ContainsFunc(f.all(), func(c *conn) bool { return c.unsettled(out) })
}

// count sorts the connections by posture.
func (f *fleet) count() (h headcount) {
	out := f.route.Load()
	for _, c := range f.all() {
		switch p, _ := c.posture(out); p {
		case busy:
			h.busy++
		case idle:
			h.idle++
		case goaway:
			h.goaway++
		}
	}
	return h
}

// dismiss ends n idle connections, those first that have been idle longest.
func (f *fleet) dismiss(n int) {
	type candidate struct {
		conn  *conn
		since time.Time
	}
	var idlers []candidate
	out := f.route.Load()
	for _, c := range f.all() {
		if p, since := c.posture(out); p == idle {
			idlers = append(idlers, candidate{c, since})
		}
	}
	slices.SortFunc(idlers, func(a, b candidate) int { return a.since.Compare(b.since) })
	for _, i := range idlers[:min(n, len(idlers))] {
		i.conn.tell()
		i.conn.dismiss()
	}
}

// cut closes whatever is left and returns how many connections that were.
func (f *fleet) cut() int {
	left := f.all()
	f.tally.cut.Add(uint64(len(left)))
	for _, c := range left {
		_ = c.Close()
	}
	return len(left)
}
