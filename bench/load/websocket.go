package load

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/zdhost/zdhost/bench/load/wsframe"
)

// holdSession is WebSocket: a handshake, Options.Parts echoed messages spread over Options.Hold, a close. A
// session whose end the server announces with a close frame between two messages is no failure. When ctx ends,
// the session is cut short after the next message.
func holdSession(ctx context.Context, c *client) {
	release, ok := c.openSession()
	if !ok {
		return
	}
	defer c.hangUp()
	for range c.opts.Parts {
		wait(ctx, c.opts.Hold/time.Duration(c.opts.Parts))
		if !c.sessionGoesOn() || !c.echo(release) {
			return
		}
		if ctx.Err() != nil {
			break
		}
	}
	c.closeSession()
}

// openSession connects and shakes hands.
func (c *client) openSession() (release string, ok bool) {
	began := time.Now()
	if err := c.connect(); err != nil {
		c.lost(began, err)
		return "", false
	}
	nonce := make([]byte, 16)
	rand.Read(nonce)
	key := base64.StdEncoding.EncodeToString(nonce)
	request := c.get("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + "\r\n")
	if err := c.conn.send(request); err != nil {
		c.lost(began, err)
		return "", false
	}
	h, err := readHead(c.conn.in)
	switch {
	case err != nil:
		c.lost(began, err)
		return "", false
	case h.status != 101:
		c.lost(began, faultf(KindStatus, "status %d to a WebSocket handshake", h.status))
		return "", false
	case h.accept != wsframe.Accept(key):
		c.lost(began, faultf(KindMismatch, "Sec-WebSocket-Accept is %q", h.accept))
		return "", false
	}
	c.answered(h.release, began)
	return h.release, true
}

// sessionGoesOn looks whether the server has ended the session since the last message.
func (c *client) sessionGoesOn() bool {
	switch c.conn.look() {
	case quiet:
		return true
	case closed:
		c.lost(time.Now(), faultf(KindEOF, "the session ended without a close frame"))
		return false
	}
	if err := c.conn.begin(); err != nil {
		c.lost(time.Now(), err)
		return false
	}
	frame, err := wsframe.Read(c.conn.in)
	switch {
	case err != nil:
		c.lost(time.Now(), classify(err, KindShort, "inside a frame that nobody asked for"))
	case frame.Opcode == wsframe.Close:
		c.seen.ClosedByServer++
		c.seen.Announced++
	default:
		c.seen.Unasked++
		c.fail(time.Now(), faultf(KindDuplicate, "a frame that nobody asked for: %s", abridged(string(frame.Payload))))
	}
	return false
}

// echo sends one message and waits for it to come back.
func (c *client) echo(release string) bool {
	began := time.Now()
	c.seq++
	message := fmt.Sprintf("%s %d", c.name, c.seq)
	if err := c.conn.send(string(wsframe.Append(nil, wsframe.Text, []byte(message), true))); err != nil {
		c.lost(began, err)
		return false
	}
	frame, err := wsframe.Read(c.conn.in)
	switch {
	case err != nil:
		c.lost(began, classify(err, KindEOF, fmt.Sprintf("waiting for the echo of message %d", c.seq)))
		return false
	case frame.Opcode == wsframe.Close:
		c.lost(began, faultf(KindShort, "the server closed the session instead of answering message %d", c.seq))
		return false
	case frame.Opcode != wsframe.Text || string(frame.Payload) != message:
		c.lost(began, faultf(KindMismatch, "message %q came back as %s", message, abridged(string(frame.Payload))))
		return false
	}
	c.answered(release, began)
	return true
}

// closeSession ends a session in order. What the server says to that is its own business: the messages are done.
func (c *client) closeSession() {
	if c.conn.send(string(wsframe.Append(nil, wsframe.Close, []byte{0x03, 0xe8}, true))) == nil {
		wsframe.Read(c.conn.in)
	}
}
