package load

import (
	"context"
	"time"
)

// askHaltingly is HalfRequest: a numbered POST over a kept connection that arrives in two halves with Options.Hold
// between them.
func askHaltingly(_ context.Context, c *client) {
	began := time.Now()
	if err := c.connect(); err != nil {
		c.lost(began, err)
		return
	}
	n := c.next()
	c.sent(n)
	if err := c.sendHalves(n); err != nil {
		c.lost(began, err)
		return
	}
	r, err := c.receive(n)
	if err != nil {
		c.lost(began, err)
		return
	}
	c.answered(r.release, began)
	c.keep(r.head)
}

// sendHalves breaks the request off inside the header, the next one inside the body. In between the server has nothing
// to say and no reason to hang up.
func (c *client) sendHalves(n numbered) error {
	request := n.head + n.body
	half := len(n.head) / 2
	if n.seq%2 == 0 {
		half = len(n.head) + len(n.body)/2
	}
	if err := c.conn.send(request[:half]); err != nil {
		return err
	}
	time.Sleep(c.opts.Hold)
	switch c.conn.look() {
	case closed:
		return faultf(KindEOF, "the connection ended when half of request %d was sent", n.seq)
	case talking:
		return faultf(KindMismatch, "the server spoke when half of request %d was sent", n.seq)
	}
	return c.conn.send(request[half:])
}
