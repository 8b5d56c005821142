package zdapp

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// silence is how long a connection may take over its first request, its TLS handshake included, before a drain counts
// it as idle. It is net/http's own rule for Shutdown.
const silence = 5 * time.Second

// longAgo is a deadline that wakes whoever waits.
var longAgo = time.Unix(1, 0)

// conn is a connection that can leave: while net/http waits in Read for a request of which it has nothing yet, the
// socket is sent to the successor, and Read answers io.EOF, so that net/http ends without a word to the client.
//
// All of that happens in the goroutine that reads, so that no byte can be delivered and moved at once. Others only
// wake it.
type conn struct {
	net.Conn
	raw      syscall.RawConn
	listener string
	fleet    *fleet

	gone atomic.Bool // moved: the socket is somebody else's

	mu        sync.Mutex
	still     stillness
	reading   bool      // a Read is under way
	waiting   bool      // it is one that may be woken
	woken     bool      // it was woken: the socket's deadline is not the one that net/http set
	moving    bool      // it is being sent
	dismissed bool      // it is to end when it is quiet
	http2     bool      // GOAWAY ends it, not the end of the stream
	told      bool      // counted as told
	closed    bool      // Close was called
	deadline  time.Time // the read deadline that net/http wants
	refused   *outbox   // the outbox that could not take it
	since     time.Time // when the state changed
	requests  uint64
}

// newConn wraps a connection of the named listener. The connection counts as open until it is closed or moved.
func newConn(nc net.Conn, listener string, requests uint64, f *fleet) (*conn, error) {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nil, errors.New("cannot use connection: it has no descriptor")
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: nc, raw: raw, listener: listener, requests: requests, fleet: f, since: time.Now()}
	f.add(c)
	return c, nil
}

// Read is where net/http waits for requests, and from where a connection leaves.
func (c *conn) Read(p []byte) (int, error) {
	for {
		out, end := c.beginRead(len(p))
		switch {
		case end:
			return 0, io.EOF
		case out != nil:
			c.move(out)
			continue
		}
		n, err := c.Conn.Read(p)
		if c.endRead(p[:n], err) {
			return n, err
		}
	}
}

// awaitFirstByte holds a connection that was moved here outside net/http until its client speaks, since net/http
// would count the wait as reading a header. It reports whether there is something to read; if not, the connection is
// closed or moved on. The wait ends after idle, if that isn't zero.
func (c *conn) awaitFirstByte(idle time.Duration) bool {
	if idle > 0 {
		_ = c.setReadDeadline(time.Now().Add(idle))
	}
	for {
		out, end := c.beginRead(0)
		switch {
		case end:
			_ = c.Close()
			return false
		case out != nil:
			c.move(out)
			continue
		}
		err := c.awaitReadable()
		if !c.endRead(nil, err) {
			continue
		}
		if err != nil {
			_ = c.Close()
			return false
		}
		return c.setReadDeadline(time.Time{}) == nil
	}
}

// awaitReadable takes nothing from the socket. The end of the stream is io.EOF.
func (c *conn) awaitReadable() error {
	var n int
	var result error
	err := c.raw.Read(func(fd uintptr) bool {
		var b [1]byte
		for {
			n, _, result = unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
			if result != unix.EINTR {
				return result != unix.EAGAIN
			}
		}
	})
	switch {
	case err != nil:
		return err
	case result != nil:
		return result
	case n == 0:
		return io.EOF
	}
	return nil
}

// beginRead says what to do instead of reading: move to an outbox, or end.
func (c *conn) beginRead(n int) (out *outbox, end bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone.Load() {
		return nil, true
	}
	movable := c.fleet.rule(&c.still, n, c.fleet.buffer)
	if to := c.fleet.route.Load(); movable && to != nil && to != c.refused {
		c.moving = true
		return to, false
	}
	endable := c.still.quiet() || c.still.state == http.StateNew
	if c.dismissed && endable {
		return nil, true
	}
	c.reading = true
	c.waiting = movable || endable
	return nil, false
}

// endRead notes what a read brought and reports whether its caller gets to see it: not if it was only woken.
func (c *conn) endRead(p []byte, err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reading, c.waiting = false, false
	c.still.delivered(p)
	if !c.woken {
		return true
	}
	c.woken = false
	_ = c.Conn.SetReadDeadline(c.deadline)
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

// wake makes a waiting Read look again at what is wanted of it.
func (c *conn) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting && !c.woken {
		c.woken = true
		_ = c.Conn.SetReadDeadline(longAgo)
	}
}

