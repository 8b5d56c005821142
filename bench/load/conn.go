package load

import (
	"bufio"
	"errors"
	"io"
	"net"
	"syscall"
	"time"
)

// conn is a raw connection with a deadline for each exchange and a way to look at it without reading.
type conn struct {
	net.Conn
	in       *bufio.Reader // over conn.Read
	patience time.Duration // of an exchange, or of each read and write
	patient  bool          // each read and write
}

// silence is what a connection shows between two requests.
type silence int

const (
	quiet   silence = iota // open, nothing to read
	closed                 // ended by the server, by FIN or RST
	talking                // there are bytes to read
)

// dial opens a connection within Options.Timeout.
func dial(o *Options) (*conn, error) {
	d := net.Dialer{Timeout: o.Timeout, KeepAlive: -1}
	nc, err := d.Dial(o.Network, o.Address)
	if err != nil {
		var timed net.Error
		switch {
		case isLocal(err):
			return nil, faultf(KindLocal, "connecting: %v", err)
		case errors.As(err, &timed) && timed.Timeout():
			return nil, faultf(KindTimeout, "connecting: %v", err)
		}
		return nil, faultf(KindConnect, "connecting: %v", err)
	}
	c := &conn{Conn: nc, patience: o.Timeout, patient: o.patient()}
	c.in = bufio.NewReader(c)
	return c, nil
}

// begin starts the clock of an exchange.
func (c *conn) begin() error {
	return c.SetDeadline(time.Now().Add(c.patience))
}

func (c *conn) Read(p []byte) (int, error) {
	if c.patient {
		c.SetReadDeadline(time.Now().Add(c.patience))
	}
	return c.Conn.Read(p)
}

// send writes the whole of s. A write that fails because the server is gone is a reset.
func (c *conn) send(s string) error {
	if c.patient {
		c.SetWriteDeadline(time.Now().Add(c.patience))
	}
	if _, err := io.WriteString(c.Conn, s); err != nil {
		return classify(err, KindReset, "writing the request")
	}
	return nil
}

// look says what the connection shows right now, and takes nothing from it.
func (c *conn) look() silence {
	if c.in.Buffered() > 0 {
		return talking
	}
	raw, err := c.Conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return closed
	}
	var n int
	var recvErr error
	var one [1]byte
	if err := raw.Control(func(fd uintptr) {
		n, _, recvErr = syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	}); err != nil {
		return closed
	}
	switch {
	case recvErr == syscall.EAGAIN, recvErr == syscall.EINTR:
		return quiet
	case recvErr != nil, n == 0:
		return closed
	default:
		return talking
	}
}

// abandon closes the connection with a reset, which leaves nothing behind on this side.
func (c *conn) abandon() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	c.Close()
}
