package load

import (
	"context"
	"time"
)

// askOnce is NewConn: a connection, a request, an answer.
func askOnce(_ context.Context, c *client) {
	began := time.Now()
	defer c.hangUp()
	if err := c.connect(); err != nil {
		c.lost(began, err)
		return
	}
	if err := c.conn.send(c.get("Connection: close\r\n")); err != nil {
		c.lost(began, err)
		return
	}
	c.finish(began)
}

// askAndReset is Connect: a request on a connection that ends with a reset once the answer is here.
func askAndReset(_ context.Context, c *client) {
	began := time.Now()
	if err := c.connect(); err != nil {
		c.lost(began, err)
		return
	}
	if err := c.conn.send(c.get("")); err != nil {
		c.lost(began, err)
		return
	}
	c.finish(began)
	if c.conn != nil {
		c.conn.abandon()
		c.conn = nil
	}
}

// finish reads the answer to the only request on a connection and records it.
func (c *client) finish(began time.Time) {
	r, err := readResponse(c.conn.in)
	if err == nil && c.conn.in.Buffered() > 0 {
		c.answered(r.by(), began)
		c.unasked()
		return
	}
	if err != nil {
		c.lost(began, err)
		return
	}
	c.answered(r.by(), began)
}