// dismiss ends the connection now or when it is quiet.
func (c *conn) dismiss() {
	c.mu.Lock()
	c.dismissed = true
	c.mu.Unlock()
	c.wake()
}

// move sends the socket away. If that fails the connection stays and is not offered to the same outbox again.
func (c *conn) move(out *outbox) {
	c.mu.Lock()
	requests := c.requests
	c.mu.Unlock()
	err := out.send(c.raw, c.listener, requests)
	if err == nil {
		c.fleet.moved(c) // before it stops counting as moving, so that who waits for that sees it gone
	}
	c.mu.Lock()
	c.moving = false
	if err != nil {
		c.refused = out
		c.mu.Unlock()
		return
	}
	c.gone.Store(true)
	closed := c.closed
	c.mu.Unlock()
	if !closed {
		_ = c.Conn.Close()
	}
}

// enter notes a change of state that net/http reports for through: c itself, or the TLS connection over it.
func (c *conn) enter(state http.ConnState, through net.Conn) {
	secure, ok := through.(*tls.Conn)
	http2 := ok && state != http.StateNew && secure.ConnectionState().NegotiatedProtocol == "h2"
	c.mu.Lock()
	defer c.mu.Unlock()
	c.still.enter(state)
	c.still.opaque = c.still.opaque || through != net.Conn(c)
	c.http2 = c.http2 || http2
	c.since = time.Now()
}

// serve notes that a request arrived and reports whether its response must say that the connection ends.
func (c *conn) serve(http2 bool) (tell bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	if http2 {
		c.http2, c.still.opaque = true, true
	}
	if !c.fleet.telling.Load() {
		return false
	}
	out := c.fleet.route.Load()
	if !c.still.opaque && out != nil && out != c.refused {
		return false
	}
	c.tellLocked()
	return true
}

// unsettled says that the connection may yet move to out without its client doing anything. It is meant to be asked
// after out was made the fleet's route and the connection was woken.
func (c *conn) unsettled(out *outbox) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unsettledLocked(out)
}

func (c *conn) unsettledLocked(out *outbox) bool {
	switch {
	case c.gone.Load() || c.closed || c.still.opaque || c.refused == out:
		return false
	case c.moving || c.woken:
		return true
	}
	return !c.reading && c.still.quiet()
}

// posture says what a drain that moves connections to out, unless that is nil, has to do about the connection, and
// since when it has been so.
func (c *conn) posture(out *outbox) (posture, time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.http2 || c.still.matched == len(preface):
		return goaway, c.since
	case c.dismissed || out != nil && c.unsettledLocked(out):
		return busy, c.since
	case c.still.quiet(), c.still.state == http.StateNew && time.Since(c.since) > silence:
		return idle, c.since
	}
	return busy, c.since
}

// tell notes that the client was asked to end the connection.
func (c *conn) tell() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tellLocked()
}

func (c *conn) tellLocked() {
	if !c.told {
		c.told = true
		c.fleet.tally.told.Add(1)
	}
}

func (c *conn) hijacked() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.still.state == http.StateHijacked
}

// Write swallows what comes after the connection has moved.
func (c *conn) Write(p []byte) (int, error) {
	if c.gone.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// ReadFrom keeps sendfile and splice for responses.
func (c *conn) ReadFrom(r io.Reader) (int64, error) {
	if to, ok := c.Conn.(io.ReaderFrom); ok && !c.gone.Load() {
		return to.ReadFrom(r)
	}
	return io.Copy(struct{ io.Writer }{c}, r)
}

// CloseWrite tells the client that nothing more comes, unless the connection has moved.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && !c.gone.Load() {
		return half.CloseWrite()
	}
	return nil
}

// Close closes our descriptor. A connection that has moved lives on elsewhere.
func (c *conn) Close() error {
	c.mu.Lock()
	again := c.closed || c.gone.Load()
	c.closed = true
	c.mu.Unlock()
	if again {
		return nil
	}
	c.fleet.remove(c)
	return c.Conn.Close()
}

// NetConn returns the connection underneath, as it does for TLS. Reading from it directly breaks the move.
func (c *conn) NetConn() net.Conn { return c.Conn }

// SyscallConn gives access to the descriptor, for reading socket options.
func (c *conn) SyscallConn() (syscall.RawConn, error) { return c.raw, nil }

func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.Conn.SetWriteDeadline(t))
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.still.deadlineSet()
	return c.setReadDeadlineLocked(t)
}

func (c *conn) setReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.setReadDeadlineLocked(t)
}

func (c *conn) setReadDeadlineLocked(t time.Time) error {
	c.deadline = t
	if c.woken {
		return nil // endRead sets it
	}
	return c.Conn.SetReadDeadline(t)
}
