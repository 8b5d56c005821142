package load

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// askKept is Kept and Idle: a numbered POST over a kept connection.
func askKept(_ context.Context, c *client) {
	began := time.Now()
	if err := c.connect(); err != nil {
		c.lost(began, err)
		return
	}
	n := c.next()
	c.sent(n)
	if err := c.conn.send(n.head + n.body); err != nil {
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

// askTwo is Pipelined: two numbered POSTs in one write.
func askTwo(_ context.Context, c *client) {
	began := time.Now()
	if err := c.connect(); err != nil {
		c.lost(began, err)
		return
	}
	pair := [2]numbered{c.next(), c.next()}
	c.sent(pair[0])
	c.sent(pair[1])
	if err := c.conn.send(pair[0].head + pair[0].body + pair[1].head + pair[1].body); err != nil {
		c.lost(began, err)
		c.lost(began, err)
		return
	}
	var told string
	for i, n := range pair {
		r, err := c.receive(n)
		if err != nil {
			f := classify(err, KindEOF, "")
			err = faultf(f.kind, "request %d of a pipelined pair%s: %s", i+1, told, f.detail)
			for range pair[i:] {
				c.lost(began, err)
			}
			return
		}
		c.answered(r.release, began)
		if i == 1 {
			c.keep(r.head)
		} else if r.last {
			told = ", after Connection: close"
		}
	}
}

// receive reads the answer to a numbered POST and checks that it is the answer to this one.
func (c *client) receive(n numbered) (response, error) {
	r, err := readResponse(c.conn.in)
	if err != nil {
		return r, err
	}
	if r.body != n.body {
		return r, c.wrongEcho(n, r.body)
	}
	c.acknowledged(n)
	return r, nil
}

// wrongEcho tells an answer that was given before from a foreign one.
func (c *client) wrongEcho(n numbered, body string) error {
	line, _, _ := strings.Cut(body, "\n")
	name, number, _ := strings.Cut(line, " ")
	if seq, err := strconv.Atoi(number); err == nil && name == c.name && seq < n.seq {
		return faultf(KindDuplicate, "the answer to request %d came again instead of that to %d", seq, n.seq)
	}
	return faultf(KindMismatch, "request %d was answered with %s", n.seq, abridged(body))
}

// keep decides whether the connection serves the next round.
func (c *client) keep(h head) {
	if c.conn.in.Buffered() > 0 {
		c.unasked()
		return
	}
	if h.last {
		c.seen.ClosedByServer++
		c.seen.Announced++
		c.hangUp()
	}
}

// abridged quotes the beginning of a body.
func abridged(body string) string {
	if len(body) <= 40 {
		return strconv.Quote(body)
	}
	return fmt.Sprintf("%q… (%d bytes)", body[:40], len(body))
}
