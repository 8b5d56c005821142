package load

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// trickle is SlowBody: a numbered POST on a connection of its own, whose body arrives in pieces.
func trickle(_ context.Context, c *client) {
	began := time.Now()
	defer c.hangUp()
	if err := c.connect(); err != nil {
		c.lost(began, err)
		return
	}
	n := c.next()
	c.sent(n)
	if err := c.sendSlowly(n); err != nil {
		c.lost(began, err)
		return
	}
	r, err := readResponse(c.conn.in)
	if err != nil {
		c.lost(began, err)
		return
	}
	if answer := strings.TrimSpace(r.body); r.body != n.body && answer != strconv.Itoa(len(n.body)) {
		c.lost(began, faultf(KindMismatch, "a body of %d bytes was answered with %s", len(n.body), abridged(r.body)))
		return
	}
	c.acknowledged(n)
	c.answered(r.release, began)
	c.keep(r.head)
}

// sendSlowly spreads the body's pieces evenly over Options.Hold.
func (c *client) sendSlowly(n numbered) error {
	if err := c.conn.send(n.head); err != nil {
		return err
	}
	parts := min(c.opts.Parts, len(n.body))
	for i := range parts {
		from, to := len(n.body)*i/parts, len(n.body)*(i+1)/parts
		if err := c.conn.send(n.body[from:to]); err != nil {
			return err
		}
		if i < parts-1 {
			time.Sleep(c.opts.Hold / time.Duration(parts-1))
		}
	}
	return nil
}
